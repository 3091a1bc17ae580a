"""Storage commitment as a user of the association: who asks, who tells, and what a peer may get wrong."""

from io import BytesIO
from types import SimpleNamespace

import pytest
from commitment_peer import CommitmentPeer, report, request
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance

from dicom_node.errors import CommitmentRefused, NotOffered, Refused, Unreachable
from dicom_node.network.commitment import (
    MAX_REFERENCES,
    ask,
    read_report,
    read_request,
    report_dataset,
    request_dataset,
    tell,
)
from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port
from storage.records import CommitmentReport, Reference

SEG = Reference("1.2.840.10008.5.1.4.1.1.66.4", "2.25.1")
SR = Reference("1.2.840.10008.5.1.4.1.1.88.33", "2.25.2")
UID = "2.25.77"


def encoded(data: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, data)
    return buffer.getvalue()


def event(data: Dataset | bytes | None, kind: int = 1, instance: str = StorageCommitmentPushModelInstance):
    """What pynetdicom hands to a handler, for an N-ACTION and an N-EVENT-REPORT alike."""
    content = data if isinstance(data, bytes | None) else encoded(data)
    information = None if content is None else BytesIO(content)
    asked = SimpleNamespace(
        RequestedSOPInstanceUID=instance, AffectedSOPInstanceUID=instance, ActionTypeID=kind, EventTypeID=kind,
        ActionInformation=information, EventInformation=information,
    )  # fmt: skip
    context = SimpleNamespace(transfer_syntax=ExplicitVRLittleEndian, abstract_syntax=StorageCommitmentPushModel)
    return SimpleNamespace(request=asked, context=context)


def never(*_):
    raise AssertionError("no report was to come")


class TestAsk:
    def test_a_request_is_taken_and_names_every_instance(self):
        with CommitmentPeer() as archive:
            ask(archive.peer, "SEGNODE", UID, [SEG, SR], heard=never, wait_s=0)
            (asked,) = archive.requests
            assert asked.TransactionUID == UID
            assert archive.pairs_of() == [(r.sop_class_uid, r.sop_instance_uid) for r in (SEG, SR)]

    def test_a_report_on_the_same_association_is_heard_and_answered(self):
        heard = []
        with CommitmentPeer(reports_at_once=True) as archive:
            ask(archive.peer, "SEGNODE", UID, [SEG, SR], heard=lambda *told: heard.append(told) or True, wait_s=20)
        assert heard == [(UID, CommitmentReport(("2.25.1", "2.25.2"), {}))]
        assert archive.answers == [0x0000]

    def test_a_report_that_is_not_ours_is_answered_so(self):
        with CommitmentPeer(reports_at_once=True) as archive:
            ask(archive.peer, "SEGNODE", UID, [SEG], heard=lambda *_: False, wait_s=20)
        assert archive.answers == [0x0115]

    def test_a_peer_without_the_service(self):
        with CommitmentPeer(offers=False) as archive, pytest.raises(NotOffered, match="offers no storage commitment"):
            ask(archive.peer, "SEGNODE", UID, [SEG], heard=never, wait_s=0)

    @pytest.mark.parametrize(("status", "error"), [(0x0110, Unreachable), (0x0213, Unreachable), (0x0124, Refused)])
    def test_a_no_for_now_and_a_no_for_good(self, status, error):
        with CommitmentPeer(answer=status) as archive, pytest.raises(error, match=f"0x{status:04X}"):
            ask(archive.peer, "SEGNODE", UID, [SEG], heard=never, wait_s=0)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_nobody_is_there(self):
        nobody = Peer(ae_title="ARCHIVE", host="127.0.0.1", port=free_port())
        with pytest.raises(Unreachable):
            ask(nobody, "SEGNODE", UID, [SEG], heard=never, wait_s=0)


