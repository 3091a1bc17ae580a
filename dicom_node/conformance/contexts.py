"""The presentation contexts of the node: those that it takes, and those that it proposes, by the settings.

They are read from the application entity that listens and from what each service asks for when it calls; there is
no other list of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from dicom_node.destinations.dimse import DimseDestination
from dicom_node.destinations.proposal import asked_of
from dicom_node.network import proposals
from dicom_node.network.contexts import STORAGE_CLASSES, name_of
from dicom_node.network.peer import Peer
from dicom_node.network.probe import STORED, everything
from dicom_node.network.proposals import Proposed
from dicom_node.network.server import acceptor
from storage.records import InstanceKind

if TYPE_CHECKING:
    from dicom_node.destinations.base import Destination
    from dicom_node.settings import NodeSettings, Settings

ROLE_SELECTION = "SCP/SCU role selection (PS3.7 D.3.3.4)"


@dataclass(frozen=True)
class Context:
    """A row of a presentation context table (PS3.2): our role in it, and what is negotiated besides."""

    name: str
    uid: str
    syntaxes: tuple[str, ...]
    role: str
    negotiation: str = "None"


@dataclass(frozen=True)
class Call:
    """One reason to call: the service, the AE titles and names of who calls and who is called, and what is proposed."""

    service: str
    calling: str
    called: tuple[str, ...]
    contexts: tuple[Context, ...]


def accepted(node: NodeSettings) -> tuple[Context, ...]:
    """What the node takes when it is called, from a caller that may everything."""
    return tuple(
        Context(
            name_of(context.abstract_syntax),
            str(context.abstract_syntax),
            tuple(map(str, context.transfer_syntax)),
            *_as_acceptor(context.scu_role, context.scp_role),
        )
        for context in acceptor(node, node.commitment.service).supported_contexts
    )


def proposed(settings: Settings) -> tuple[Call, ...]:
    """What it proposes when it calls, by service and who is called; services that nobody is called for are left out."""
    calls = (*_to_destinations(settings), *_to_archives(settings), *_to_everybody(settings))
    return tuple(call for call in calls if call.called)


def objects_for(destination: Destination) -> Iterator[tuple[UID, UID]]:
    """SOP class and transfer syntax of every object that a destination's profile wants."""
    profile = destination.profile
    plain = ImplicitVRLittleEndian if profile.transfer_syntax == "implicit" else ExplicitVRLittleEndian
    for name in asked_of(profile):
        yield STORED[name], RLELossless if name in ("seg", "labelmap") and profile.compressed else plain
    if profile.fractional:
        yield STORED["seg"], RLELossless if profile.transfer_syntax == "rle" else plain
    if destination.iocm:  # rejection notes, which are of no profile
        yield STORED["key_objects"], ExplicitVRLittleEndian


def fetched_classes(settings: Settings) -> Iterator[UID]:
    """SOP classes that may be asked for by C-GET: images, and segmentations of priors where an archive has them."""
    wanted = {InstanceKind.IMAGE, *([InstanceKind.SEGMENTATION] if settings.node.priors.archive else [])}
    yield from (uid for uid, kind in STORAGE_CLASSES.items() if kind in wanted)


def _to_destinations(settings: Settings) -> Iterator[Call]:
    node = settings.node
    for name, one in settings.destinations().items():
        if isinstance(one, DimseDestination):
            rows = rows_of(proposals.storage(objects_for(one)))
            yield Call("Storage", one.calling_ae_title, (f"{one.ae_title} ({name})",), rows)
            if one.asks_commitment:
                rows = rows_of(proposals.commitment_request())
                yield Call("Storage commitment, request", one.calling_ae_title, (f"{one.ae_title} ({name})",), rows)
    if node.commitment.service != "off":
        rows = rows_of(proposals.commitment_report())
        yield Call("Storage commitment, report", node.ae_title, tuple(sorted(node.known_peers)), rows)


def _to_archives(settings: Settings) -> Iterator[Call]:
    ours, asked = settings.node.ae_title, {n: one for n, one in settings.archives().items() if isinstance(one, Peer)}
    yield Call("Query", ours, _listed(asked.items()), rows_of(proposals.find()))
    for way, proposal in (("move", proposals.move()), ("get", _get(settings))):
        called = [(name, one) for name, one in asked.items() if way in _ways(settings, name)]
        yield Call(f"Retrieve, C-{way.upper()}", ours, _listed(called), rows_of(proposal))


def _to_everybody(settings: Settings) -> Iterator[Call]:
    """What people ask for: whether a peer answers, and what it takes."""
    dimse = [(n, one.peer) for n, one in settings.destinations().items() if isinstance(one, DimseDestination)]
    called = _listed([*settings.peers().items(), *dimse])
    yield Call("Verification", settings.node.ae_title, called, rows_of(proposals.verification()))
    yield Call("Negotiation alone, to learn what a peer takes", settings.node.ae_title, called, rows_of(everything()))


def rows_of(proposal: Proposed) -> tuple[Context, ...]:
    """One row a SOP class; each of its transfer syntaxes may have been proposed in a context of its own."""
    syntaxes: dict[UID, dict[str, None]] = {}
    for context in proposal.contexts:
        syntaxes.setdefault(UID(context.abstract_syntax), {}).update(dict.fromkeys(map(str, context.transfer_syntax)))
    provided = {role.sop_class_uid for role in proposal.roles if role.scp_role}
    return tuple(
        Context(name_of(uid), str(uid), tuple(found), *(("SCP", ROLE_SELECTION) if uid in provided else ("SCU",)))
        for uid, found in syntaxes.items()
    )


def _get(settings: Settings) -> Proposed:
    """Of one C-GET, were it possible to ask for all that may be wanted at once."""
    every = [proposals.get([uid]) for uid in fetched_classes(settings)]
    contexts = [every[0].contexts[0], *(context for one in every for context in one.contexts[1:])]
    return Proposed(contexts, [role for one in every for role in one.roles])


def _ways(settings: Settings, name: str) -> set[str]:
    """How studies are brought here from an archive: as its sources say, by C-MOVE where they do not."""
    said = [source.retrieve for source in settings.node.sources.values() if source.peer == name]
    ways = {"move" if way == "none" else way for way in said} or {"move"}
    return ways | ({settings.node.priors.retrieve} if settings.node.priors.archive == name else set())


def _as_acceptor(scu: bool | None, scp: bool | None) -> tuple[str, str]:
    """Our role, and how it is negotiated, where `scu` and `scp` are the roles that the caller may have."""
    if scu is None and scp is None:
        return "SCP", "None"
    ours = [role for role, theirs in (("SCP", scu), ("SCU", scp)) if theirs]
    return " and ".join(ours), ROLE_SELECTION


def _listed(called: Iterable[tuple[str, Peer]]) -> tuple[str, ...]:
    return tuple(f"{one.ae_title} ({name})" for name, one in called)
