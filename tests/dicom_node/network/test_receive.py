"""What happens to an instance that is sent to us, with DCMTK as the scanner and hand-made requests for the rest."""

import hashlib
import logging
from io import BytesIO

import numpy as np
import pytest
from mount import unmounted
from one_message import status_of
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    Comprehensive3DSRStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EncapsulatedPDFStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    KeyObjectSelectionDocumentStorage,
    RLELossless,
    SegmentationStorage,
)
from pynetdicom import build_context
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification

from dicom_node.network.acceptor.spool import IN_MEMORY_BYTES
from dicom_node.network.admission import Admittance, Role
from dicom_node.network.client import send
from storage.errors import Unavailable
from storage.files.folder_archive import FolderArchive
from storage.lifecycle import StudyState
from storage.records import InstanceKind

SCANNER = "CT_SCANNER"


def data_set_of(path) -> bytes:
    """The bytes after the file meta information."""
    content = path.read_bytes()
    length = int.from_bytes(content[140:144], "little")
    return content[144 + length :]


def store_raw(ear, data: bytes | None, *, sop_class=CTImageStorage, context=None, instance="1.2.3.4",
              syntax=ExplicitVRLittleEndian):  # fmt: skip
    """Send `data` as it is, under the request's own words, in the context of `sop_class` or another; the status."""
    request = C_STORE()
    request.Priority = 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sop_class, instance
    request.DataSet = BytesIO(data) if data is not None else None
    return status_of(request, ear.peer, SCANNER, build_context(context or sop_class, syntax))


@pytest.mark.peer
def test_bytes_are_kept_as_they_came_and_indexed_by_their_header(listen, ct_series, dcmtk):
    ear = listen()
    done = dcmtk.run("storescu", "-xe", "-aet", SCANNER, "-aec", "SEGNODE", "127.0.0.1", ear.peer.port, *ct_series)
    assert done.returncode == 0, done.stdout
    sent = {dcmread(path).SOPInstanceUID: path for path in ct_series}
    study_uid = dcmread(ct_series[0]).StudyInstanceUID
    kept = ear.instances(study_uid)
    assert {instance.sop_instance_uid for instance in kept} == set(sent)
    for instance in kept:
        assert (instance.kind, instance.transfer_syntax_uid) == (InstanceKind.IMAGE, ExplicitVRLittleEndian)
        content = ear.archive.read(instance.file)
        stored = dcmread(BytesIO(content))
        original = dcmread(sent[instance.sop_instance_uid])
        assert stored == original
        assert stored.file_meta.SourceApplicationEntityTitle == SCANNER
        assert instance.header["ImagePositionPatient"] == list(original.ImagePositionPatient)
    with ear.database.reading() as tx:
        study = tx.studies.get(study_uid)
    assert (study.state, study.images, study.calling_aets) == (StudyState.RECEIVING, 3, (SCANNER,))
    assert study.header["PatientName"] == "Doe^Jane"


def test_the_digest_is_the_data_sets(listen, ct_series):
    ear = listen()
    send(ct_series[:1], ear.peer)
    (instance,) = ear.instances(dcmread(ct_series[0]).StudyInstanceUID)
    assert instance.file.sha256 == hashlib.sha256(data_set_of(ct_series[0])).hexdigest()
    assert data_set_of(ear.archive.path(instance.file)) == data_set_of(ct_series[0])


COMPRESSED = [
    ("dcmcjpeg", ["+e1"], JPEGLosslessSV1, "-xs"),
    ("dcmcjpeg", ["+ee", "+q", "90"], JPEGExtended12Bit, "-xx"),
    ("dcmcrle", [], RLELossless, "-xr"),
    ("dcmcjpls", [], JPEGLSLossless, "-xt"),
    ("dcmconv", ["+ti"], ImplicitVRLittleEndian, "-xi"),
    ("dcmconv", ["+tb"], ExplicitVRBigEndian, "-xb"),
    ("dcmconv", ["+td"], DeflatedExplicitVRLittleEndian, "-xd"),
]


