"""An archive is asked for earlier results before dispatch, with time turned by hand and a PACS in memory.

Covers dicom_node.pipeline.bring and dicom_node.pipeline.settle too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from recalling import WHO, EarlierStudy, FakePacs, changed, earlier_study, store

from dicom_node.errors import Refused, Unreachable
from dicom_node.patient import Patient
from dicom_node.pipeline.complete import Complete
from dicom_node.pipeline.dispatch import Dispatch
from dicom_node.pipeline.fetch import Reconcile
from dicom_node.pipeline.recall import Ask, NotAsked, search_of
from dicom_node.settings_priors import PriorSettings
from storage.archive import Archive
from storage.database import Database
from storage.lifecycle import FetchState, JobState, RecallState, StudyState
from storage.recalls import Recall
from storage.records import (
    FetchPurpose,
    Instance,
    InstanceKind,
    Job,
    JournalEntry,
    ResultObject,
    Study,
    Wanted,
)
from storage.rejections import Rejection

STUDY = "1.2.3"
PRIORS = PriorSettings(archive="pacs", deadline_s=60)
HEADER = {
    "PatientID": WHO.patient_id, "PatientName": WHO.name, "PatientBirthDate": WHO.birth_date, "PatientSex": WHO.sex,
    "StudyDate": "20250401", "StudyTime": "101500",
}  # fmt: skip


@dataclass
class Hand:
    """A clock that is turned by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> EarlierStudy:
    return earlier_study(tmp_path_factory.mktemp("earlier"))


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def pacs(database: Database, archive: Archive, earlier: EarlierStudy) -> FakePacs:
    return FakePacs(database, archive, list(earlier.everything))


@pytest.fixture
def stage(database: Database, archive: Archive, pacs: FakePacs, clock: Hand) -> Ask:
    return Ask(database, archive, {"pacs": pacs}, "me", 30.0, revision=3, clock=clock)


@pytest.fixture
def settle(database: Database, archive: Archive) -> Callable[..., None]:
    """`settle(PatientID=…)` has the new study arrive with this header and become COMPLETE."""

    def run(priors: PriorSettings = PRIORS, **header: str) -> None:
        file = archive.write(STUDY, "1.2.3.1.1", [b"pixels"])
        classes = ("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1", STUDY, "1.2.840.10008.1.2.1")
        image = Instance("1.2.3.1.1", *classes, InstanceKind.IMAGE, file, 990.0, "", {"Modality": "CT"})
        with database.transaction() as tx:
            tx.studies.add_instance(image, HEADER | header)
        assert Complete(database, quiet_s=5.0, priors=priors).step(1000.0)

    return run


def recall(database: Database) -> Recall:
    with database.reading() as tx:
        found = tx.recalls.find(STUDY)
    assert found is not None
    return found


def study(database: Database, uid: str = STUDY) -> Study | None:
    with database.reading() as tx:
        return tx.studies.find(uid)


def journal(database: Database, uid: str = STUDY) -> list[JournalEntry]:
    with database.reading() as tx:
        return list(tx.journal.of_study(uid))


def told(database: Database, event: str, uid: str = STUDY) -> list[str]:
    return [entry.text for entry in journal(database, uid) if entry.event == event]


def made(database: Database, archive: Archive, seg: Dataset) -> None:
    """Let a job of this node have made the segmentation."""
    study = str(seg.StudyInstanceUID)
    job = Job("a" * 64, study, 1, "liver", "liver_tumour", "liver", JobState.DONE, 0, {}, {}, 20.0)
    file = archive.write(study, str(seg.SOPInstanceUID), [b"a file"], ours=True)
    with database.transaction() as tx:
        tx.jobs.add(job)
        tx.results.add(
            ResultObject(str(seg.SOPInstanceUID), str(seg.SOPClassUID), str(seg.SeriesInstanceUID), job.job_id, "seg",
                         file)
        )  # fmt: skip


