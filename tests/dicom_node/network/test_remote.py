"""What of a study is not here, by the archive's own lists; only images count, and only what is missing is fetched."""

from contextlib import contextmanager

import pytest
from pydicom import dcmread
from pydicom.uid import ComprehensiveSRStorage, CTImageStorage

from dicom_node.network import remote
from dicom_node.network.peer import Peer
from dicom_node.network.query import InstanceAnswer, Parcel, SeriesAnswer
from dicom_node.network.receive import Receiver
from dicom_node.network.remote import UIDS_AT_ONCE, Answering, Gap, Held, Remote, Survey
from storage.archive import Archive

STUDY, CT, SR = "1.2.3", "1.2.3.1", "1.2.3.2"
PACS = Peer(ae_title="PACS", host="127.0.0.1", port=104)


class Listed:
    """Answers C-FIND from a table: series to (modality, count, {UID: SOP class}); notes which series it lists."""

    def __init__(self, table):
        self.table = table
        self.listed = []

    def series(self, study_uid):
        return [SeriesAnswer(uid, modality, count) for uid, (modality, count, _) in self.table.items()]

    def instances(self, study_uid, series_uid):
        self.listed.append(series_uid)
        return [InstanceAnswer(uid, sop_class) for uid, sop_class in self.table[series_uid][2].items()]


@pytest.fixture
def survey(monkeypatch):
    """`survey(table, held)` compares a table of series with what is here; gives the survey and what was listed."""

    def run(table, held):
        ask = Listed(table)

        @contextmanager
        def asking(peer, aet):
            yield ask

        monkeypatch.setattr(remote, "asking", asking)
        return Remote(PACS, "SEGNODE").survey(STUDY, held), ask.listed

    return run


def images(first, last, series=CT):
    return {f"{series}.{n}": CTImageStorage for n in range(first, last + 1)}


def held(*uids, others=()):
    return Held({CT: set(uids)} if uids else {}, {*uids, *others})


def test_equal_counts_are_believed_without_listing(survey):
    found, listed = survey({CT: ("CT", 3, images(1, 3))}, held(*images(1, 3)))
    assert (found, listed) == (Survey(3), [])


def test_what_is_missing_is_named(survey):
    found, listed = survey({CT: ("CT", 5, images(1, 5))}, held(*images(1, 3)))
    assert (found.expected, found.missing, listed) == (5, 2, [CT])
    assert found.gaps == (Gap(CT, 2, 3, images(4, 5)),)


def test_without_counts_the_instances_are_listed(survey):
    found, listed = survey({CT: ("CT", None, images(1, 3))}, held(*images(1, 3)))
    assert (found, listed) == (Survey(3), [CT])


def test_more_here_than_there_is_no_gap(survey):
    found, _ = survey({CT: ("CT", 2, images(1, 2))}, held(*images(1, 3)))
    assert found == Survey(2)


def test_reports_and_results_that_the_archive_has_gathered_are_no_gap(survey):
    table = {
        CT: ("CT", 4, {**images(1, 3), "2.25.7": ComprehensiveSRStorage}),
        SR: ("SR", 1, {"2.25.8": ComprehensiveSRStorage}),
    }
    assert survey(table, held(*images(1, 3))) == (Survey(3), [CT])


def test_a_conflict_or_a_result_come_back_under_a_series_of_images_is_known(survey):
    table = {CT: ("CT", 4, {**images(1, 3), "2.25.7": CTImageStorage})}
    found, _ = survey(table, held(*images(1, 3), others=("2.25.7",)))
    assert found.missing == 0


def test_an_archive_that_counts_but_does_not_list_is_asked_for_the_series(survey):
    found, _ = survey({CT: ("CT", 5, {})}, held(*images(1, 3)))
    assert found == Survey(5, (Gap(CT, 2, 3),))
    assert found.after(held(*images(1, 4))) == Survey(5, (Gap(CT, 1, 4),))
    assert found.after(held(*images(1, 5))) == Survey(5)


def test_what_has_come_is_a_gap_no_more():
    gap = Survey(5, (Gap(CT, 2, 3, images(4, 5)),))
    left = gap.after(held(*images(1, 4)))
    assert (left.missing, left.gaps[0].sop_class_uids) == (1, images(5, 5))
    assert gap.after(held(*images(1, 5))).gaps == ()


class TestRequests:
    def parcels(self, *gaps):
        return list(remote._parcels(STUDY, gaps))

    def test_a_series_of_which_nothing_is_here_is_asked_for_as_a_whole(self):
        assert self.parcels(Gap(CT, 3, 0, images(1, 3))) == [Parcel(STUDY, CT)]
        assert self.parcels(Gap(CT, 3, 2)) == [Parcel(STUDY, CT)], "so is one that could not be listed"

    def test_of_others_the_instances_are_asked_for_some_at_once(self):
        missing = images(1, UIDS_AT_ONCE + 1)
        first, second = self.parcels(Gap(CT, len(missing), 1, missing))
        assert (len(first.sop_instance_uids), len(second.sop_instance_uids)) == (UIDS_AT_ONCE, 1)


@pytest.mark.peer
def test_what_comes_by_c_get_is_kept_as_sent_by_the_archive_and_marked_fetched(orthanc, ct_series, database, tmp_path):
    orthanc.upload(ct_series)
    orthanc.know("segnode", "SEGNODE", 11112)  # whom it does not know it does not answer
    peer = Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)
    register = Answering(database, peer, "SEGNODE", "test", 30.0)
    there = Remote(peer, "SEGNODE", Receiver(database, Archive(tmp_path / "archive"), register, fetched=True))
    study = str(dcmread(ct_series[0]).StudyInstanceUID)
    found = there.survey(study, Held())
    assert (found.expected, found.missing) == (3, 3)
    assert there.retrieve(study, found, "get", 60.0, lambda _: None).completed == 3
    with database.reading() as tx:
        kept = tx.studies.instances(study_uid=study)
        assert tx.studies.get(study).calling_aets == ("ORTHANC",)
    assert [one.fetched for one in kept] == [True] * 3