@pytest.mark.peer
@pytest.mark.parametrize(("program", "options", "syntax", "propose"), COMPRESSED, ids=str)
def test_every_syntax_that_dcmtk_writes_is_stored_as_received(
    listen, ct_series, dcmtk, tmp_path, program, options, syntax, propose
):
    made = tmp_path / "made.dcm"
    assert dcmtk.run(program, *options, ct_series[0], made).returncode == 0
    assert dcmread(made).file_meta.TransferSyntaxUID == syntax
    ear = listen()
    done = dcmtk.run("storescu", propose, "-R", "-aec", "SEGNODE", "127.0.0.1", ear.peer.port, made)
    assert done.returncode == 0, done.stdout
    (instance,) = ear.instances(dcmread(made).StudyInstanceUID)
    assert instance.transfer_syntax_uid == syntax
    stored = dcmread(ear.archive.path(instance.file))
    assert stored.file_meta.TransferSyntaxUID == syntax
    if syntax != JPEGExtended12Bit:
        assert np.array_equal(stored.pixel_array, dcmread(ct_series[0]).pixel_array)


@pytest.mark.peer
def test_dcmsend_may_propose_many_contexts_at_once(listen, make_slices, dcmtk, tmp_path):
    plain, other = make_slices(1), make_slices(1)
    small, lossy = tmp_path / "rle.dcm", tmp_path / "lossy.dcm"
    assert dcmtk.run("dcmcrle", other[0], small).returncode == 0
    eight_bit = make_slices(1, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=bytes(1024))
    assert dcmtk.run("dcmcjpeg", "+eb", eight_bit[0], lossy).returncode == 0
    ear = listen()
    done = dcmtk.run("dcmsend", "-dn", "-aec", "SEGNODE", "127.0.0.1", ear.peer.port, *plain, small, lossy)
    assert done.returncode == 0, done.stdout
    syntaxes = [
        ear.instances(dcmread(path).StudyInstanceUID)[0].transfer_syntax_uid for path in (plain[0], small, lossy)
    ]
    assert syntaxes == [ExplicitVRLittleEndian, RLELossless, JPEGBaseline8Bit]


def test_the_same_again_is_success_and_kept_once(listen, ct_series):
    ear = listen()
    for _ in range(2):
        assert {str(status) for status in send(ct_series, ear.peer).values()} == {"0x0000"}
    assert len(ear.instances(dcmread(ct_series[0]).StudyInstanceUID)) == 3
    assert len(ear.files()) == 3


def test_the_same_uid_with_other_content_is_kept_beside_and_journalled(listen, ct_series):
    ear = listen()
    send(ct_series[:1], ear.peer)
    changed = dcmread(ct_series[0])
    changed.PixelData = bytes(len(changed.PixelData))
    changed.save_as(ct_series[0])
    (status,) = send(ct_series[:1], ear.peer).values()
    assert status.stored
    first, second = ear.instances(changed.StudyInstanceUID)
    assert (first.conflict, second.conflict) == (False, True)
    assert [event for event, _ in ear.journal()] == ["conflict"]


def test_what_a_correction_has_replaced_is_success_and_told(listen, ct_series):
    ear = listen()
    send(ct_series[:1], ear.peer)
    original = ct_series[0].read_bytes()
    changed = dcmread(ct_series[0])
    changed.PatientName = "Right^Person"
    changed.save_as(ct_series[0])
    send(ct_series[:1], ear.peer)
    with ear.database.transaction() as tx:
        (new,) = tx.versions.unread(InstanceKind.IMAGE)
        tx.versions.correct(tx.versions.current(new.sop_instance_uid), new, {}, copied=True)
    ct_series[0].write_bytes(original)
    (status,) = send(ct_series[:1], ear.peer).values()
    assert str(status) == "0x0000"
    event, text = ear.journal()[0]
    assert event == "outdated"
    assert "the correction stands" in text


def test_what_is_no_image_is_indexed_as_other(listen, make_slices):
    ear = listen()
    files = make_slices(1, SOPClassUID=EncapsulatedPDFStorage, Modality="DOC")
    send(files, ear.peer)
    (instance,) = ear.instances(dcmread(files[0]).StudyInstanceUID)
    assert instance.kind is InstanceKind.OTHER