class TestWaiting:
    """A COMPLETE study is dispatched when its recall has ended, or its deadline is over."""

    def test_the_wish_is_of_the_same_commit(self, database: Database, settle: Callable[..., None]) -> None:
        settle()
        found = recall(database)
        assert (found.state, found.peer, found.deadline) == (RecallState.PENDING, "pacs", 1060.0)
        assert found.policy == {"retrieve": "move", "studies": 3, "years": 5}

    def test_without_an_archive_nobody_is_asked(self, database: Database, settle: Callable[..., None]) -> None:
        settle(priors=PriorSettings())
        with database.reading() as tx:
            assert tx.recalls.find(STUDY) is None

    def test_the_end_of_a_fetch_of_what_is_missing_wants_it_too(
        self, database: Database, arrive: Callable[..., None], clock: Hand
    ) -> None:
        arrive(1, 990.0)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.FETCHING, 1000.0)
            tx.fetches.want(Wanted(STUDY, "gone", FetchPurpose.MISSING, 9.0, 1000.0), 1000.0, over=())
        reconcile = Reconcile(database, {}, FetchPurpose.MISSING, "me", 30.0, priors=PRIORS, clock=clock)
        assert reconcile.step(1000.0)
        assert recall(database).state is RecallState.PENDING

    def test_dispatch_waits_for_its_end(
        self, database: Database, settle: Callable[..., None], stage: Ask, dispatch: Dispatch
    ) -> None:
        settle()
        assert not dispatch.step(1059.0)
        assert stage.step(1000.0)
        assert dispatch.step(1001.0)
        assert not stage.step(1001.0)

    def test_dispatch_does_not_wait_beyond_the_deadline_though_who_asks_hangs(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs, dispatch: Dispatch
    ) -> None:
        settle()
        meanwhile: list[bool] = []
        pacs.while_sending = lambda: meanwhile.extend([dispatch.step(1059.9), dispatch.step(1060.0)])
        stage.step(1000.0)
        assert meanwhile[:2] == [False, True]

    def test_a_study_that_settles_anew_is_not_asked_about_twice(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs, arrive: Callable[..., None]
    ) -> None:
        settle()
        stage.step(1000.0)
        arrive(2, 1010.0)
        assert Complete(database, quiet_s=5.0, priors=PRIORS).step(1020.0)
        assert not stage.step(1020.0)
        assert (recall(database).state, len(recall(database).found)) == (RecallState.DONE, 1)


