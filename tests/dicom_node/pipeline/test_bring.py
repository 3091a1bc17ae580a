"""What an archive holds of ours of the same patient is brought, kept and not processed; a stranger's is not used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from asking import PRIORS, journal, recall, study, told
from pydicom.dataset import Dataset
from recalling import WHO, EarlierStudy, FakePacs, changed, earlier_study, store
from turned_clock import Clock

from dicom_node.patient import Patient
from dicom_node.pipeline.complete import Complete
from dicom_node.pipeline.dispatch import Dispatch
from dicom_node.pipeline.recall import Ask
from storage.archive import Archive
from storage.arriving.rejections import Rejection
from storage.database import Database
from storage.lifecycle import JobState, RecallState, StudyState
from storage.records import FetchPurpose, Job, ResultObject


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


class TestFound:
    """An earlier study of the same patient with a result of ours."""

    @pytest.fixture(autouse=True)
    def _settled(self, settle: Callable[..., None]) -> None:
        settle()

    def test_is_brought_and_told_in_slice_order(
        self, database: Database, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        ask.step(1000.0)
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
        self, database: Database, ask: Ask, earlier: EarlierStudy, dispatch: Dispatch
    ) -> None:
        ask.step(1000.0)
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
        self, database: Database, archive: Archive, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        late = earlier.images[-1]
        pacs.keeps = {str(late.SOPInstanceUID)}
        ask.step(1000.0)
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
        self, database: Database, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        renamed = changed(earlier.seg)
        for item in renamed.ContributingEquipmentSequence:
            item.ManufacturerModelName = "a name that proves nothing"
        pacs.held = [*earlier.images, renamed]
        devices = frozenset(str(item.get("DeviceUID")) for item in renamed.ContributingEquipmentSequence)
        replace(ask, device_uids=devices).step(1000.0)
        assert [prior.seg for prior in recall(database).found] == [renamed.SOPInstanceUID]
        assert study(database, earlier.study).state is StudyState.NOT_ROUTED  # type: ignore[union-attr]

    def test_what_this_node_made_once_is_known_by_its_uid(
        self, database: Database, archive: Archive, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        bare = changed(earlier.seg)
        del bare.ContributingEquipmentSequence
        pacs.held = [*earlier.images, bare]
        store(database, archive, earlier.images[0])
        made(database, archive, bare)
        with database.transaction() as tx:
            tx.removals.remove(earlier.study, 400.0)
        ask.step(1000.0)
        assert [prior.seg for prior in recall(database).found] == [bare.SOPInstanceUID]

    def test_what_is_here_is_not_sent_and_a_study_that_was_here_stays_as_it_is(
        self, database: Database, archive: Archive, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        for ds in earlier.images[1:]:
            store(database, archive, ds)
        with database.transaction() as tx:
            tx.studies.move(earlier.study, StudyState.COMPLETE, 20.0)
            tx.studies.move(earlier.study, StudyState.DISPATCHED, 20.0)
        ask.step(1000.0)
        assert pacs.sent == [earlier.seg.SOPInstanceUID, earlier.images[0].SOPInstanceUID]
        assert study(database, earlier.study).state is StudyState.DISPATCHED  # type: ignore[union-attr]
        assert told(database, "kept as prior", earlier.study) == []
        assert len(recall(database).found) == 1

    def test_what_this_node_made_and_holds_is_not_asked_for(
        self, database: Database, archive: Archive, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        store(database, archive, earlier.images[0])
        made(database, archive, earlier.seg)
        ask.step(1000.0)
        assert (pacs.sent, recall(database).found, recall(database).state) == ([], (), RecallState.DONE)

    def test_one_that_was_rejected_is_not_used(
        self, database: Database, ask: Ask, earlier: EarlierStudy
    ) -> None:
        rejected = Rejection(str(earlier.seg.SOPInstanceUID), "2.25.1", earlier.study, "113001", 5.0)
        with database.transaction() as tx:
            tx.rejections.add([rejected])
        ask.step(1000.0)
        assert recall(database).found == ()

    def test_the_newest_of_a_task_takes_the_place_of_the_others(
        self, database: Database, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        newer = [changed(earlier.seg, SeriesDate="20260101", SeriesTime="120000") for _ in range(2)]
        pacs.held += newer
        ask.step(1000.0)
        assert {prior.seg for prior in recall(database).found} == {ds.SOPInstanceUID for ds in newer}
        assert told(database, "priors") == ["1 earlier result found at pacs"], "one in two objects"

    def test_the_probabilities_beside_it_are_no_mask_to_compare_with(
        self, database: Database, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        pixels = earlier.seg.Rows * earlier.seg.Columns * earlier.seg.NumberOfFrames
        form = {"SegmentationType": "FRACTIONAL", "SegmentationFractionalType": "PROBABILITY",
                "MaximumFractionalValue": 255, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}  # fmt: skip
        pacs.held.append(changed(earlier.seg, **form, PixelData=b"\x80" * (pixels + pixels % 2)))
        ask.step(1000.0)
        assert [prior.seg for prior in recall(database).found] == [earlier.seg.SOPInstanceUID]
        assert told(database, "priors") == ["1 earlier result found at pacs"], "and nobody misses them"

    def test_of_many_studies_the_newest_are_brought(
        self, database: Database, archive: Archive, pacs: FakePacs, hand: Clock, tmp_path: Path, earlier: EarlierStudy
    ) -> None:
        others = [earlier_study(tmp_path, f"study {n}", f"2024020{n}") for n in (1, 2, 3)]
        pacs.held += [ds for other in others for ds in other.everything]
        Ask(database, archive, {"pacs": pacs}, "me", 30.0, clock=hand).step(1000.0)
        assert [prior.study for prior in recall(database).found] == [other.study for other in reversed(others)]
        assert study(database, earlier.study) is None

    def test_what_is_not_of_ours_is_not_used(
        self, database: Database, ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        foreign = changed(earlier.seg)
        for item in foreign.ContributingEquipmentSequence:
            item.Manufacturer = "Somebody else"
        pacs.held = [*earlier.images, foreign]
        ask.step(1000.0)
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
        self, database: Database, ask: Ask, pacs: FakePacs, earlier: EarlierStudy,
        spoil: Callable[[Dataset], None], why: str,
    ) -> None:  # fmt: skip
        spoilt = changed(earlier.seg)
        spoil(spoilt)
        pacs.held = [*earlier.images, spoilt]
        ask.step(1000.0)
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
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        settle(PatientBirthDate="19000101")
        ask.step(1000.0)
        assert self.refused(database) == "1 study or object names another patient under this ID at pacs; left out"
        assert (pacs.sent, study(database, earlier.study), recall(database).found) == ([], None, ())

    def test_so_is_an_object_that_contradicts_what_was_answered(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs
    ) -> None:
        settle(PatientBirthDate="19000101")
        pacs.said = Patient(WHO.patient_id)
        ask.step(1000.0)
        assert self.refused(database).startswith("1 study or object names another patient")
        assert recall(database).found == ()
        assert len(pacs.sent) == 1, "the images of a stranger are not brought"