@pytest.mark.parametrize(
    ("sop_class", "kind"),
    [
        (CTImageStorage, InstanceKind.RESULT),
        (KeyObjectSelectionDocumentStorage, InstanceKind.RESULT),
        (SegmentationStorage, InstanceKind.SEGMENTATION),
        (Comprehensive3DSRStorage, InstanceKind.REPORT),
    ],
)
def test_an_object_of_our_own_device_is_a_result_unless_it_may_be_a_review_of_one(listen, make_slices, sop_class, kind):
    ear = listen(device_uids=frozenset({"2.25.42"}))
    equipment = Dataset()
    equipment.DeviceUID = "2.25.42"
    files = make_slices(1, SOPClassUID=sop_class, ContributingEquipmentSequence=[equipment])
    send(files, ear.peer)
    (instance,) = ear.instances(dcmread(files[0]).StudyInstanceUID)
    assert instance.kind is kind


def assert_refused(ear, status: int, expected: int, reason: str) -> None:
    assert f"0x{status:04X}" == f"0x{expected:04X}"
    assert ear.files() == []
    ((event, text),) = ear.journal()
    assert event == "refused"
    assert SCANNER in text
    assert reason in text


def test_another_instance_than_announced_is_refused(listen, ct_series):
    ear = listen()
    assert_refused(ear, store_raw(ear, data_set_of(ct_series[0]), instance="1.2.3.99"), 0xA900, "SOP Instance UID")


def test_another_class_than_announced_is_refused(listen, ct_series):
    ear = listen()
    uid = dcmread(ct_series[0]).SOPInstanceUID
    status = store_raw(ear, data_set_of(ct_series[0]), instance=uid, sop_class=Comprehensive3DSRStorage)
    assert_refused(ear, status, 0xA900, "SOP Class UID")


@pytest.mark.parametrize(
    ("may", "context"),
    [((), Verification), ((Role.COMMIT,), StorageCommitmentPushModel), ((Role.STORE,), Comprehensive3DSRStorage)],
)
def test_what_comes_in_the_context_of_another_class_is_refused(listen, ct_series, may, context):
    ear = listen(admission=(Admittance(ae_titles=(SCANNER,), may=may),))
    uid = dcmread(ct_series[0]).SOPInstanceUID
    status = store_raw(ear, data_set_of(ct_series[0]), instance=uid, context=context)
    assert_refused(ear, status, 0x0122, "presentation context")


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
def test_a_missing_identifier_is_refused(listen, ct_series, keyword):
    ear = listen()
    data = dcmread(ct_series[0])
    uid = data.SOPInstanceUID
    delattr(data, keyword)
    data.save_as(ct_series[0])
    status = store_raw(ear, data_set_of(ct_series[0]), instance=uid)
    assert_refused(ear, status, 0xC000, f"no {keyword}")


def test_bytes_that_are_no_data_set_are_refused(listen):
    ear = listen()
    assert_refused(ear, store_raw(ear, b"\xff" * 512), 0xC000, "")


def test_a_full_disk_is_told_and_success_is_not(listen, ct_series, tmp_path):
    ear = listen(archive=FolderArchive(tmp_path / "full", low_water_bytes=2**62))
    uid = dcmread(ct_series[0]).SOPInstanceUID
    assert store_raw(ear, data_set_of(ct_series[0]), instance=uid) == 0xA700
    assert ear.files() == []
    assert ear.journal() == [], "the clock tells it once; a line an instance would be a storm"


def test_what_would_lie_below_a_file_system_that_is_away_is_no_success(listen, ct_series):
    ear = listen()
    with unmounted(ear.archive.root):
        (status,) = send(ct_series[:1], ear.peer).values()
        assert str(status).startswith("0xA700")
    (status,) = send(ct_series[:1], ear.peer).values()
    assert str(status) == "0x0000"