class TestFound:
    """An earlier study of the same patient with a result of ours."""

    @pytest.fixture(autouse=True)
    def _settled(self, settle: Callable[..., None]) -> None:
        settle()

    def test_is_brought_and_told_in_slice_order(
        self, database: Database, stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        stage.step(1000.0)
        (prior,) = recall(database).found
        assert (prior.study, prior.seg, prior.task, prior.taken) == (
            earlier.study, earlier.seg.SOPInstanceUID, "liver_tumour", "20240105",
        )  # fmt: skip
        assert prior.series == earlier.images[0].SeriesInstanceUID
        assert list(prior.instances) == [ds.SOPInstanceUID for ds in earlier.images]
        assert prior.made == f"{earlier.seg.SeriesDate}{earlier.seg.SeriesTime}"
        assert recall(database).state is RecallState.DONE
        assert told(database, "priors") == ["1 earlier result found at pacs"]
        assert pacs.sent[0] == earlier.seg.SOPInstanceUID, "first what is ours, then what it was made of"
        assert sorted(pacs.sent) == sorted(ds.SOPInstanceUID for ds in earlier.everything)

    def test_is_kept_and_nothing_is_made_of_it(
        self, database: Database, stage: Ask, earlier: EarlierStudy, dispatch: Dispatch
    ) -> None:
        stage.step(1000.0)
        found = study(database, earlier.study)
        assert found is not None
        assert (found.state, found.images) == (StudyState.NOT_ROUTED, len(earlier.images))
        assert told(database, "kept as prior", earlier.study) == [
            "kept as a prior of another study; it is not routed"
        ]
        assert not Complete(database, quiet_s=0.1, priors=PRIORS).step(1e6)
        while dispatch.step(2000.0):
            pass
        with database.reading() as tx:
            assert tx.jobs.of_study(earlier.study) == []
            assert tx.fetches.find(earlier.study).purpose is FetchPurpose.PRIOR  # type: ignore[union-attr]

    def test_what_still_comes_after_the_end_opens_nothing(
        self, database: Database, archive: Archive, stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        late = earlier.images[-1]
        pacs.keeps = {str(late.SOPInstanceUID)}
        stage.step(1000.0)
        assert recall(database).found == ()
        (text,) = told(database, "priors")
        number = len(earlier.images)
        lacks = f"pacs has not sent 1 of the {number} images that it was made of"
        assert text == f"no earlier results found at pacs; left out: {lacks}"
        store(database, archive, late, fetched=True)
        found = study(database, earlier.study)
        assert found is not None
        assert (found.state, found.images) == (StudyState.NOT_ROUTED, number)

    def test_of_an_installed_model_it_is_known_by_its_device(
        self, database: Database, stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        renamed = changed(earlier.seg)
        for item in renamed.ContributingEquipmentSequence:
            item.ManufacturerModelName = "a name that proves nothing"
        pacs.held = [*earlier.images, renamed]
        devices = frozenset(str(item.get("DeviceUID")) for item in renamed.ContributingEquipmentSequence)
        replace(stage, device_uids=devices).step(1000.0)
        assert [prior.seg for prior in recall(database).found] == [renamed.SOPInstanceUID]
        assert study(database, earlier.study).state is StudyState.NOT_ROUTED  # type: ignore[union-attr]

    def test_what_this_node_made_once_is_known_by_its_uid(
        self, database: Database, archive: Archive, stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        bare = changed(earlier.seg)
        del bare.ContributingEquipmentSequence
        pacs.held = [*earlier.images, bare]
        store(database, archive, earlier.images[0])
        made(database, archive, bare)
        with database.transaction() as tx:
            tx.removals.remove(earlier.study, 400.0)
        stage.step(1000.0)
        assert [prior.seg for prior in recall(database).found] == [bare.SOPInstanceUID]

    def test_what_is_here_is_not_sent_and_a_study_that_was_here_stays_as_it_is(
        self, database: Database, archive: Archive, stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        for ds in earlier.images[1:]:
            store(database, archive, ds)
        with database.transaction() as tx:
            tx.studies.move(earlier.study, StudyState.COMPLETE, 20.0)
            tx.studies.move(earlier.study, StudyState.DISPATCHED, 20.0)
        stage.step(1000.0)
        assert pacs.sent == [earlier.seg.SOPInstanceUID, earlier.images[0].SOPInstanceUID]
        assert study(database, earlier.study).state is StudyState.DISPATCHED  # type: ignore[union-attr]
        assert told(database, "kept as prior", earlier.study) == []
        assert len(recall(database).found) == 1

    def test_what_this_node_made_and_holds_is_not_asked_for(
        self, database: Database, archive: Archive, stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        store(database, archive, earlier.images[0])
        made(database, archive, earlier.seg)
        stage.step(1000.0)
        assert (pacs.sent, recall(database).found, recall(database).state) == ([], (), RecallState.DONE)

    def test_one_that_was_rejected_is_not_used(
        self, database: Database, stage: Ask, earlier: EarlierStudy
    ) -> None:
        rejected = Rejection(str(earlier.seg.SOPInstanceUID), "2.25.1", earlier.study, "113001", 5.0)
        with database.transaction() as tx:
            tx.rejections.add([rejected])
        stage.step(1000.0)
        assert recall(database).found == ()

    def test_the_newest_of_a_task_takes_the_place_of_the_others(
        self, database: Database, stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        newer = [changed(earlier.seg, SeriesDate="20260101", SeriesTime="120000") for _ in range(2)]
        pacs.held += newer
        stage.step(1000.0)
        assert {prior.seg for prior in recall(database).found} == {ds.SOPInstanceUID for ds in newer}
        assert told(database, "priors") == ["1 earlier result found at pacs"], "one in two objects"

    def test_of_many_studies_the_newest_are_brought(
        self, database: Database, archive: Archive, pacs: FakePacs, clock: Hand, tmp_path: Path, earlier: EarlierStudy
    ) -> None:
        others = [earlier_study(tmp_path, f"study {n}", f"2024020{n}") for n in (1, 2, 3)]
        pacs.held += [ds for other in others for ds in other.everything]
        Ask(database, archive, {"pacs": pacs}, "me", 30.0, clock=clock).step(1000.0)
        assert [prior.study for prior in recall(database).found] == [other.study for other in reversed(others)]
        assert study(database, earlier.study) is None

    def test_what_is_not_of_ours_is_not_used(
        self, database: Database, stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        foreign = changed(earlier.seg)
        for item in foreign.ContributingEquipmentSequence:
            item.Manufacturer = "Somebody else"
        pacs.held = [*earlier.images, foreign]
        stage.step(1000.0)
        assert (recall(database).found, pacs.sent) == ((), [foreign.SOPInstanceUID])
        assert told(database, "priors") == ["no earlier results found at pacs"]

    @pytest.mark.parametrize(
        ("spoil", "why"),
        [
            (lambda seg: setattr(seg.SegmentSequence[0], "SegmentAlgorithmType", "MANUAL"), "a person has had a hand"),
            (lambda seg: setattr(seg, "SegmentationType", "OTHER"), "it is neither"),
            (lambda seg: setattr(seg.ReferencedSeriesSequence[0], "SeriesInstanceUID", "1.9"), "it was made of 0"),
        ],
        ids=["corrected by a reader", "no mask", "of no series that is known"],
    )
    def test_what_cannot_be_used_is_told_with_the_reason(
        self, database: Database, stage: Ask, pacs: FakePacs, earlier: EarlierStudy,
        spoil: Callable[[Dataset], None], why: str,
    ) -> None:  # fmt: skip
        spoilt = changed(earlier.seg)
        spoil(spoilt)
        pacs.held = [*earlier.images, spoilt]
        stage.step(1000.0)
        (text,) = told(database, "priors")
        assert f"left out: {why}" in text
        assert recall(database).found == ()


class TestStrangers:
    """Two people may bear one ID."""

    def refused(self, database: Database) -> str:
        (text,) = told(database, "prior refused")
        texts = " ".join(entry.text for entry in journal(database))
        assert not any(value in texts for value in (WHO.patient_id, WHO.birth_date, "Roentgen", "19000101"))
        return text

    def test_an_answer_that_names_another_birth_date_is_left_out(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        settle(PatientBirthDate="19000101")
        stage.step(1000.0)
        assert self.refused(database) == "1 study or object names another patient under this ID at pacs; left out"
        assert (pacs.sent, study(database, earlier.study), recall(database).found) == ([], None, ())

    def test_so_is_an_object_that_contradicts_what_was_answered(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs
    ) -> None:
        settle(PatientBirthDate="19000101")
        pacs.said = Patient(WHO.patient_id)
        stage.step(1000.0)
        assert self.refused(database).startswith("1 study or object names another patient")
        assert recall(database).found == ()
        assert len(pacs.sent) == 1, "the images of a stranger are not brought"


class TestInVain:
    def test_a_silent_archive_is_asked_again_until_the_deadline(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs, clock: Hand
    ) -> None:
        settle()
        pacs.error = Unreachable("pacs cannot be reached")
        tried = []
        while clock.now < 1070.0:
            if stage.step(clock.now):
                tried.append(clock.now)
            clock.now += 1.0
        assert tried == [1000.0, 1005.0, 1015.0, 1035.0, 1060.0]
        assert len(pacs.searches) == 4, "at the deadline nobody is asked any more"
        assert recall(database).state is RecallState.GIVEN_UP
        assert told(database, "priors given up") == [
            "waited 60 s for earlier results from pacs, 5 attempts: pacs cannot be reached"
        ]

    def test_one_that_refuses_is_not_asked_again(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs
    ) -> None:
        settle()
        pacs.error = Refused(f"pacs answers 0xA900: no {WHO.patient_id}, born {WHO.birth_date}")
        stage.step(1000.0)
        assert recall(database).state is RecallState.GIVEN_UP
        assert told(database, "priors given up") == [
            "earlier results could not be asked for: pacs answers 0xA900: no …, born …"
        ], "a peer may quote the patient; we do not"

    def test_what_has_come_counts_although_the_rest_does_not_come(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs, clock: Hand,
        tmp_path: Path, earlier: EarlierStudy,
    ) -> None:  # fmt: skip
        settle()
        older = earlier_study(tmp_path, "older", "20230101")
        pacs.held += older.everything

        def fail_from_now_on() -> None:
            if study(database, earlier.study) is not None and len(pacs.sent) > len(earlier.images):
                pacs.silent_retrieval = Unreachable("pacs is gone")

        pacs.while_sending = fail_from_now_on
        stage.step(1000.0)
        assert (recall(database).state, recall(database).reason) == (RecallState.PENDING, "pacs is gone")
        assert [prior.study for prior in recall(database).found] == [earlier.study]
        pacs.error, clock.now = Unreachable("pacs is gone"), 1050.0
        stage.step(1050.0)
        clock.now = 1060.0
        stage.step(1060.0)
        (text,) = told(database, "priors given up")
        assert text.endswith("pacs is gone; 1 earlier result found at pacs")
        assert [prior.study for prior in recall(database).found] == [earlier.study]

    @pytest.mark.parametrize(
        ("takes_s", "state", "text"),
        [
            (29.9, RecallState.DONE, ""),
            (
                40.0,
                RecallState.GIVEN_UP,
                "waited 60 s for earlier results from pacs, 1 attempts: they came after that",
            ),
        ],
        ids=["in time", "too late"],
    )
    def test_what_comes_after_the_deadline_is_told_to_be_late(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs, clock: Hand,
        takes_s: float, state: RecallState, text: str,
    ) -> None:  # fmt: skip
        settle()

        def dawdle() -> None:
            clock.now += takes_s

        pacs.while_sending = dawdle
        stage.step(1000.0)
        found = "1 earlier result found at pacs"
        assert (recall(database).state, recall(database).reason) == (state, f"{text}; {found}" if text else found)

    def test_time_that_is_over_on_the_way_ends_it(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs, clock: Hand
    ) -> None:
        settle()

        def dawdle() -> None:
            clock.now += 70.0

        pacs.while_sending = dawdle
        stage.step(1000.0)
        assert recall(database).state is RecallState.GIVEN_UP
        assert "pacs was not asked for everything in time" in recall(database).reason

    @pytest.mark.parametrize(
        ("header", "why"),
        [
            ({"PatientID": ""}, "the study has no patient ID"),
            ({"PatientBirthDate": ""}, "the study has no birth date"),
            ({"PatientID": "P*"}, "the study's patient ID cannot be asked for"),
            ({"PatientID": "P\\Q"}, "the study's patient ID cannot be asked for"),
            ({"PatientID": "P" * 65}, "the study's patient ID cannot be asked for"),
            ({"StudyDate": ""}, "the study has no date"),
        ],
    )
    def test_a_study_that_does_not_say_whose_or_when_it_is_is_not_asked_about(
        self, database: Database, settle: Callable[..., None], stage: Ask, pacs: FakePacs, header: Any, why: str
    ) -> None:
        settle(**header)
        stage.step(1000.0)
        assert (recall(database).state, pacs.searches) == (RecallState.GIVEN_UP, [])
        assert told(database, "priors given up") == [f"earlier results could not be asked for: {why}"]

    def test_an_archive_that_is_configured_no_more_is_told(
        self, database: Database, archive: Archive, settle: Callable[..., None], clock: Hand
    ) -> None:
        settle()
        Ask(database, archive, {}, "me", 30.0, clock=clock).step(1000.0)
        assert recall(database).reason.endswith("no peer pacs is configured any more")


@pytest.mark.parametrize(
    ("date", "first"), [("20250401", "20200401"), ("20240229", "20190228"), ("00030101", "00010101")]
)
def test_years_are_counted_back_from_the_study(date: str, first: str) -> None:
    new = Study(STUDY, StudyState.COMPLETE, 1, 0.0, 0.0, (), 1, HEADER | {"StudyDate": date, "StudyTime": "101500.25"})
    search = search_of(new, 5)
    assert (search.first, search.last, search.time) == (first, date, "101500")
    assert WHO.patient_id not in repr(search)
    with pytest.raises(NotAsked):
        search_of(replace(new, header={}), 5)


def test_a_fetch_that_has_ended_is_begun_anew_by_who_wants_the_prior_itself(database: Database) -> None:
    with database.transaction() as tx:
        tx.fetches.mark_prior("1.2.9", "pacs", 5.0)
        assert tx.fetches.want(Wanted("1.2.9", "pacs", FetchPurpose.PROCESS, 9.0, 5.0), 5.0, over=(FetchState.DONE,))
