"""Asking and fetching: with Orthanc as the archive, and with hand-made ones that misbehave."""

import time
from contextlib import contextmanager
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage
from pynetdicom import AE, evt
from pynetdicom.dsutils import decode
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from dicom_node.errors import Refused, Unreachable
from dicom_node.network import query
from dicom_node.network.peer import Peer
from dicom_node.network.query import Brought, Parcel, asking, get, move

STUDY, SERIES = "1.2.3", "1.2.3.1"


@pytest.fixture
def orthanc_settings():
    return {"DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True, "DicomAlwaysAllowGet": True}


@pytest.fixture
def peer(orthanc):
    return Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)


def uids(paths):
    first = dcmread(paths[0])
    return str(first.StudyInstanceUID), str(first.SeriesInstanceUID), [str(dcmread(p).SOPInstanceUID) for p in paths]


@pytest.mark.peer
class TestOrthanc:
    def test_tells_studies_series_and_instances_with_their_counts(self, orthanc, peer, ct_series):
        orthanc.upload(ct_series)
        study, series, instances = uids(ct_series)
        with asking(peer, "SEGNODE") as ask:
            (found,) = ask.studies(dates="20260102", modality="CT")
            assert ask.studies(dates="20260103", modality="CT") == []
            assert ask.studies(uid=study) == [found]
            (only,) = ask.series(study)
            listed = ask.instances(study, series)
        assert (found.study_instance_uid, found.date, found.modalities) == (study, "20260102", ("CT",))
        assert (found.series, found.instances) == (1, 3)
        assert (only.series_instance_uid, only.modality, only.instances) == (series, "CT", 3)
        assert sorted(one.sop_instance_uid for one in listed) == sorted(instances)
        assert {one.sop_class_uid for one in listed} == {CTImageStorage}

    def test_tells_the_studies_of_a_patient_and_who_that_is(self, orthanc, peer, ct_series):
        orthanc.upload(ct_series)
        first = dcmread(ct_series[0])
        with asking(peer, "SEGNODE") as ask:
            (found,) = ask.of_patient(first.PatientID, "20200101-20260102")
            assert ask.of_patient(first.PatientID, "20200101-20260101") == []
            assert ask.of_patient(f"{first.PatientID}0", "20200101-20260102") == []
            (series,) = ask.series(str(first.StudyInstanceUID), maker=True)
        assert (found.study_instance_uid, found.date) == (str(first.StudyInstanceUID), "20260102")
        assert found.patient.patient_id == first.PatientID
        assert first.PatientID not in repr(found)
        assert series.modality == "CT"

    def test_holds_nothing_of_a_study_that_it_does_not_know(self, peer):
        with asking(peer, "SEGNODE") as ask:
            assert ask.series("1.2.3") == []

    def test_sends_whole_series_and_single_instances_by_c_move(self, orthanc, peer, ct_series, listen):
        orthanc.upload(ct_series)
        study, series, instances = uids(ct_series)
        ear = listen()
        orthanc.know("segnode", "SEGNODE", ear.peer.port)
        told = []
        brought = move(peer, "SEGNODE", [Parcel(study, series, tuple(instances[:2]))], 60.0, told.append)
        assert brought == told[-1] == Brought(2, 0)
        assert {one.sop_instance_uid for one in ear.instances(study)} == set(instances[:2])
        assert all(one.fetched for one in ear.instances(study)), "the archive says who asked for them"
        assert move(peer, "SEGNODE", [Parcel(study, series)], 60.0) == Brought(3, 0)
        assert len(ear.instances(study)) == 3

    def test_that_does_not_know_us_sends_nothing(self, orthanc, peer, ct_series):
        orthanc.upload(ct_series)
        study, series, _ = uids(ct_series)
        with pytest.raises((Refused, Unreachable), match=r"answers the C-MOVE with 0x"):
            move(peer, "STRANGER", [Parcel(study, series)], 60.0)

    def test_sends_over_our_own_association_by_c_get(self, orthanc, peer, ct_series):
        orthanc.upload(ct_series)
        study, series, instances = uids(ct_series)
        kept = []

        def store(event):
            kept.append(str(event.request.AffectedSOPInstanceUID))
            return 0x0000

        wanted = [Parcel(study, series, (instances[1],))]
        assert get(peer, "SEGNODE", wanted, ([CTImageStorage], store), 60.0) == Brought(1)
        assert kept == [instances[1]]


