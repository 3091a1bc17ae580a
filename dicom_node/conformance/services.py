"""What each DIMSE service does, as provider and as user: behaviour, and what its statuses mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dicom_node.conformance.document import Section, Table
from dicom_node.errors import ReceiveError
from dicom_node.network import commitment, commitment_service, statuses
from dicom_node.network.query_statuses import MEANINGS as ASKED

if TYPE_CHECKING:
    from dicom_node.settings import NodeSettings

CODES = ("Status", "Meaning")
COMMITMENT = {
    "off": "Requests are not taken: an N-ACTION is answered with 0x0211. Reports on what the node has asked of its "
    "destinations are taken (N-EVENT-REPORT).",
    "own": "Requests of known peers are taken. The report says committed for instances that the node itself holds.",
    "relay": "Requests of known peers are taken. The report says committed for instances that another archive has "
    "committed to keep.",
}
WHY = {
    "OutOfResources": "out of resources: storage cannot take it now; the sender should try again",
    "DiskFull": "out of resources: the disk is below keep_free_bytes; the sender should try again later",
    "NotNegotiated": "SOP class not supported: its presentation context was negotiated for another one",
    "UidMismatch": "data set does not match SOP class: class or instance differ from those of the request",
    "BadDataset": "cannot understand: no data set, not parsed, without valid UIDs, or refused for a reason logged",
}


def verification_scp() -> Section:
    """C-ECHO as a provider."""
    return Section("Verification as SCP", ("C-ECHO is answered with 0x0000 to every caller that is let in.",))


def storage_scp(node: NodeSettings) -> Section:
    """C-STORE as a provider."""
    answers = [("0x0000", "success: the instance is on the disk and in the index; so is the answer to a duplicate")]
    answers += [(_code(code), WHY[error.__name__]) for error, code in _by_code(statuses.ANSWERS)]
    answers.append((_code(statuses.UNFORESEEN), "cannot understand: an unforeseen fault; the instance was not kept"))
    return Section(
        "Storage as SCP",
        (
            (
                "Level 2 (full) conformance: all attributes, private ones among them, are kept as they came, byte for "
                "byte, in the transfer syntax of the association (PS3.4 B.4.1). No attribute is coerced and no warning "
                "status is given. Digital signatures are kept, not checked."
            ),
            (
                "An instance that comes again with the same content is acknowledged and kept once. With other content "
                "both are kept and the first one counts until they have been compared; the journal says so."
            ),
            (
                f"Instances are refused while less than {node.keep_free_bytes} bytes of disk are free. How long they "
                "are kept is said in the configuration (retention)."
            ),
            Table.of("Statuses that C-STORE returns", CODES, answers),
        ),
    )


def answers_to_commitment(node: NodeSettings) -> Section:
    """Storage commitment as a provider, and taking reports as a user."""
    service = node.commitment.service
    relayed = f" That archive is {node.commitment.relay_to}." if service == "relay" else ""
    report = (
        "The report is sent on a new association to the peer's configured address, in the role of the provider; "
        f"instances reported as committed are kept for {node.commitment.keep_days:g} days at least."
    )
    words = {
        commitment.SUCCESS: "success: kept, and will be answered",
        commitment_service.PROCESSING_FAILURE: "processing failure: could not be kept; try again",
        commitment.NO_SUCH_SOP_INSTANCE: "no such SOP instance: not the well-known instance",
        commitment.NO_SUCH_EVENT_TYPE: "no such event type",
        commitment.INVALID_ARGUMENT: "invalid argument value: cannot be understood, or a transaction that is not known",
        commitment.NO_SUCH_ACTION: "no such action type",
        commitment_service.NOT_AUTHORISED: "not authorised: the caller is no known peer, so no report could reach it",
        commitment.UNRECOGNISED_OPERATION: "unrecognised operation: the service is off, or the context is another's",
        commitment.RESOURCE_LIMITATION: f"resource limitation: more than {commitment.MAX_REFERENCES} instances in one "
        f"request, or {commitment_service.MAX_OPEN} open requests",
    }
    return Section(
        "Storage commitment",
        (
            COMMITMENT[service] + relayed,
            *([report] if service != "off" else []),
            Table.of("Statuses that N-ACTION and N-EVENT-REPORT return", CODES, [(_code(c), words[c]) for c in words]),
        ),
    )


def as_requestor() -> Section:
    """What the peers' statuses mean to the node."""
    stored = [(_range(a, b), f"{words or 'success'}: {outcome.value}") for a, b, outcome, words in statuses.MEANINGS]
    asked = [(_range(a, b), f"{w}: {'try again' if again else 'refused'}") for a, b, again, w in ASKED]
    return Section(
        "SOP-specific conformance as SCU",
        sections=(
            Section("Storage", (
                (
                    "A delivery is done when every object is stored, be it with a warning. \"Try again\" repeats the "
                    "delivery with growing pauses; \"refused\" ends it and tells a person. Repeated deliveries carry "
                    "the same UIDs."
                ),
                Table.of("Behaviour on C-STORE statuses", ("Status", "Meaning and behaviour"), stored),
            )),
            Section("Storage commitment", (
                (
                    "Push model. The request (N-ACTION, action type 1) names the objects of one delivery; the report "
                    "is taken on the same association within a time that is configured (wait_s), or later on an "
                    "association that the peer opens. Objects that the peer does not commit are sent again; without a "
                    "report the request is repeated until the configured end (ask_again_s, give_up_s)."
                ),
            )),
            Section("Query and retrieve", (
                (
                    "Study Root model, hierarchical queries at the levels STUDY, SERIES and IMAGE, with single value, "
                    "universal and date range matching. Attributes asked for: Study Instance UID, Study Date, Study "
                    "Time, Modalities in Study, Study Description, Patient ID, Issuer of Patient ID, Patient's Birth "
                    "Date, Patient's Sex, Number of Study Related Series and Instances; Series Instance UID, Modality, "
                    "Manufacturer, Number of Series Related Instances; SOP Instance UID, SOP Class UID. No relational "
                    "queries. Relevant earlier studies are asked for by Patient ID."
                ),
                (
                    "C-MOVE names the node's own AE title as destination, so the peer must know it with host and port. "
                    "C-GET asks to store in the role of the provider; of the SOP classes in its table one association "
                    "proposes those that the peer has announced of the study."
                ),
                Table.of("Behaviour on C-FIND, C-MOVE and C-GET statuses", ("Status", "Meaning and behaviour"), asked),
            )),
        ),
    )


def _by_code(answers: dict[type[ReceiveError], int]) -> Iterable[tuple[type[ReceiveError], int]]:
    return sorted(answers.items(), key=lambda one: one[1])


def _code(code: int) -> str:
    return f"0x{code:04X}"


def _range(first: int, last: int) -> str:
    return _code(first) if first == last else f"{_code(first)} – {_code(last)}"
