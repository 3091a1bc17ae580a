"""What a study's finished jobs made, and by which names others may speak of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reviewing import FOUND, JOB, Scene

from dicom_node.objects.identity import JobNames
from dicom_node.pipeline.made import made_of
from storage.lifecycle import JobState
from storage.records import ResultObject, StoredFile


@pytest.fixture
def node(scene: Callable[..., Scene]) -> Scene:
    return scene(kinds=("seg", "sr", "summary"))


def test_a_finished_job_has_its_segmentations_and_reports(node: Scene) -> None:
    file, series = StoredFile("other.dcm", 1, "x"), node.ours("seg").ReferencedSeriesSequence[0].SeriesInstanceUID
    with node.database.transaction() as tx:
        tx.results.add(ResultObject("1.2.9.1", "1.2", "1.2.9", JOB, "seg", file, variant="ohif"))
        tx.results.add(ResultObject("1.2.8.1", "1.2", "1.2.8", JOB, "capture", file))
        (made,) = made_of(tx, node.study)
    names = JobNames(JOB)
    assert [one.sop_instance_uid for one in made.segs] == [names.instance("seg")], "in one form"
    assert {one.kind for one in made.reports} == {"sr", "summary"}
    assert made.source["series"] == series
    kinds = ("seg", "sr", "summary")
    assert made.uids == {
        "1.2.9.1", "1.2.9", *map(names.instance, kinds), *map(names.series, kinds),
    }  # fmt: skip


def test_findings_are_called_by_their_tracking_uids(scene: Callable[..., Scene]) -> None:
    known = {"findings": [{"label": "Liver"}, {"label": "Liver tumour 1", "tracking_uid": "1.2.7"}]}
    node = scene(summary=known)
    with node.database.reading() as tx:
        (made,) = made_of(tx, node.study)
    given = JobNames(JOB).tracking("1")
    assert made.labels == {given: "Liver", "1.2.7": "Liver tumour 1"}
    assert made.tracking_uids(person=True) == {given, "1.2.7"}
    assert made.tracking_uids(person=False) == {given}, "a prior's lesions are known to others too"


@pytest.mark.parametrize(
    "changes", [{"state": JobState.FAILED}, {"rejects": "x"}, {"task": "knee"}], ids=["unfinished", "a note", "unknown"]
)
def test_other_jobs_made_nothing(scene: Callable[..., Scene], changes: dict[str, object]) -> None:
    node = scene(**changes)
    with node.database.reading() as tx:
        assert made_of(tx, node.study) == []


def test_the_newest_is_the_last(node: Scene) -> None:
    node.finish(FOUND, "c" * 64, created_at=30.0)
    node.finish(FOUND, "d" * 64, created_at=5.0)
    with node.database.reading() as tx:
        assert [made.job.job_id[0] for made in made_of(tx, node.study)] == ["d", "a", "c"]