@contextmanager
def archive(find=None, move_=None, get_=None):
    """An archive whose answers are generators on the event."""
    entity = AE(ae_title="ARCHIVE")
    entity.add_supported_context(Verification)
    handlers = []
    for model, event, handler in (
        (StudyRootQueryRetrieveInformationModelFind, evt.EVT_C_FIND, find),
        (StudyRootQueryRetrieveInformationModelMove, evt.EVT_C_MOVE, move_),
        (StudyRootQueryRetrieveInformationModelGet, evt.EVT_C_GET, get_),
    ):
        if handler:
            entity.add_supported_context(model)
            handlers.append((event, handler))
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Peer(ae_title="ARCHIVE", host="127.0.0.1", port=server.server_address[1])
    finally:
        entity.shutdown()


def answers(*uids, status=0xFF00, **more):
    def find(event):
        for uid in uids:
            data = Dataset()
            data.SeriesInstanceUID = uid
            for keyword, value in more.items():
                setattr(data, keyword, value)
            yield status, data

    return find


def series_of(peer):
    with asking(peer, "SEGNODE") as ask:
        return ask.series(STUDY)


def test_nobody_there_is_unreachable(free_port):
    with pytest.raises(Unreachable), asking(Peer(ae_title="X", host="127.0.0.1", port=free_port()), "SEGNODE"):
        pass


@pytest.mark.parametrize(
    ("call", "service"),
    [
        (series_of, "C-FIND"),
        (lambda peer: move(peer, "SEGNODE", [Parcel(STUDY, SERIES)], 5.0), "C-MOVE"),
        (lambda peer: get(peer, "SEGNODE", [Parcel(STUDY, SERIES)], ([CTImageStorage], lambda _: 0), 5.0), "C-GET"),
    ],
)
def test_who_does_not_offer_it_is_not_asked_again(call, service):
    with archive() as peer, pytest.raises(Refused, match=f"does not offer {service}"):
        call(peer)


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (0xA700, Unreachable, "out of resources"),
        (0xA900, Refused, "identifier does not match SOP class"),
        (0xC001, Unreachable, "unable to process"),
        (0x0122, Refused, "SOP class not supported"),
    ],
)
def test_a_failure_is_told_in_the_standards_words(code, error, words):
    def find(event):
        yield code, None

    with archive(find=find) as peer, pytest.raises(error, match=f"0x{code:04X}: {words}"):
        series_of(peer)


def test_the_peers_own_words_stand_in_none_of_ours():
    def find(event):
        status = Dataset()
        status.Status, status.ErrorComment = 0xC001, "DOE^JANE is locked"
        yield status, None

    with archive(find=find) as peer, pytest.raises(Unreachable) as told:
        series_of(peer)
    assert str(told.value).endswith("0xC001: unable to process")
    assert told.value.quote == "DOE^JANE is locked"


def test_a_warning_about_optional_keys_is_an_answer_and_missing_counts_are_not_known():
    with archive(find=answers(SERIES, status=0xFF01, Modality="CT")) as peer:
        (found,) = series_of(peer)
    assert (found.series_instance_uid, found.modality, found.instances) == (SERIES, "CT", None)


@pytest.mark.parametrize(("told", "known"), [("17", 17), ("4294967295", None), ("-1", None)])
def test_a_count_that_nobody_can_have_is_not_known(told, known):
    """4294967295 is how a server says -1 that counts without a sign; no database column of ours would hold it."""
    with archive(find=answers(SERIES, NumberOfSeriesRelatedInstances=told)) as peer:
        (found,) = series_of(peer)
    assert found.instances == known


def test_what_is_no_uid_is_left_out():
    with archive(find=answers("../../etc", SERIES, "")) as peer:
        assert [found.series_instance_uid for found in series_of(peer)] == [SERIES]


