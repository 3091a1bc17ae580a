"""What was made of a study that a person brought: kept back, let go by a person, or by a peer that sends it too.

dicom_node.outgoing, dicom_node.routing.asked
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dispatching import STUDY

from dicom_node.outgoing import KEPT_BACK, Outgoing, kept_back, let_go, send_or_keep
from dicom_node.pipeline.complete import Complete
from dicom_node.pipeline.dispatch import Dispatch
from dicom_node.sources import Source, Sources
from storage.database import Database
from storage.lifecycle import DeliveryState, JobState, StudyState
from storage.records import Job

TO = [Outgoing("pacs"), Outgoing("share", "0badcafe", "it accepts clinical")]


def bring(database: Database, task: str = "") -> None:
    with database.transaction() as tx:
        assert tx.by_hand.take(STUDY, "", task)


def run(database: Database) -> Job:
    """The study's job ends, as the stage would have it."""
    with database.transaction() as tx:
        (job,) = tx.jobs.of_study(STUDY)
        tx.jobs.claim("me", 50.0, 9.0)
        tx.jobs.finish(job.job_id, "me", JobState.DONE, 51.0, summary=kept_back(job, TO))
        send_or_keep(tx, job, TO, 4, 51.0)
        return tx.jobs.get(job.job_id)


def deliveries(database: Database) -> dict[str, tuple[DeliveryState, str]]:
    with database.reading() as tx:
        return {one.destination: (one.state, one.variant) for one in tx.deliveries.of_study(STUDY)}


@pytest.fixture
def scanned(scan: Callable[..., None]) -> None:
    scan(1, 5)


def test_of_a_study_that_a_peer_sent_everything_leaves_at_once(database, dispatch: Dispatch, scanned) -> None:
    dispatch.step(20.0)
    assert KEPT_BACK not in run(database).summary
    assert deliveries(database) == {"pacs": (DeliveryState.PENDING, ""), "share": (DeliveryState.HELD, "0badcafe")}


def test_what_a_person_brought_leaves_when_a_person_says_so_and_once(database, dispatch: Dispatch, scanned) -> None:
    bring(database)
    dispatch.step(20.0)
    assert run(database).parameters["by_hand"]
    assert deliveries(database) == {}
    with database.transaction() as tx:
        assert let_go(tx, STUDY, "a person asked for it", 4, 60.0) == 2
        assert let_go(tx, STUDY, "a person asked for it", 4, 61.0) == 0
        assert [entry.event for entry in tx.journal.of_study(STUDY)][-3:] == ["kept back", "let go", "held"]
    assert deliveries(database) == {"pacs": (DeliveryState.PENDING, ""), "share": (DeliveryState.HELD, "0badcafe")}


def test_let_go_before_its_job_ends_it_leaves_as_every_other(database, dispatch: Dispatch, scanned) -> None:
    bring(database)
    dispatch.step(20.0)
    with database.transaction() as tx:
        assert let_go(tx, STUDY, "a person asked for it", 4, 30.0) == 0
    run(database)
    assert len(deliveries(database)) == 2


@pytest.mark.parametrize(("modality", "leaves"), [("CT", True), ("XX", False)])
def test_when_a_peer_sends_it_too_the_routes_decide(
    database, dispatch: Dispatch, scan: Callable[..., None], modality: str, leaves: bool
) -> None:
    scan(1, 5, Modality=modality)
    bring(database, "liver_tumour")
    dispatch.step(20.0)
    run(database)
    with database.transaction() as tx:
        tx.by_hand.end(STUDY, "a scanner's")
        tx.studies.reopen(STUDY, 60.0)
        tx.studies.move(STUDY, StudyState.COMPLETE, 70.0)
    dispatch.step(71.0)
    assert bool(deliveries(database)) is leaves


def test_a_wanted_task_needs_no_rule_that_fits(database, dispatch: Dispatch, scan: Callable[..., None]) -> None:
    scan(1, 5, Modality="XX")
    dispatch.step(20.0)
    with database.transaction() as tx:
        assert tx.jobs.of_study(STUDY) == []
        assert tx.by_hand.take(STUDY, "", "liver_tumour")
        tx.studies.reopen(STUDY, 30.0)
        tx.studies.move(STUDY, StudyState.COMPLETE, 30.0)
    dispatch.step(31.0)
    with database.reading() as tx:
        assert [job.task for job in tx.jobs.of_study(STUDY)] == ["liver_tumour"]


def test_nobody_is_asked_about_it(database, arrive: Callable[..., None]) -> None:
    arrive(1, 100.0)
    bring(database)
    stage = Complete(database, quiet_s=3600, sources=Sources({"*": Source(peer="pacs")}))
    assert stage.step(101.0)
    with database.reading() as tx:
        assert tx.studies.get(STUDY).state is StudyState.COMPLETE
        assert tx.fetches.find(STUDY) is None