class TestTell:
    def test_all_kept(self):
        with CommitmentPeer("CT1") as scanner:
            tell(scanner.peer, "STORE2", UID, [SEG, SR], CommitmentReport(("2.25.1", "2.25.2")))
        ((kind, told),) = scanner.reports
        assert (kind, told.TransactionUID, "FailedSOPSequence" in told) == (1, UID, False)
        assert [i.ReferencedSOPInstanceUID for i in told.ReferencedSOPSequence] == ["2.25.1", "2.25.2"]
        assert scanner.callers == [("STORE2", "CT1")], "we call under the title that it called us by"

    def test_some_failed(self):
        with CommitmentPeer("CT1") as scanner:
            tell(scanner.peer, "SEGNODE", UID, [SEG, SR], CommitmentReport(("2.25.1",), {"2.25.2": 0x0112}))
        ((kind, told),) = scanner.reports
        (failed,) = told.FailedSOPSequence
        assert (kind, failed.ReferencedSOPInstanceUID, failed.FailureReason) == (2, "2.25.2", 0x0112)

    def test_a_peer_that_takes_no_report(self):
        with CommitmentPeer("CT1", offers=False) as scanner, pytest.raises(NotOffered):
            tell(scanner.peer, "SEGNODE", UID, [SEG], CommitmentReport(("2.25.1",)))

    def test_a_peer_that_cannot_keep_it_now(self):
        with CommitmentPeer("CT1", report_answer=0x0110) as scanner, pytest.raises(Unreachable, match="0x0110"):
            tell(scanner.peer, "SEGNODE", UID, [SEG], CommitmentReport(("2.25.1",)))


class TestRead:
    def test_what_we_write(self):
        assert read_request(event(request_dataset(UID, [SEG, SR]))) == (UID, [SEG, SR])
        some = CommitmentReport(("2.25.1",), {"2.25.2": 0x0119})
        assert read_report(event(report_dataset(UID, [SEG, SR], some), 2)) == (UID, some)

    def test_what_others_write(self):
        seg, sr = (SEG.sop_class_uid, "2.25.1"), (SR.sop_class_uid, "2.25.2")
        assert read_request(event(request(UID, [seg]))) == (UID, [SEG])
        told = read_report(event(report(UID, [], {seg: 0x0112, sr: 0x0110}), 2))
        assert told == (UID, CommitmentReport((), {"2.25.1": 0x0112, "2.25.2": 0x0110}))

    def test_a_reason_that_was_not_said_is_not_to_be_told_on(self):
        data = report_dataset(UID, [SEG], CommitmentReport((), {"2.25.1": 0}))
        assert data.FailedSOPSequence[0].FailureReason == 0x0110

    @pytest.mark.parametrize(
        ("made", "status"),
        [
            (lambda: event(request_dataset(UID, [SEG]), instance="1.2.3"), 0x0112),
            (lambda: event(request_dataset(UID, [SEG]), kind=2), 0x0123),
            (lambda: event(None), 0x0115),
            (lambda: event(b""), 0x0115),
            (lambda: event(b"\x08\x00\x95\x11UI\xff\xff1.2"), 0x0115),
            (lambda: event(request_dataset(UID, [])), 0x0115),
            (lambda: event(request_dataset("not a uid", [SEG])), 0x0115),
            (lambda: event(request_dataset(UID, [Reference(SEG.sop_class_uid, "../../etc")])), 0x0115),
            (lambda: event(request_dataset(UID, [Reference("", "1.2")])), 0x0115),
            (lambda: event(request_dataset(UID, [SEG] * (MAX_REFERENCES + 1))), 0x0213),
            (lambda: event(bytes(5 * 1024 * 1024)), 0x0213),
        ],
        ids=["instance", "action", "nothing", "empty", "garbage", "no instances", "transaction", "path", "class",
             "many", "large"],
    )  # fmt: skip
    def test_a_request_that_cannot_be_answered_is_refused_in_the_standards_words(self, made, status):
        with pytest.raises(CommitmentRefused) as refused:
            read_request(made())
        assert refused.value.status == status

    @pytest.mark.parametrize(
        ("made", "status"),
        [
            (lambda: event(report_dataset(UID, [SEG], CommitmentReport(("2.25.1",))), kind=3), 0x0113),
            (lambda: event(report_dataset(UID, [SEG], CommitmentReport(("2.25.1",))), instance="1.2"), 0x0112),
            (lambda: event(b"\x08\x00"), 0x0115),
        ],
        ids=["event", "instance", "garbage"],
    )
    def test_a_report_that_cannot_be_understood_is_refused(self, made, status):
        with pytest.raises(CommitmentRefused) as refused:
            read_report(made())
        assert refused.value.status == status
