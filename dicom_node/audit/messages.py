"""Facts become audit messages: one function an event, the XML of PS3.15 A.5.1, filled as A.5.2 and A.5.3 say.

The functions are pure. Texts come from strangers: what XML cannot hold becomes a space, and each text and list
is bounded, so that a message stays below the 32768 octets that every collector takes (PS3.15 A.6).
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from dicom_node.audit import facts
from dicom_node.audit.facts import UNKNOWN, Code, Happened, Images, Participant, Reporter

LONGEST_TEXT = 256  # characters
LONGEST_QUERY = 12_000  # bytes, before base64
MOST_CLASSES = 100

PERSON, SYSTEM_OBJECT = "1", "2"  # ParticipantObjectTypeCode
PATIENT_ROLE, REPORT_ROLE, SECURITY_RESOURCE_ROLE = "1", "3", "13"  # ParticipantObjectTypeCodeRole (A.5.1.2.2)
APPLICATION_SERVER = "4"  # AuditSourceTypeCode (A.5.1.2.1)


def application_activity(
    reporter: Reporter, event: Happened, process: Participant, launcher: Participant, *, start: bool
) -> bytes:
    """A process of ours starts or stops (A.5.3.1)."""
    kind = facts.APPLICATION_START if start else facts.APPLICATION_STOP
    root = _message(facts.APPLICATION_ACTIVITY, "E", event, kind)
    _participant(root, process, facts.APPLICATION)
    _participant(root, launcher, facts.APPLICATION_LAUNCHER)
    return _finished(root, reporter)


def audit_log_used(reporter: Reporter, event: Happened, readers: Sequence[Participant], log_uri: str) -> bytes:
    """Somebody reads the audit trail (A.5.3.2): the person and the process, where both are known."""
    root = _message(facts.AUDIT_LOG_USED, "R", event)
    for reader in readers:
        _participant(root, reader)
    _source(root, reporter)
    log = _object(root, facts.URI, log_uri, SYSTEM_OBJECT, SECURITY_RESOURCE_ROLE)
    SubElement(log, "ParticipantObjectName").text = "Security Audit Log"
    return _bytes(root)


def begin_transferring(
    reporter: Reporter, event: Happened, sender: Participant, receiver: Participant, images: Images
) -> bytes:
    """A transfer begins (A.5.3.3); of an arrival only its first instance is known."""
    root = _message(facts.BEGIN_TRANSFERRING, "E", event)
    _participant(root, sender, facts.SOURCE)
    _participant(root, receiver, facts.DESTINATION)
    return _finished(root, reporter, images)


def instances_accessed(
    reporter: Reporter,
    event: Happened,
    participants: Sequence[Participant],
    images: Images,
    *,
    action: str = "R",
    kind: Code | None = None,
) -> bytes:
    """Images are used (A.5.3.6); `action` is one of C, R, U, D, and `kind` our own code for what a person asked."""
    root = _message(facts.INSTANCES_ACCESSED, action, event, kind)
    for participant in participants:
        _participant(root, participant)
    return _finished(root, reporter, images)


def instances_transferred(
    reporter: Reporter,
    event: Happened,
    sender: Participant,
    receiver: Participant,
    images: Images,
    *,
    action: str,
) -> bytes:
    """A transfer has ended (A.5.3.7).

    `action`: C where the receiver did not hold the instances, R where it did or that is not known. Instances
    that were kept and those that failed are two messages (Table A.5.2-1, EventOutcomeIndicator).
    """
    root = _message(facts.INSTANCES_TRANSFERRED, action, event)
    _participant(root, sender, facts.SOURCE)
    _participant(root, receiver, facts.DESTINATION)
    return _finished(root, reporter, images)


def study_deleted(reporter: Reporter, event: Happened, deleters: Sequence[Participant], images: Images) -> bytes:
    """A study and all its instances are deleted (A.5.3.8)."""
    root = _message(facts.STUDY_DELETED, "D", event)
    for deleter in deleters:
        _participant(root, deleter)
    return _finished(root, reporter, images)


def data_moved(
    reporter: Reporter, event: Happened, people: Sequence[Participant], media: Participant, text: str, *, out: bool
) -> bytes:
    """Data of many patients is written to media (`out`, A.5.3.4), or read from there (A.5.3.5); `media` has a URI.

    No patient is named, since all of them would not fit into a message; `text` says how much it is.
    """
    root = _message(facts.EXPORT if out else facts.IMPORT, "R" if out else "C", event)
    for one in people:
        _participant(root, one, facts.SOURCE if out else facts.DESTINATION)
    place = _participant(root, media, facts.DESTINATION_MEDIA if out else facts.SOURCE_MEDIA)
    _coded(SubElement(place, "MediaIdentifier"), "MediaType", facts.MEDIA_URI)
    _source(root, reporter)
    patients = _object(root, facts.PATIENT_NUMBER, UNKNOWN, PERSON, PATIENT_ROLE)
    SubElement(patients, "ParticipantObjectName").text = UNKNOWN
    _detail(patients, "Contents", text)
    return _bytes(root)


def query(
    reporter: Reporter,
    event: Happened,
    asker: Participant,
    answerer: Participant,
    sop_class_uid: str,
    *,
    identifier: bytes,
    transfer_syntax_uid: str,
) -> bytes:
    """A C-FIND was asked (A.5.3.10); `identifier` is its data set, encoded as `transfer_syntax_uid`."""
    root = _message(facts.QUERY, "E", event)
    _participant(root, asker, facts.SOURCE)
    _participant(root, answerer, facts.DESTINATION)
    _source(root, reporter)
    asked = _object(root, facts.CLASS_UID, sop_class_uid, SYSTEM_OBJECT, REPORT_ROLE)
    SubElement(asked, "ParticipantObjectQuery").text = _base64(identifier[:LONGEST_QUERY])
    _detail(asked, "TransferSyntax", transfer_syntax_uid)
    return _bytes(root)


def security_alert(
    reporter: Reporter, event: Happened, process: Participant, suspect: Participant, *, kind: Code
) -> bytes:
    """Somebody tried what he may not (A.5.3.11); `kind` is of CID 403. A minor failure: he was kept out."""
    root = _message(facts.SECURITY_ALERT, "E", event, kind)
    _participant(root, process)
    _participant(root, suspect)
    _source(root, reporter)
    node = _object(root, facts.NODE_ID, suspect.address, SYSTEM_OBJECT, SECURITY_RESOURCE_ROLE)
    SubElement(node, "ParticipantObjectName").text = _clean(suspect.address) or UNKNOWN
    _detail(node, "Alert Description", event.reason)
    return _bytes(root)


def user_authentication(
    reporter: Reporter, event: Happened, user: Participant, node: Participant, *, login: bool
) -> bytes:
    """A person signs in, or is kept from it, or out (A.5.3.12)."""
    root = _message(facts.USER_AUTHENTICATION, "E", event, facts.LOGIN if login else facts.LOGOUT)
    _participant(root, user)
    _participant(root, node)
    return _finished(root, reporter)


def security_changed(
    reporter: Reporter, event: Happened, participants: Sequence[Participant], subject: str, text: str, *, kind: Code
) -> bytes:
    """What a user may do was changed by a person (A.5.3.11); `subject` is the user's URI, `kind` is of CID 403."""
    root = _message(facts.SECURITY_ALERT, "E", event, kind)
    for participant in participants:
        _participant(root, participant)
    _source(root, reporter)
    about = _object(root, facts.URI, subject, SYSTEM_OBJECT, SECURITY_RESOURCE_ROLE)
    SubElement(about, "ParticipantObjectName").text = _clean(subject) or UNKNOWN
    _detail(about, "Alert Description", text)
    return _bytes(root)


