"""Whom the settings name besides the node: how a peer is called, and who can be asked what he holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Tag

from dicom_node.destinations import DimseDestination
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_server import NamedWebServer, WebServer
from dicom_node.network.peer import Peer
from dicom_node.settings.files import Document

if TYPE_CHECKING:
    from dicom_node.settings import NodeSettings


def _kind_of(peer: Any) -> Any:
    return peer.get("kind", "dimse") if isinstance(peer, dict) else getattr(peer, "kind", "dimse")


AnyPeer = Annotated[
    Annotated[Peer, Tag("dimse")] | Annotated[NamedWebServer, Tag("dicomweb")],
    Discriminator(
        _kind_of,
        custom_error_type="kind_of_peer",
        custom_error_message="kind is dimse (also where it is left out) or dicomweb",
    ),
]


def archives_of(node: NodeSettings) -> Mapping[str, Peer | WebPeer]:
    """Who can be asked, by name: all peers, and of the destinations those that are no folders."""
    partners = {**node.destinations, **node.peers}
    return {name: archive for name, one in partners.items() if (archive := _archive(name, one)) is not None}


def unknown_archives(node: NodeSettings, document: Document | None) -> list[str]:
    """A sentence for each source, and for the archive of priors, that cannot be asked.

    Priors are asked for by C-FIND alone: a patient ID in a URL stays in the logs of every server on its way.
    """
    known = archives_of(node)
    by_find = {name for name, one in known.items() if isinstance(one, Peer)}
    named: list[tuple[tuple[str, ...], str, Collection[str]]] = [
        (("sources", name, "peer"), source.peer, known) for name, source in node.sources.items()
    ]
    if node.priors.archive is not None:
        named.append((("priors", "archive"), node.priors.archive, by_find))
    return [
        f"{document.at(place) if document else 'node.yaml'}: {'.'.join(place)} = {peer!r}: no such peer, or "
        f"destination that can be asked; known: {', '.join(sorted(these)) or 'none'}"
        for place, peer, these in named
        if peer not in these
    ]


def _archive(name: str, partner: Any) -> Peer | WebPeer | None:
    if isinstance(partner, WebServer):
        return partner.known_as(name)
    if isinstance(partner, DimseDestination):
        return partner.peer
    return partner if isinstance(partner, Peer) else None