def test_answers_without_end_are_not_listened_to(monkeypatch):
    monkeypatch.setattr(query, "MAX_ANSWERS", 20)
    many = answers(*(f"1.2.{n}" for n in range(1, 200)))
    with archive(find=many) as peer, pytest.raises(Refused, match="more than 20 answers"):
        series_of(peer)


def test_each_question_is_witnessed_as_it_was_asked():
    heard = []

    def busy(event):
        yield 0xA700, None

    with archive(find=answers(SERIES)) as peer, asking(peer, "SEGNODE", heard.append) as ask:
        ask.series(STUDY)
    with archive(find=busy) as peer, asking(peer, "SEGNODE", heard.append) as ask, pytest.raises(Unreachable):
        ask.series(STUDY)
    well, ill = heard
    sent = decode(BytesIO(well.identifier), *syntax_of(well.transfer_syntax_uid))
    assert (sent.QueryRetrieveLevel, sent.StudyInstanceUID) == ("SERIES", STUDY)
    assert (well.sop_class_uid, well.trouble) == (StudyRootQueryRetrieveInformationModelFind, "")
    assert "0xA700" in ill.trouble
    assert STUDY not in repr(well), "who is asked about may be told by it"


def syntax_of(uid):
    return UID(uid).is_implicit_VR, UID(uid).is_little_endian


@pytest.mark.parametrize("pause_s", [3.0, 0.2], ids=["silent", "one word at a time"])
def test_who_does_not_come_to_an_end_is_left_at_the_limit(pause_s):
    def slow(event):
        for number in range(100):
            time.sleep(pause_s)
            data = Dataset()
            data.SeriesInstanceUID = f"{SERIES}.{number}"
            yield 0xFF00, data
            if event.is_cancelled or not event.assoc.is_established:
                return

    started = time.monotonic()
    with archive(find=slow) as peer, pytest.raises(Unreachable), asking(peer, "SEGNODE", limit_s=1.0) as ask:
        ask.series(STUDY)
    assert time.monotonic() - started < 20


def test_an_id_of_other_letters_is_asked_for_in_its_own():
    asked = []

    def find(event):
        asked.append(event.identifier)
        yield 0x0000, None

    with archive(find=find) as peer, asking(peer, "SEGNODE") as ask:
        assert ask.of_patient("Ä-17", "20250101-20260101") == []
    assert (asked[0].PatientID, asked[0].SpecificCharacterSet) == ("Ä-17", "ISO_IR 192")


def test_an_archive_that_never_ends_sending_is_left_at_the_limit():
    def slow(event):
        yield "127.0.0.1", 1
        yield 1
        time.sleep(4)
        yield 0x0000, None

    started = time.monotonic()
    with archive(move_=slow) as peer, pytest.raises(Unreachable):
        move(peer, "SEGNODE", [Parcel(STUDY, SERIES)], 1.0)
    assert time.monotonic() - started < 10


def test_a_move_to_whom_the_archive_does_not_know_is_refused():
    def unknown(event):
        yield None, None

    with archive(move_=unknown) as peer, pytest.raises(Refused, match="0xA801: move destination unknown"):
        move(peer, "SEGNODE", [Parcel(STUDY, SERIES)], 5.0)


@pytest.mark.parametrize(("code", "error"), [(0xA702, Unreachable), (0xA900, Refused)])
def test_what_cannot_be_sent_of_one_series_keeps_no_other_from_being_asked_for(code, error):
    asked = []

    def fails(event):
        asked.append(str(event.identifier.SeriesInstanceUID))
        if len(asked) == 1:
            yield 1
            yield code, None
        else:
            yield 0

    parcels = [Parcel(STUDY, f"{SERIES}.{number}") for number in (1, 2, 3)]
    with archive(get_=fails) as peer, pytest.raises(error, match=f"0x{code:04X}"):
        get(peer, "SEGNODE", parcels, ([CTImageStorage], lambda _: 0), 20.0)
    assert asked == [parcel.series_instance_uid for parcel in parcels]
