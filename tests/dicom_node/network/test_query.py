"""Asking: with Orthanc as the archive, and with hand-made ones that misbehave."""

import time
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, CTImageStorage
from pynetdicom.dsutils import decode
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind
from scripted_archive import archive

from dicom_node.errors import Refused, Unreachable
from dicom_node.network import query
from dicom_node.network.peer import Peer
from dicom_node.network.query import asking

STUDY, SERIES = "1.2.3", "1.2.3.1"


@pytest.fixture
def orthanc_settings():
    return {"DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True, "DicomAlwaysAllowGet": True}


@pytest.mark.peer
class TestOrthanc:
    def test_tells_studies_series_and_instances_with_their_counts(self, orthanc, orthanc_peer, ct_series):
        orthanc.upload(ct_series)
        files = [dcmread(path) for path in ct_series]
        study, series = str(files[0].StudyInstanceUID), str(files[0].SeriesInstanceUID)
        with asking(orthanc_peer, "SEGNODE") as ask:
            (found,) = ask.studies(dates="20260102", modality="CT")
            assert ask.studies(dates="20260103", modality="CT") == []
            assert ask.studies(uid=study) == [found]
            (only,) = ask.series(study)
            listed = ask.instances(study, series)
        assert (found.study_instance_uid, found.date, found.modalities) == (study, "20260102", ("CT",))
        assert (found.series, found.instances) == (1, 3)
        assert (only.series_instance_uid, only.modality, only.instances) == (series, "CT", 3)
        assert sorted(one.sop_instance_uid for one in listed) == sorted(file.SOPInstanceUID for file in files)
        assert {one.sop_class_uid for one in listed} == {CTImageStorage}

    def test_tells_the_studies_of_a_patient_and_who_that_is(self, orthanc, orthanc_peer, ct_series):
        orthanc.upload(ct_series)
        first = dcmread(ct_series[0])
        with asking(orthanc_peer, "SEGNODE") as ask:
            (found,) = ask.of_patient(first.PatientID, "20200101-20260102")
            assert ask.of_patient(first.PatientID, "20200101-20260101") == []
            assert ask.of_patient(f"{first.PatientID}0", "20200101-20260102") == []
            (series,) = ask.series(str(first.StudyInstanceUID), maker=True)
        assert (found.study_instance_uid, found.date) == (str(first.StudyInstanceUID), "20260102")
        assert found.patient.patient_id == first.PatientID
        assert first.PatientID not in repr(found)
        assert series.modality == "CT"

    def test_holds_nothing_of_a_study_that_it_does_not_know(self, orthanc_peer):
        with asking(orthanc_peer, "SEGNODE") as ask:
            assert ask.series("1.2.3") == []

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


def test_who_does_not_offer_it_is_not_asked_again():
    with archive() as peer, pytest.raises(Refused, match="does not offer C-FIND"):
        series_of(peer)


def test_a_failure_is_told_in_the_standards_words():
    def busy(event):
        yield 0xA700, None

    with archive(find=busy) as peer, pytest.raises(Unreachable, match="answers the C-FIND with 0xA700: out of res"):
        series_of(peer)


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


@pytest.mark.parametrize(("counts", "known"), [((3, 3), 3), ((3, 5), None), ((None, 3), None)])
def test_a_series_that_is_told_twice_is_one_whose_count_is_known_where_both_agree(counts, known):
    """As an archive tells it that asks other archives; who counts both would miss images that are here."""

    def find(event):
        for count in counts:
            data = Dataset()
            data.SeriesInstanceUID, data.NumberOfSeriesRelatedInstances = SERIES, count
            yield 0xFF00, data

    with archive(find=find) as peer:
        (found,) = series_of(peer)
    assert found.instances == known


def test_a_study_that_is_told_twice_is_one():
    def find(event):
        for _ in range(2):
            data = Dataset()
            data.StudyInstanceUID = STUDY
            yield 0xFF00, data

    with archive(find=find) as peer, asking(peer, "SEGNODE") as ask:
        assert [found.study_instance_uid for found in ask.studies(STUDY)] == [STUDY]


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
