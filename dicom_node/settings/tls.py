"""What the settings of TLS need beyond their form: absolute paths, the node's own files for its peers, good files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dicom_node.errors import BadTlsFiles, Mistake
from dicom_node.network.tls.settings import BrowserTls, ClientTls, ServerTls, Tls
from dicom_node.settings.files import Document, Place

if TYPE_CHECKING:
    from dicom_node.settings import NodeSettings

T = TypeVar("T", bound=Tls)

INNER = ("authentication", "oidc")  # of a destination its token server, of the console its provider
FILES = ("certificate", "key", "authorities", "revocations")


def with_tls(node: NodeSettings, base: Path) -> NodeSettings:
    """`node` with TLS paths below `base`, and its own certificate and authorities where a peer's `tls` names none."""
    own = _absolute(node.tls, base) if node.tls else None

    def completed(partner: Any) -> Any:
        tls = getattr(partner, "tls", None)
        changed: dict[str, Any] = {"tls": _absolute(tls, base)} if tls else {}
        if isinstance(tls, ClientTls):
            changed = {"tls": _absolute(tls, base).completed(own)}
        inner = {name: completed(one) for name in INNER if (one := getattr(partner, name, None))}
        return partner.model_copy(update=changed | inner)

    return node.model_copy(
        update={
            "tls": own,
            "web": completed(node.web),
            "peers": {name: completed(peer) for name, peer in node.peers.items()},
            "destinations": {name: completed(one) for name, one in node.destinations.items()},
        }
    )


def every_tls(node: NodeSettings) -> Iterator[tuple[Place, ServerTls | BrowserTls | ClientTls]]:
    """Each TLS setting that there is, with its place in node.yaml."""
    if node.tls:
        yield ("tls",), node.tls
    if node.web.tls:
        yield ("web", "tls"), node.web.tls
    if node.web.oidc:
        yield from _of_partner(("web", "oidc"), node.web.oidc)
    for group, partners in (("peers", node.peers), ("destinations", node.destinations)):
        for name, partner in partners.items():
            yield from _of_partner((group, name), partner)


def tls_loose_ends(node: NodeSettings, document: Document | None) -> list[str]:
    """Peers whose certificate could be compared with nothing."""
    return [
        _sentence(document, place, "authorities", "is needed and neither there nor in the node's own tls")
        for place, tls in every_tls(node)
        if tls.authorities is None and isinstance(tls, ClientTls)
    ]


def tls_mistakes(node: NodeSettings, document: Document | None) -> list[str]:
    """Every mistake in the files of TLS, once each, under the setting that names the file."""
    problems: dict[Mistake, str] = {}
    for place, tls in every_tls(node):
        try:
            tls.context()
        except BadTlsFiles as wrong:
            for mistake in wrong.mistakes:
                told = f" = {mistake.place!r}: {mistake.sentence}"
                problems.setdefault(mistake, _sentence(document, place, mistake.key, told))
    return list(problems.values())


def _of_partner(place: Place, partner: Any) -> Iterator[tuple[Place, ClientTls]]:
    if tls := getattr(partner, "tls", None):
        yield (*place, "tls"), tls
    for name in INNER:
        if inner := getattr(partner, name, None):
            yield from _of_partner((*place, name), inner)


def _sentence(document: Document | None, place: Place, key: str, told: str) -> str:
    where = document.at((*place, key)) if document else "node.yaml"
    return f"{where}: {'.'.join(map(str, (*place, key)))}{told if told.startswith(' ') else f': {told}'}"


def _absolute(tls: T, base: Path) -> T:
    paths: dict[str, object] = {
        name: base / path.expanduser() for name in FILES if (path := getattr(tls, name)) is not None
    }
    if tls.key_password and tls.key_password.file:
        paths["key_password"] = tls.key_password.below(base)
    return tls.model_copy(update=paths)