def test_a_large_one_is_answered_too_where_the_archive_cannot_even_tell_its_room(listen, ct_series):
    """Beyond some size it is spooled while it comes in, on a disk that may be gone."""
    ear = listen()
    image = dcmread(ct_series[0])
    image.add_new(0x00091001, "OB", bytes(IN_MEMORY_BYTES))
    image.private_block(0x0009, "ACME", create=True)
    image.save_as(ct_series[0])
    aside = ear.root.with_name("aside")
    ear.root.rename(aside)
    (status,) = send(ct_series[:1], ear.peer).values()
    assert str(status).startswith("0xA700")
    aside.rename(ear.root)
    (status,) = send(ct_series[:1], ear.peer).values()
    assert str(status) == "0x0000"


def test_a_file_that_has_gone_before_its_row_is_committed_is_no_success(listen, ct_series, monkeypatch):
    """Retention may delete the file of the first time while the same object arrives again."""
    ear = listen()
    place = type(ear.archive).place

    def place_and_lose(self, *args):
        placed = place(self, *args)
        self.remove(placed.file)
        return placed

    monkeypatch.setattr(type(ear.archive), "place", place_and_lose)
    uid = dcmread(ct_series[0]).SOPInstanceUID
    assert_refused(ear, store_raw(ear, data_set_of(ct_series[0]), instance=uid), 0xA700, "send it once more")


def test_a_name_that_does_not_become_durable_is_no_success_and_the_next_try_is(listen, ct_series, monkeypatch):
    ear = listen()
    with monkeypatch.context() as patched:
        patched.setattr("storage.archive.Placed.settle", lambda _: fail_as_a_disk_does())
        (status,) = send(ct_series[:1], ear.peer).values()
        assert str(status).startswith("0xA700")
    (status,) = send(ct_series[:1], ear.peer).values()
    assert str(status) == "0x0000"
    (kept,) = ear.instances(dcmread(ct_series[0]).StudyInstanceUID)
    assert data_set_of(ear.archive.path(kept.file)) == data_set_of(ct_series[0])


def fail_as_a_disk_does() -> None:
    raise Unavailable("the archive's disk failed")


def test_a_database_that_does_not_commit_is_told_and_the_next_try_succeeds(listen, ct_series, monkeypatch):
    ear = listen()
    commit = type(ear.database).transaction
    down = True

    def transaction(self):
        if down:
            raise Unavailable("the database does not answer")
        return commit(self)

    monkeypatch.setattr(type(ear.database), "transaction", transaction)
    (status,) = send(ct_series[:1], ear.peer).values()
    assert str(status).startswith("0xA700")
    down = False
    (status,) = send(ct_series[:1], ear.peer).values()
    assert str(status) == "0x0000"
    assert len(ear.instances(dcmread(ct_series[0]).StudyInstanceUID)) == len(ear.files()) == 1


def test_an_unforeseen_fault_is_no_success_and_its_text_is_not_logged(listen, ct_series, monkeypatch, caplog):
    ear = listen()

    def fail(*_):
        raise LookupError("Doe^Jane")

    monkeypatch.setattr(ear.archive, "place", fail)
    with caplog.at_level(logging.DEBUG):
        (status,) = send(ct_series[:1], ear.peer).values()
    assert str(status).startswith("0xC001")
    assert "LookupError" in ear.journal()[0][1]
    assert "Doe" not in caplog.text + str(ear.journal())


def test_nothing_about_the_patient_is_logged(listen, ct_series, caplog):
    ear = listen()
    with caplog.at_level(logging.DEBUG):
        send(ct_series, ear.peer)
        store_raw(ear, data_set_of(ct_series[0]), instance="1.2.3.99")
    for secret in ("Doe", "Jane", "P-17", "19700101"):
        assert secret not in caplog.text
        assert secret not in str(ear.journal())


@pytest.mark.peer
def test_orthanc_sends_by_its_own_job(listen, orthanc, ct_series):
    ear = listen()
    instances = orthanc.upload(ct_series)
    orthanc.know("node", "SEGNODE", ear.peer.port)
    assert orthanc.send("node", instances)["FailedInstancesCount"] == 0
    sent = {dcmread(path).SOPInstanceUID for path in ct_series}
    kept = ear.instances(dcmread(ct_series[0]).StudyInstanceUID)
    assert {instance.sop_instance_uid for instance in kept} == sent
