"""Every audit message holds to the schema (PS3.15 A.5.1) and to its own table (A.5.3.x), restated here."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from audit_schema import code, decoded, read

from dicom_node.audit import facts, messages
from dicom_node.audit.facts import Happened, Images, Outcome, Participant, PersonAction, Reporter

CT = "1.2.840.10008.5.1.4.1.1.2"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
EXPLICIT = "1.2.840.10008.1.2.1"

REPORTER = Reporter("SEGNODE@host", "Main hospital")
NOW = Happened(1_750_000_000.25)
OURS = Participant("4711", ae_title="SEGNODE", name="segnode receive", address="host")
SCANNER = Participant("CT1@10.0.0.7", requestor=True, ae_title="CT1", address="10.0.0.7")
ANNE = Participant("anne@host", requestor=True, name="anne", address="host")
COPY = Participant("file:///backups/segnode-1", address="host")
IMAGES = Images("1.2.3", "P-17", "Doe^Jane", "A1", {CT: 3, SEG: 1})

MADE: dict[str, bytes] = {
    "start": messages.application_activity(REPORTER, NOW, OURS, ANNE, start=True),
    "stop": messages.application_activity(REPORTER, NOW, OURS, ANNE, start=False),
    "log used": messages.audit_log_used(REPORTER, NOW, [ANNE, OURS], "file:///data/audit"),
    "begin": messages.begin_transferring(REPORTER, NOW, SCANNER, OURS, IMAGES),
    "accessed": messages.instances_accessed(REPORTER, NOW, [OURS], IMAGES),
    "transferred": messages.instances_transferred(REPORTER, NOW, SCANNER, OURS, IMAGES, action="C"),
    "deleted": messages.study_deleted(REPORTER, NOW, [ANNE, OURS], IMAGES),
    "query": messages.query(
        REPORTER, NOW, OURS, SCANNER, FIND, identifier=b"\x08\x00\x52\x00", transfer_syntax_uid=EXPLICIT
    ),
    "alert": messages.security_alert(
        REPORTER,
        Happened(NOW.at, Outcome.MINOR_FAILURE, "association refused"),
        OURS,
        SCANNER,
        kind=facts.NODE_AUTHENTICATION,
    ),
    "model changed": messages.security_changed(
        REPORTER, NOW, [ANNE, OURS], "urn:segnode:model:liver", "model added", kind=facts.SOFTWARE_CONFIGURATION
    ),
    "export": messages.data_moved(REPORTER, NOW, [ANNE, OURS], COPY, "the database of 2 studies", out=True),
    "import": messages.data_moved(REPORTER, NOW, [ANNE, OURS], COPY, "the database of 2 studies", out=False),
    "login": messages.user_authentication(REPORTER, NOW, ANNE, OURS, login=True),
    "logout": messages.user_authentication(REPORTER, NOW, ANNE, OURS, login=False),
    "user changed": messages.security_changed(
        REPORTER, NOW, [ANNE, OURS], "urn:segnode:user:bob", "role viewer", kind=facts.ROLES_CHANGED
    ),
}

# Table: EventID, EventActionCode, EventTypeCode, roles of the participants, objects as (type, role, ID type).
STUDY, PATIENT = ("2", "3", "110180"), ("1", "1", "2")
TABLES: dict[str, tuple[str, str, str | None, list[str | None], list[tuple[str, str, str]]]] = {
    "start": ("110100", "E", "110120", ["110150", "110151"], []),  # A.5.3.1
    "stop": ("110100", "E", "110121", ["110150", "110151"], []),
    "log used": ("110101", "R", None, [None, None], [("2", "13", "12")]),  # A.5.3.2
    "begin": ("110102", "E", None, ["110153", "110152"], [STUDY, PATIENT]),  # A.5.3.3
    "accessed": ("110103", "R", None, [None], [STUDY, PATIENT]),  # A.5.3.6
    "transferred": ("110104", "C", None, ["110153", "110152"], [STUDY, PATIENT]),  # A.5.3.7
    "deleted": ("110105", "D", None, [None, None], [STUDY, PATIENT]),  # A.5.3.8
    "query": ("110112", "E", None, ["110153", "110152"], [("2", "3", "110181")]),  # A.5.3.10
    "alert": ("110113", "E", "110126", [None, None], [("2", "13", "110182")]),  # A.5.3.11
    "user changed": ("110113", "E", "110136", [None, None], [("2", "13", "12")]),
    "model changed": ("110113", "E", "110131", [None, None], [("2", "13", "12")]),
    "export": ("110106", "R", None, ["110153", "110153", "110154"], [PATIENT]),  # A.5.3.4
    "import": ("110107", "C", None, ["110152", "110152", "110155"], [PATIENT]),  # A.5.3.5
    "login": ("110114", "E", "110122", [None, None], []),  # A.5.3.12
    "logout": ("110114", "E", "110123", [None, None], []),
}


def value_of(element: Element | None) -> str | None:
    return None if element is None else element.get("csd-code")


def objects(root: Element) -> list[Element]:
    return root.findall("ParticipantObjectIdentification")


@pytest.mark.parametrize("name", MADE)
def test_each_holds_to_the_schema_and_to_its_table(name: str) -> None:
    root = read(MADE[name])
    event = root.find("EventIdentification")
    assert event is not None
    found = (
        value_of(event.find("EventID")),
        event.get("EventActionCode"),
        value_of(event.find("EventTypeCode")),
        [value_of(participant.find("RoleIDCode")) for participant in root.findall("ActiveParticipant")],
        [
            (
                item.get("ParticipantObjectTypeCode"),
                item.get("ParticipantObjectTypeCodeRole"),
                value_of(item.find("ParticipantObjectIDTypeCode")),
            )
            for item in objects(root)
        ],
    )
    assert found == TABLES[name]


def test_it_says_who_reports_and_when() -> None:
    root = read(MADE["transferred"])
    source = root.find("AuditSourceIdentification")
    assert source is not None
    assert dict(source.items()) == {"AuditEnterpriseSiteID": "Main hospital", "AuditSourceID": "SEGNODE@host"}
    assert value_of(source.find("AuditSourceTypeCode")) == "4"
    event = root.find("EventIdentification")
    assert event is not None
    assert event.get("EventDateTime") == "2025-06-15T15:06:40.250+00:00"
    assert code(event.find("EventID")) == ("110104", "DCM", "DICOM Instances Transferred")


def test_participants_are_told_by_process_person_and_ae_title() -> None:
    scanner, ours = read(MADE["transferred"]).findall("ActiveParticipant")
    assert (scanner.get("AlternativeUserID"), scanner.get("NetworkAccessPointTypeCode")) == ("AETITLES=CT1", "2")
    assert (ours.get("UserID"), ours.get("NetworkAccessPointTypeCode")) == ("4711", "1")
    assert (scanner.get("UserIsRequestor"), ours.get("UserIsRequestor")) == ("true", "false")


def test_images_are_told_by_study_class_and_number_and_patient() -> None:
    study, patient = objects(read(MADE["transferred"]))
    assert study.get("ParticipantObjectID") == "1.2.3"
    (description,) = study.findall("ParticipantObjectDescription")
    assert [dict(item.items()) for item in description] == [
        {"Number": "A1"},
        {"UID": CT, "NumberOfInstances": "3"},
        {"UID": SEG, "NumberOfInstances": "1"},
    ]
    assert patient.get("ParticipantObjectID") == "P-17"
    assert patient.findtext("ParticipantObjectName") == "Doe^Jane"
    assert code(patient.find("ParticipantObjectIDTypeCode")) == ("2", "RFC-3881", "Patient Number")


def test_without_classes_nothing_else_describes_the_study() -> None:
    """SOPClass is required where any other part of the description stands (Table A.5.2-1)."""
    root = read(messages.instances_accessed(REPORTER, NOW, [OURS], Images("1.2.3", accession="A1")))
    assert objects(root)[0].find("ParticipantObjectDescription") is None


def test_data_on_a_medium_is_told_by_its_place_and_amount_without_a_patient() -> None:
    root = read(MADE["export"])
    *_, medium = root.findall("ActiveParticipant")
    assert (medium.get("UserID"), medium.get("UserIsRequestor")) == ("file:///backups/segnode-1", "false")
    assert code(medium.find("MediaIdentifier/MediaType")) == ("110037", "DCM", "URI")
    (patients,) = objects(root)
    assert patients.get("ParticipantObjectID") == patients.findtext("ParticipantObjectName") == "unknown"
    detail = patients.find("ParticipantObjectDetail")
    assert detail is not None
    assert decoded(detail.get("value", "")) == b"the database of 2 studies"


def test_a_query_tells_its_data_set_and_syntax() -> None:
    (asked,) = objects(read(MADE["query"]))
    assert decoded(asked.findtext("ParticipantObjectQuery") or "") == b"\x08\x00\x52\x00"
    detail = asked.find("ParticipantObjectDetail")
    assert detail is not None
    assert (detail.get("type"), decoded(detail.get("value", ""))) == ("TransferSyntax", EXPLICIT.encode())


def test_an_alert_describes_itself() -> None:
    root = read(MADE["alert"])
    detail = objects(root)[0].find("ParticipantObjectDetail")
    assert detail is not None
    assert (detail.get("type"), decoded(detail.get("value", ""))) == ("Alert Description", b"association refused")
    assert root.findtext("EventIdentification/EventOutcomeDescription") == "association refused"


def test_what_a_person_asked_has_a_code_of_ours() -> None:
    root = read(
        messages.instances_accessed(REPORTER, NOW, [ANNE, OURS], IMAGES, action="U", kind=PersonAction.RELEASE)
    )
    assert code(root.find("EventIdentification/EventTypeCode"))[:2] == ("release", "99SEGNODE")


MakeImages = Callable[[str], Images]


@pytest.mark.parametrize(
    "hostile",
    [
        "\x00\x1b[2J\x07",
        '"><script/>]]>&amp;<!--',
        "line\r\nbreak\tand\u2028more",
        "\ud800\ufffe\uffff",
        "M\u00fcller^\u5c71\u7530=\u3084\u307e\u3060",
        " ",
        "",
        "x" * 1_000_000,
    ],
)
def test_texts_of_strangers_break_no_message(hostile: str) -> None:
    images = Images(hostile, hostile, hostile, hostile, {CT: 1})
    who = Participant(hostile, ae_title=hostile, name=hostile, address=hostile.strip() or "10.0.0.1")
    made = messages.instances_transferred(REPORTER, Happened(1.0, reason=hostile), who, who, images, action="C")
    read(made)
    assert len(made) < 32768


def test_the_longest_message_is_taken_by_every_collector() -> None:
    """Collectors support 32768 octets (PS3.15 A.6); four bytes is the longest character."""
    text = "\U00020000" * 1000
    classes = {f"1.2.840.10008.5.1.4.1.1.{number}." + "1" * 30: 10**9 for number in range(500)}
    who = Participant(text, ae_title=text, name=text, address=text)
    images = Images(text, text, text, text, classes)
    event = Happened(1.0, reason=text)
    assert len(messages.instances_transferred(Reporter(text, text), event, who, who, images, action="C")) < 32768
    query = messages.query(
        Reporter(text, text), event, who, who, text, identifier=b"x" * 10**6, transfer_syntax_uid=text
    )
    assert len(query) < 32768