def _message(event_id: Code, action: str, event: Happened, kind: Code | None = None) -> Element:
    root = Element("AuditMessage")
    head = SubElement(
        root,
        "EventIdentification",
        EventActionCode=action,
        EventDateTime=datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=str(int(event.outcome)),
    )
    _coded(head, "EventID", event_id)
    if kind is not None:
        _coded(head, "EventTypeCode", kind)
    if reason := _clean(event.reason):
        SubElement(head, "EventOutcomeDescription").text = reason
    return root


def _participant(root: Element, who: Participant, role: Code | None = None) -> Element:
    element = SubElement(root, "ActiveParticipant", UserID=_clean(who.user_id) or UNKNOWN)
    if title := _clean(who.ae_title):
        element.set("AlternativeUserID", f"AETITLES={title}")
    if name := _clean(who.name):
        element.set("UserName", name)
    element.set("UserIsRequestor", "true" if who.requestor else "false")
    if address := _clean(who.address):
        element.set("NetworkAccessPointID", address)
        element.set("NetworkAccessPointTypeCode", "2" if _is_ip(who.address) else "1")
    if role is not None:
        _coded(element, "RoleIDCode", role)
    return element


def _source(root: Element, reporter: Reporter) -> None:
    element = SubElement(root, "AuditSourceIdentification")
    if site := _clean(reporter.enterprise_site_id):
        element.set("AuditEnterpriseSiteID", site)
    element.set("AuditSourceID", _clean(reporter.source_id) or UNKNOWN)
    SubElement(element, "AuditSourceTypeCode", {"csd-code": APPLICATION_SERVER})


def _finished(root: Element, reporter: Reporter, images: Images | None = None) -> bytes:
    """The message with its source and, where images are concerned, their study and patient."""
    _source(root, reporter)
    if images is not None:
        _study(root, images)
        patient = _object(root, facts.PATIENT_NUMBER, images.patient_id, PERSON, PATIENT_ROLE)
        SubElement(patient, "ParticipantObjectName").text = _clean(images.patient_name) or UNKNOWN
    return _bytes(root)


def _study(root: Element, images: Images) -> None:
    study = _object(root, facts.STUDY_UID, images.study_uid, SYSTEM_OBJECT, REPORT_ROLE)
    SubElement(study, "ParticipantObjectName").text = _clean(images.study_uid) or UNKNOWN
    if not images.sop_classes:  # without them the other parts of the description may not be there (Table A.5.2-1)
        return
    description = SubElement(study, "ParticipantObjectDescription")
    if accession := _clean(images.accession):
        SubElement(description, "Accession", Number=accession)
    for uid, number in sorted(images.sop_classes.items())[:MOST_CLASSES]:
        SubElement(description, "SOPClass", UID=_clean(uid), NumberOfInstances=str(number))


def _object(root: Element, id_type: Code, identifier: str, kind: str, role: str) -> Element:
    element = SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_clean(identifier) or UNKNOWN,
        ParticipantObjectTypeCode=kind,
        ParticipantObjectTypeCodeRole=role,
    )
    _coded(element, "ParticipantObjectIDTypeCode", id_type)
    return element


def _detail(element: Element, kind: str, value: str) -> None:
    SubElement(element, "ParticipantObjectDetail", type=kind, value=_base64(_clean(value).encode()))


def _coded(parent: Element, name: str, code: Code) -> None:
    attributes = {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning}
    SubElement(parent, name, attributes)


def _clean(text: str) -> str:
    """Text that XML can hold, on one line, of bounded length."""
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * LONGEST_TEXT])
    return " ".join(line.split())[:LONGEST_TEXT]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _bytes(root: Element) -> bytes:
    return bytes(tostring(root, encoding="utf-8", xml_declaration=False))
