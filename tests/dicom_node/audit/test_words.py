"""Each message in a sentence, without the patient; every code that is written can be looked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicom_node.audit import facts, messages
from dicom_node.audit.facts import Code, Happened, Images, Outcome, Participant, PersonAction, Reporter
from dicom_node.audit.reading import read_message
from dicom_node.audit.words import ACTIONS, OUTCOMES, sentence_of

R, AT = Reporter("SEGNODE@host"), Happened(1.0)
FAILED = Happened(1.0, Outcome.MINOR_FAILURE, "name or password is wrong")
CT1 = Participant("CT1@10.0.0.5", requestor=True, ae_title="CT1", address="10.0.0.5")
US = Participant("77", ae_title="SEGNODE", name="segnode web", address="host")
ADA = Participant("ada", requestor=True, name="ada", address="10.0.0.9")
IMAGES = Images("1.2.3", "4711", "Doe^Jane", "", {"1.2": 1})
MANY = replace(IMAGES, sop_classes={"1.2": 3})
SENTENCES = {
    "CT1 sent 3 instances to segnode web": messages.instances_transferred(R, AT, CT1, US, MANY, action="C"),
    "CT1 could not send 1 instance to segnode web: name or password is wrong": messages.instances_transferred(
        R, FAILED, CT1, US, IMAGES, action="C"
    ),
    "CT1 began to send to segnode web": messages.begin_transferring(R, AT, CT1, US, IMAGES),
    "segnode web read the images for a model": messages.instances_accessed(R, AT, [US], IMAGES),
    "Study looked at by ada": messages.instances_accessed(R, AT, [ADA, US], IMAGES, kind=PersonAction.LOOK),
    "ada: Results of a study that a person brought sent at a person's wish": messages.instances_accessed(
        R, AT, [ADA, US], IMAGES, kind=PersonAction.SEND
    ),
    "ada deleted the study": messages.study_deleted(R, AT, [ADA, US], IMAGES),
    "CT1 asked segnode web by C-FIND": messages.query(
        R, AT, CT1, US, "1.2", identifier=b"", transfer_syntax_uid="1.2"
    ),
    "ada signed in": messages.user_authentication(R, AT, ADA, US, login=True),
    "ada signed out": messages.user_authentication(R, AT, ADA, US, login=False),
    "ada was kept from signing in: name or password is wrong": messages.user_authentication(
        R, FAILED, ADA, US, login=True
    ),
    "ada: user vera: given role admin": messages.security_changed(
        R, AT, [ADA, US], "urn:segnode:user:vera", "given role admin", kind=facts.ROLES_CHANGED
    ),
    "ada: peer pacs changed": messages.security_changed(
        R, AT, [ADA, US], "urn:segnode:peer:pacs", "peer pacs changed", kind=facts.NETWORK_CONFIGURATION
    ),
    "ada: user vera of x: shut out": messages.security_changed(
        R, AT, [ADA, US], "urn:segnode:user:vera%20of%20x", "shut out", kind=facts.USER_CHANGED
    ),
    "ada: a support bundle was written": messages.security_changed(
        R, AT, [ADA, US], "urn:segnode:support-bundle", "a support bundle was written", kind=facts.RESTRICTED_FUNCTION
    ),
    "ada exported the database of 2 studies to file:///b": messages.data_moved(
        R, AT, [ADA, US], Participant("file:///b"), "the database of 2 studies", out=True
    ),
    "ada imported the database of 2 studies from file:///b": messages.data_moved(
        R, AT, [ADA, US], Participant("file:///b"), "the database of 2 studies", out=False
    ),
    "name or password is wrong": messages.security_alert(R, FAILED, US, CT1, kind=facts.NODE_AUTHENTICATION),
    "segnode web was started by ada": messages.application_activity(R, AT, US, ADA, start=True),
    "segnode web stopped": messages.application_activity(R, AT, US, ADA, start=False),
    "ada read the audit trail": messages.audit_log_used(R, AT, [ADA, US], "urn:segnode:audit"),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_who_did_what(sentence: str) -> None:
    assert sentence_of(read_message(SENTENCES[sentence])) == sentence


def test_every_event_that_is_written_can_be_looked_for_by_itself_or_by_its_kinds() -> None:
    typed = {facts.APPLICATION_ACTIVITY, facts.SECURITY_ALERT, facts.USER_AUTHENTICATION}
    never_alone = {facts.APPLICATION, facts.APPLICATION_LAUNCHER, facts.DESTINATION, facts.SOURCE, facts.STUDY_UID,
                   facts.CLASS_UID, facts.NODE_ID, facts.PATIENT_NUMBER, facts.URI, facts.DESTINATION_MEDIA,
                   facts.SOURCE_MEDIA, facts.MEDIA_URI}  # fmt: skip
    codes = {one for one in vars(facts).values() if isinstance(one, Code)} - typed - never_alone
    asked = {one for one in vars(PersonAction).values() if isinstance(one, Code)}
    assert {code.value for code in codes | asked} == set(ACTIONS)


def test_every_outcome_has_a_word() -> None:
    assert set(OUTCOMES) == set(Outcome)
