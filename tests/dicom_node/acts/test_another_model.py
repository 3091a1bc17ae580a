"""Results by another model, by a person's word; dicom_node.pipeline.succession."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dicom_node.acts.another_model import run_with
from dicom_node.assembly import Parts
from dicom_node.pipeline.installed import InstalledModel
from inference.findings import IntendedUse, ModelIdentity
from storage.errors import IllegalStep, NotFound
from storage.lifecycle import DeliveryState, JobState

STUDY = "1.2.3"


def model(name: str = "other", task: str = "liver_tumour") -> InstalledModel:
    identity = ModelIdentity(name, "2", "cd" * 32, "Segnode", IntendedUse.RESEARCH)
    return InstalledModel(name, task, {"kind": "threshold", "lower": 1}, identity)


def test_it_takes_the_place_of_what_there_was(story: Parts) -> None:
    with story.database.transaction() as tx:
        before = tx.jobs.of_study(STUDY)
        assert run_with(tx, 500.0, STUDY, model()) == 1  # the story's four jobs have the same input
        old, new = tx.jobs.of_study(STUDY)[:-1], tx.jobs.of_study(STUDY)[-1]
        assert {job.state for job in old} == {JobState.SUPERSEDED}
        assert (new.state, new.model, new.generation) == (JobState.PENDING, "other", 2)
        assert new.inputs == before[0].inputs
        assert new.parameters["model"] == {"kind": "threshold", "lower": 1}
        assert new.parameters["replaces"] == before[-1].job_id
        states = {one.destination: one.state for one in tx.deliveries.of_study(STUDY)}
        assert states == {"held": DeliveryState.SUPERSEDED, "dead": DeliveryState.SUPERSEDED,
                          "sent": DeliveryState.SENT}


def test_and_back_again_under_another_name(story: Parts) -> None:
    with story.database.transaction() as tx:
        for name in ("one", "two", "one"):
            run_with(tx, 500.0, STUDY, model(name))
        jobs = [job for job in tx.jobs.of_study(STUDY) if job.model == "one"]
        assert len({job.job_id for job in jobs}) == 2
        assert [job.model for job in tx.jobs.list([JobState.PENDING])] == ["one"]


def test_of_jobs_that_are_one_then_it_goes_where_any_of_them_went(story: Parts) -> None:
    with story.database.transaction() as tx:
        first = tx.jobs.of_study(STUDY)[0]
        for number, destination in enumerate(("pacs", "research")):
            parameters = first.parameters | {"destinations": [destination]}
            tx.jobs.add(replace(first, job_id=f"{number}" * 64, route=f"to_{destination}", parameters=parameters))
        assert run_with(tx, 500.0, STUDY, model()) == 1
        new = tx.jobs.of_study(STUDY)[-1]
    assert (new.model, set(new.parameters["destinations"])) == ("other", {"pacs", "research"})


def test_what_cannot_be_is_said(story: Parts) -> None:
    with story.database.transaction() as tx:
        run_with(tx, 500.0, STUDY, model())
        with pytest.raises(IllegalStep, match="has this study already"):
            run_with(tx, 501.0, STUDY, model())
        with pytest.raises(NotFound, match="to a model for brain_tumour"):
            run_with(tx, 501.0, STUDY, model(task="brain_tumour"))
        with pytest.raises(IllegalStep, match="is NOT_ROUTED"):
            run_with(tx, 501.0, "1.2.4", model())


def test_the_old_job_says_who_wanted_that(story: Parts) -> None:
    with story.database.transaction() as tx:
        run_with(tx, 500.0, STUDY, model())
        assert tx.jobs.get("job-0").reason == "a person asked for model other; generation 2 takes its place"


def test_a_disabled_model_is_enabled_first(story: Parts) -> None:
    off = replace(model(), closed="is disabled by ada")
    with story.database.transaction() as tx, pytest.raises(IllegalStep, match="model other is disabled by ada: enable"):
        run_with(tx, 500.0, STUDY, off)
