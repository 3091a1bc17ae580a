"""The chapter on networking: application entities, their association policies and presentation contexts (PS3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydicom.uid import UID

from dicom_node.conformance.contexts import Call, Context, accepted, proposed
from dicom_node.conformance.document import Block, Section, Table
from dicom_node.conformance.services import answers_to_commitment, as_requestor, storage_scp, verification_scp
from dicom_node.conformance.web_services import web_services
from dicom_node.network.client import ACSE_S, ANSWER_S, CONNECT_S, MAX_PDU_BYTES
from dicom_node.network.contexts import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION, name_of

if TYPE_CHECKING:
    from dicom_node.network.admission import Admittance
    from dicom_node.settings import NodeSettings, Settings

CONTEXTS = ("SOP class", "UID", "Transfer syntaxes", "Role", "Extended negotiation")
CONTEXT_NAME = "1.2.840.10008.3.1.1.1"  # DICOM application context (PS3.7 A.2.1)


def networking(settings: Settings) -> Section:
    """The whole chapter."""
    rows, calls = accepted(settings.node), proposed(settings)
    sets = _Sets([*rows, *(context for call in calls for context in call.contexts)])
    return Section(
        "Networking",
        sections=(
            _implementation_model(settings),
            Section("AE specifications", sections=(_acceptor(settings.node, rows, sets), _requestor(calls, sets))),
            web_services(settings),
            Section("Transfer syntaxes", tuple(sets.blocks())),
            _interfaces(settings.node),
        ),
    )


class _Sets:
    """The sets of transfer syntaxes that the tables name by a letter and a number."""

    def __init__(self, contexts: Sequence[Context]) -> None:
        found = dict.fromkeys(context.syntaxes for context in contexts)
        self._names = {syntaxes: f"T{number}" for number, syntaxes in enumerate(found, start=1)}

    def table(self, caption: str, contexts: Sequence[Context]) -> Table:
        """A presentation context table."""
        rows = [(c.name, c.uid, self._shown(c.syntaxes), c.role, c.negotiation) for c in contexts]
        return Table.of(caption, CONTEXTS, rows)

    def blocks(self) -> Iterator[Block]:
        """What each name stands for."""
        yield (
            "The presentation context tables name these sets. Where one context offers several transfer syntaxes, the "
            "node as acceptor takes the one that stands first here. It holds and sends instances as they came and "
            "decompresses none; a plain (uncompressed little endian) file alone is written anew, as the other plain "
            "syntax, where a peer takes only that one."
        )
        rows = [(self._names[one], name_of(UID(uid)), uid) for one in self._names for uid in one]
        yield Table.of("Sets of transfer syntaxes", ("Set", "Transfer syntax", "UID"), rows)

    def _shown(self, syntaxes: tuple[str, ...]) -> str:
        return self._names[syntaxes]


def _implementation_model(settings: Settings) -> Section:
    node = settings.node
    flow = (
        (
            f"{node.ae_title} receives images by C-STORE. When a study has been quiet for {node.quiet_s:g} s, and "
            "where that is set an archive has confirmed that it is complete, routes decide which segmentation models "
            "run on it. The results are DICOM objects of their own series in the same study; they are sent to the "
            "destinations that the route names, which are then asked for storage commitment where that is set."
        ),
        (
            "Instances are acknowledged only when they are on the disk and in the index. Results that come back are "
            "recognised and cause no further work."
        ),
    )
    entities = (
        ("Acceptor", node.ae_title, "takes images (C-STORE), answers C-ECHO, storage commitment in both roles"),
        ("Requestor", ", ".join(node.called_titles), "sends results, asks for commitment, queries and retrieves"),
        ("DICOMweb user agent", "–", "sends results by STOW-RS, queries by QIDO-RS, retrieves by WADO-RS"),
    )
    return Section(
        "Implementation model",
        sections=(
            Section("Application data flow", flow),
            Section(
                "Functional definition of the AEs",
                (Table.of("Application entities", ("AE", "Title", "What it does"), entities),),
            ),
            Section(
                "Sequencing of real-world activities",
                (
                    (
                        "Receiving, completing, routing, segmentation, delivery and commitment follow one another; "
                        "each step is durable before the next begins, and is repeated after a crash with the same UIDs."
                    ),
                ),
            ),
        ),
    )


def _acceptor(node: NodeSettings, contexts: Sequence[Context], sets: _Sets) -> Section:
    return Section(
        f"Acceptor ({node.ae_title})",
        sections=(
            Section("Association policies", (_policy_table(
                ("Application context name", CONTEXT_NAME),
                ("Maximum number of associations", str(node.max_associations)),
                ("Maximum number of TCP connections", str(node.max_connections)),
                ("Maximum PDU size received", f"{node.max_pdu_bytes} bytes"),
                ("Wait for an association request (ARTIM)", f"{node.associate_s:g} s"),
                ("Silence after which an association is aborted", f"{node.idle_s:g} s"),
                ("Largest data set", f"{node.max_object_bytes} bytes"),
                *_common(),
            ),)),
            Section("Who may call", tuple(_admission(node))),
            Section("Association acceptance policy", (
                (
                    "Each presentation context is judged by itself. A context of a service that the caller may not use "
                    "is rejected as \"user rejection\"; other contexts of the association stand. A caller that "
                    "proposes no role for storage commitment is taken for a user of the service."
                ),
                sets.table("Presentation contexts accepted", contexts),
            )),
            verification_scp(),
            storage_scp(node),
            answers_to_commitment(node),
        ),
    )


def _requestor(calls: Sequence[Call], sets: _Sets) -> Section:
    services = dict.fromkeys(call.service for call in calls)
    activities = [
        Section(service, tuple(
            block
            for call in calls
            if call.service == service
            for block in (
                f"{call.calling} calls {', '.join(call.called)}.",
                sets.table(f"Presentation contexts proposed: {service}, by {call.calling} to {', '.join(call.called)}",
                           call.contexts),
            )
        ))
        for service in services
    ]
    none = ("No peer or destination of the DICOM protocol is configured, so no association is initiated.",)
    return Section(
        "Requestor",
        () if calls else none,
        (
            Section("Association policies", (
                (
                    "An association is opened for one activity and released after it. What a destination has not taken "
                    "is tried again with growing pauses, several times; each file travels in a context of its own for "
                    "every transfer syntax that it may travel in. By hand any file may be sent (segnode send): its SOP "
                    "class and transfer syntax are then proposed."
                ),
                _policy_table(
                    ("Application context name", CONTEXT_NAME),
                    ("Maximum PDU size received", f"{MAX_PDU_BYTES} bytes"),
                    ("Wait for the connection", f"{CONNECT_S:g} s"),
                    ("Wait for an answer to the association request", f"{ACSE_S:g} s"),
                    ("Wait for an answer to a DIMSE message", f"{ANSWER_S:g} s"),
                    *_common(),
                ),
            )),
            *activities,
            as_requestor(),
        ),
    )


def _common() -> tuple[tuple[str, str], ...]:
    return (
        ("Asynchronous operations window", "not supported: one operation at a time"),
        ("SOP class extended negotiation", "not supported"),
        ("User identity negotiation", "not proposed; not evaluated where a caller proposes it"),
        ("Implementation class UID", str(IMPLEMENTATION_CLASS_UID)),
        ("Implementation version name", IMPLEMENTATION_VERSION),
    )


def _policy_table(*rows: tuple[str, str]) -> Table:
    return Table.of("Association policies", ("Policy", "Value"), rows)


def _admission(node: NodeSettings) -> Iterator[Block]:
    yield (f"The called AE title must be {' or '.join(node.called_titles)}." if node.require_called_aet
           else "Any called AE title is accepted.")
    titles = ", ".join(node.accept_calling_aets)
    yield f"Calling AE titles accepted: {titles or 'any'}."
    if not node.admission:
        yield "Every caller may use every service."
    yield Table.of("Admission", ("AE titles", "Addresses", "Services besides verification"), map(_row, node.admission))


def _row(row: Admittance) -> tuple[str, str, str]:
    return ", ".join(row.ae_titles) or "any", ", ".join(row.addresses) or "any", ", ".join(row.may) or "none"


def _interfaces(node: NodeSettings) -> Section:
    ports = [("TCP/IP without TLS", node.host, str(node.port))] if node.port is not None else []
    ports += [("TCP/IP with TLS", node.host, str(node.tls.port))] if node.tls else []
    return Section(
        "Network interfaces",
        (
            "IPv4 and IPv6. Peers are called by host name or address; names are resolved by the operating system.",
            Table.of("Listening ports", ("Transport", "Address", "Port"), ports),
        ),
    )
