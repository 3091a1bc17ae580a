"""Our ear: who may ask us to keep, what of it is durable before Success, and what destinations tell."""

import time
from io import BytesIO

import pytest
from commitment_peer import CommitmentPeer, report, request
from one_message import status_of
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.acse import ACSE
from pynetdicom.dimse_primitives import N_ACTION, N_EVENT_REPORT
from pynetdicom.dsutils import encode
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from dicom_node.network import commitment_service
from dicom_node.network.admission import Admittance, Role
from dicom_node.network.commitment_service import CommitmentService
from storage.errors import Unavailable
from storage.lifecycle import CommitmentState
from storage.records import CommitmentReport, Reference

CT = "1.2.840.10008.5.1.4.1.1.2"
ONE, TWO = (CT, "1.2.3.1"), (CT, "1.2.3.2")
UID = "1.2.9"


@pytest.fixture
def service(database):
    return CommitmentService(database, "own", {"CT1"}, clock=lambda: 1000.0)


@pytest.fixture
def ear(listen, service):
    return listen(commitment=service)


@pytest.fixture
def scanner():
    return CommitmentPeer("CT1")


def promise(database):
    with database.reading() as tx:
        return tx.promises.find("CT1", UID)


def refusals(ear):
    return [text for event, text in ear.journal() if event == "refused"]


def encoded(data):
    return BytesIO(encode(data, is_implicit_vr=True, is_little_endian=True))


def say_in_a_storage_context(ear, message) -> int:
    """Send a message of CT1 on an association that was negotiated for CT images alone; the answer's status."""
    return status_of(message, ear.peer, "CT1", build_context(CT, ImplicitVRLittleEndian))


class TestAsked:
    def test_success_is_said_when_the_request_is_kept(self, ear, scanner, database):
        assert scanner.ask(ear.peer, request(UID, [ONE, TWO])) == 0x0000
        kept = promise(database)
        assert (kept.called_aet, kept.received_at) == ("SEGNODE", 1000.0)
        assert kept.instances == (Reference(*ONE), Reference(*TWO))
        assert ear.journal()[0] == ("commitment asked of us", "CT1 asks us to keep 2 instances")

    def test_the_same_request_again_is_kept_once(self, ear, scanner, database):
        for _ in range(2):
            assert scanner.ask(ear.peer, request(UID, [ONE])) == 0x0000
        with database.reading() as tx:
            assert tx.promises.open_of("CT1") == 1

    def test_a_transaction_uid_for_other_instances_is_refused(self, ear, scanner):
        scanner.ask(ear.peer, request(UID, [ONE]))
        assert scanner.ask(ear.peer, request(UID, [TWO])) == 0x0115
        assert "was used before, for other instances" in refusals(ear)[0]

    def test_whoever_we_cannot_call_back_is_refused(self, ear, database):
        assert CommitmentPeer("STRANGER").ask(ear.peer, request(UID, [ONE])) == 0x0124
        assert promise(database) is None
        assert "answered 0x0124: its AE title is under neither peers nor destinations" in refusals(ear)[0]

    def test_too_many_open_requests(self, ear, scanner, monkeypatch):
        monkeypatch.setattr(commitment_service, "MAX_OPEN", 2)
        answers = [scanner.ask(ear.peer, request(f"1.2.{number}", [ONE])) for number in range(3)]
        assert answers == [0x0000, 0x0000, 0x0213]

    def test_what_cannot_be_answered_is_refused(self, ear, scanner):
        assert scanner.ask(ear.peer, request(UID, [])) == 0x0115
        assert scanner.ask(ear.peer, request(UID, [ONE]), action=7) == 0x0123

    def test_a_request_in_the_context_of_another_service_is_refused(self, listen, service, database):
        ear = listen(commitment=service, admission=(Admittance(ae_titles=("CT1",), may=(Role.STORE,)),))
        action = N_ACTION()
        action.ActionTypeID, action.ActionInformation = 1, encoded(request(UID, [ONE]))
        action.RequestedSOPClassUID = StorageCommitmentPushModel
        action.RequestedSOPInstanceUID = StorageCommitmentPushModelInstance
        assert say_in_a_storage_context(ear, action) == 0x0211
        assert promise(database) is None
        assert "its presentation context is none of storage commitment" in refusals(ear)[0]

    def test_without_a_database_there_is_no_success(self, ear, scanner, database, monkeypatch):
        def away(self):
            raise Unavailable("the database does not answer")

        monkeypatch.setattr(type(database), "transaction", away)
        assert scanner.ask(ear.peer, request(UID, [ONE])) == 0x0110

    def test_it_is_off_unless_someone_turns_it_on(self, listen, scanner, database):
        ear = listen()
        assert scanner.ask(ear.peer, request(UID, [ONE])) == 0x0211
        assert promise(database) is None
        assert "commitment.service is off" in refusals(ear)[0]


class TestTold:
    @pytest.fixture
    def transaction(self, database):
        with database.transaction() as tx:
            return tx.commitments.add("pacs", [Reference(*ONE), Reference(*TWO)], 900.0, due_at=9e9)

    @pytest.mark.parametrize("role", [True, False], ids=["as provider", "without a word on its role"])
    def test_a_destination_reports_on_an_association_of_its_own(self, listen, database, transaction, role):
        ear = listen()
        assert CommitmentPeer("PACS").tell(ear.peer, report(transaction, [ONE], {TWO: 0x0112}), role=role) == 0x0000
        with database.reading() as tx:
            found = tx.commitments.find(transaction)
        assert found.report == CommitmentReport(("1.2.3.1",), {"1.2.3.2": 0x0112})
        assert found.state is CommitmentState.PENDING
        assert found.next_attempt_at < 9e9

    def test_a_report_that_is_here_before_we_know_that_the_association_is_accepted(
        self, listen, transaction, monkeypatch
    ):
        accepted = ACSE.send_accept
        monkeypatch.setattr(ACSE, "send_accept", lambda acse: (accepted(acse), time.sleep(0.5)))
        assert CommitmentPeer("PACS").tell(listen().peer, report(transaction, [ONE, TWO])) == 0x0000

    def test_a_report_on_what_we_never_asked(self, listen):
        assert CommitmentPeer("PACS").tell(listen().peer, report("2.25.404", [ONE])) == 0x0115

    def test_a_report_that_is_none(self, listen, transaction):
        assert CommitmentPeer("PACS").tell(listen().peer, report(transaction, [ONE]), event=9) == 0x0113

    def test_a_report_in_the_context_of_another_service_is_not_believed(self, listen, transaction, database):
        event = N_EVENT_REPORT()
        event.EventTypeID, event.EventInformation = 1, encoded(report(transaction, [ONE, TWO]))
        event.AffectedSOPClassUID = StorageCommitmentPushModel
        event.AffectedSOPInstanceUID = StorageCommitmentPushModelInstance
        assert say_in_a_storage_context(listen(), event) == 0x0211
        with database.reading() as tx:
            assert tx.commitments.find(transaction).report is None

    def test_without_a_database_the_destination_tells_again(self, listen, transaction, database, monkeypatch):
        ear = listen()

        def away(self):
            raise Unavailable("the database does not answer")

        monkeypatch.setattr(type(database), "transaction", away)
        assert CommitmentPeer("PACS").tell(ear.peer, report(transaction, [ONE])) == 0x0110
