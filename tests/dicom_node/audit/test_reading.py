"""What messages.py writes is read again as the facts that it was made of."""

from __future__ import annotations

import pytest

from dicom_node.audit import facts, messages
from dicom_node.audit.facts import Happened, Images, Outcome, Participant, Reporter
from dicom_node.audit.reading import Party, read_message

REPORTER = Reporter("SEGNODE@host")
CT1 = Participant("CT1@10.0.0.5", requestor=True, ae_title="CT1", address="10.0.0.5")
US = Participant("77", ae_title="SEGNODE", name="segnode receive", address="host")
IMAGES = Images("1.2.3", "4711", "Doe^Jane & Co", "A-1", {"1.2.840.1": 3, "1.2.840.2": 1})


def test_a_transfer() -> None:
    event = Happened(1_700_000_000.25, Outcome.MINOR_FAILURE, "the disk is full")
    told = read_message(messages.instances_transferred(REPORTER, event, CT1, US, IMAGES, action="C"))
    assert (told.at, told.event, told.kind) == (event.at, facts.INSTANCES_TRANSFERRED, None)
    assert (told.outcome, told.reason) == (event.outcome, event.reason)
    assert told.parties == (
        Party("CT1@10.0.0.5", "", "CT1", "10.0.0.5", requestor=True, role=facts.SOURCE.value),
        Party("77", "segnode receive", "SEGNODE", "host", requestor=False, role=facts.DESTINATION.value),
    )
    assert (told.study_uid, told.instances) == ("1.2.3", 4)
    assert told.patient == {"PatientID": "4711", "PatientName": "Doe^Jane & Co", "AccessionNumber": "A-1"}


def test_what_is_not_known_is_empty() -> None:
    told = read_message(messages.instances_accessed(REPORTER, Happened(1.0), [US], Images("")))
    assert (told.study_uid, told.instances, told.patient) == ("", 0, {})


def test_details_are_decoded() -> None:
    text = "vera: given röle admin"
    told = read_message(
        messages.security_changed(REPORTER, Happened(1.0), [US], "urn:x", text, kind=facts.ROLES_CHANGED)
    )
    assert told.kind == facts.ROLES_CHANGED
    assert told.subjects[0].details == (("Alert Description", text),)


def test_people_know_a_party_by_its_name_or_else_its_title() -> None:
    told = read_message(messages.begin_transferring(REPORTER, Happened(1.0), CT1, US, IMAGES))
    assert [str(one) for one in told.parties] == ["CT1", "segnode receive"]


def test_what_is_no_audit_message_is_refused() -> None:
    with pytest.raises(ValueError, match="without EventIdentification"):
        read_message("<AuditMessage/>")
