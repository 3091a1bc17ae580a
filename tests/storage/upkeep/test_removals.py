"""What the database tells retention, and how a study leaves it."""

import math

import pytest

from storage.errors import NotFound
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobMark, JobState, StudyState
from storage.records import Arrival, InstanceKind
from storage.retention import JobFacts
from storage.tables import deliveries, studies
from storage.upkeep.removals import Weight

UID = "1.2.826.0.1.1"


@pytest.fixture
def delivered(db, job, make_result, make_job):
    """The study with a job that was delivered and one that failed."""
    with db.transaction() as tx:
        for state in (StudyState.COMPLETE, StudyState.DISPATCHED):
            tx.studies.move(UID, state, 150.0)
        tx.jobs.claim("infer", 200.0, 60.0)
        tx.jobs.finish("job-1", "infer", JobState.DONE, 300.0)
        tx.results.add(make_result())
        number = tx.deliveries.add("job-1", UID, "pacs", DeliveryState.PENDING, 300.0)
        tx.outbox.claim(Sender("pacs"), "deliver", 350.0, 60.0)
        tx.deliveries.sent(number, "deliver", 400.0, {})
        tx.jobs.add(make_job("job-2", route="brain-2"))
        tx.jobs.claim("infer", 400.0, 60.0)
        tx.jobs.finish("job-2", "infer", JobState.FAILED, 410.0, "no memory")
    return UID


def test_the_facts_hold_each_jobs_end_and_deliveries(db, delivered):
    with db.reading() as tx:
        (facts,) = tx.removals.facts(1000.0, (-1.0, ""), 10)
        assert facts == tx.removals.of(UID)
    assert (facts.study_instance_uid, facts.state, facts.changed_at) == (UID, StudyState.DISPATCHED, 101.0)
    assert facts.jobs == {
        "job-1": JobFacts("brain", JobState.DONE, 400.0, [DeliveryState.SENT]),
        "job-2": JobFacts("brain-2", JobState.FAILED, 410.0, []),
    }


def test_a_promise_bars_removal_until_its_day_and_an_awaited_commitment_for_good(db, delivered):
    with db.transaction() as tx:
        assert tx.removals.of(UID).barred_until is None
        tx.promises.keep({"1.2.9": UID}, 5000.0)
        assert tx.removals.of(UID).barred_until == 5000.0
        delivery = tx.deliveries.of_study(UID)[0].delivery_id
        tx.commitments.add("pacs", [], 400.0, due_at=405.0, study_uid=UID, delivery_id=delivery)
        assert tx.removals.of(UID).barred_until == math.inf


def test_the_facts_hold_marks_and_notes(db, delivered, make_job):
    with db.transaction() as tx:
        tx.jobs.mark("job-1", JobMark.STALE)
        tx.jobs.add(make_job("note", rejects="job-1"))
        made = tx.removals.of(UID).jobs
    assert {name: (facts.mark, facts.rejects) for name, facts in made.items()} == {
        "job-1": (JobMark.STALE, False), "job-2": (JobMark.NONE, False), "note": (JobMark.NONE, True)
    }  # fmt: skip


@pytest.mark.parametrize("named", [UID, "1.2.3"])
def test_what_waits_to_be_compared_with_an_image_of_the_study_is_told(db, delivered, make_instance, named):
    first = make_instance()
    with db.transaction() as tx:
        assert not tx.removals.of(UID).unread
        second = make_instance(content="other", study_instance_uid=named, sop_instance_uid=first.sop_instance_uid)
        assert tx.studies.add_instance(second) is Arrival.CONFLICT
        assert tx.removals.of(UID).unread
        tx.versions.mark_read(second)
        assert not tx.removals.of(UID).unread


def test_only_what_rests_and_is_old_enough_is_listed_page_by_page(db, make_instance):
    uids = [f"1.2.{n}" for n in range(5)]
    with db.transaction() as tx:
        for n, uid in enumerate(uids):
            tx.studies.add_instance(make_instance(study_instance_uid=uid, received_at=100.0 + n // 2))
        for uid in uids[:-1]:
            tx.studies.move(uid, StudyState.COMPLETE, 200.0)
            tx.studies.move(uid, StudyState.NOT_ROUTED, 200.0)
    seen, after = [], (-1.0, "")
    with db.reading() as tx:
        assert tx.removals.facts(99.0, after, 10) == []
        while page := tx.removals.facts(101.0, after, 2):
            seen += [facts.study_instance_uid for facts in page]
            after = (page[-1].changed_at, page[-1].study_instance_uid)
    assert seen == uids[:4], "the fifth is still arriving"


def test_a_result_that_came_back_is_one_file(db, delivered, make_instance, make_result):
    back = make_result().file
    with db.transaction() as tx:
        assert tx.removals.weights([UID]) == {UID: Weight(files=2, bytes=6000)}
        tx.studies.add_instance(make_instance(9, sop_instance_uid="2.25.1", file=back))
        assert tx.removals.weights([UID]) == {UID: Weight(files=2, bytes=6000)}
        assert tx.removals.named(UID) == {make_instance().file.path, back.path}


def test_what_leaves_gives_its_files_and_what_stays_names_no_patient(db, delivered, make_instance, make_result):
    with db.transaction() as tx:
        files = tx.removals.remove(UID, 900.0)
    assert {file.path for file in files} == {make_instance().file.path, make_result().file.path}
    with db.reading() as tx:
        left = tx.studies.get(UID)
        assert (left.state, left.images, left.header) == (StudyState.REMOVED, 0, {})
        assert (tx.studies.series(UID), tx.studies.instances(study_uid=UID, conflicts=True)) == ([], [])
        assert [job.job_id for job in tx.jobs.of_study(UID)] == ["job-1"], "a job that made nothing goes too"
        assert [d.state for d in tx.deliveries.of_study(UID)] == [DeliveryState.SENT]
        assert tx.results.has("2.25.1"), "a result that comes back is known for ever"
        assert tx.results.removed("job-1")
        assert [result.removed_at for result in tx.results.of_job("job-1")] == [900.0]
        assert (tx.removals.named(UID), tx.removals.weights([UID])) == (set(), {UID: Weight(0, 0)})


@pytest.mark.parametrize("kind", InstanceKind)
def test_a_removed_study_that_comes_again_begins_anew(db, delivered, make_instance, kind):
    with db.transaction() as tx:
        tx.removals.remove(UID, 900.0)
    with db.transaction() as tx:
        arrived = tx.studies.add_instance(make_instance(received_at=950.0, kind=kind), {"PatientID": "P-1"})
        assert arrived is Arrival.NEW
        again = tx.studies.get(UID)
    images = int(kind is InstanceKind.IMAGE)
    assert (again.state, again.received_at, again.changed_at) == (StudyState.RECEIVING, 950.0, 950.0)
    assert (again.images, again.header, again.generation) == (images, {"PatientID": "P-1"}, 1)


def test_a_result_whose_file_was_removed_may_be_made_again(db, delivered, make_result):
    with db.transaction() as tx:
        tx.removals.remove(UID, 900.0)
        assert tx.results.add(make_result())
        assert not tx.results.add(make_result())
        assert not tx.results.removed("job-1")
        tx.jobs.run_again("job-1", 950.0)
        assert tx.jobs.get("job-1").state is JobState.PENDING
        assert tx.deliveries.forget("job-1") == 1


def test_what_stays_is_said_without_what_the_header_said(db, delivered):
    def without(values):
        return {key: value.replace("Doe", "…") if isinstance(value, str) else value for key, value in values.items()}

    with db.transaction() as tx:
        tx.journal.add(420.0, "verdict", "series description “HEAD Doe”", study=UID, detail={"route": "brain"})
        tx.journal.add(420.0, "verdict", "series description “HEAD Doe”", study="1.2.9")
        tx._connection.execute(deliveries.update().values(reason="pacs answers (no order for Doe)"))
        tx.removals.remove(UID, 900.0, without)
    with db.reading() as tx:
        (told,) = [entry for entry in tx.journal.of_study(UID) if entry.event == "verdict"]
        assert (told.text, told.detail, told.at) == ("series description “HEAD …”", {"route": "brain"}, 420.0)
        assert tx.journal.of_study("1.2.9")[0].text == "series description “HEAD Doe”", "another study's"
        assert tx.deliveries.of_study(UID)[0].reason == "pacs answers (no order for …)"


def test_who_is_not_there_is_told(db):
    with db.reading() as tx, pytest.raises(NotFound):
        tx.removals.of("1.2.3")


def test_holding_files_works_on_every_database(db, delivered):
    with db.transaction() as tx:
        tx.removals.hold_files()
        assert len(tx.removals.named(UID)) == 2
        assert tx.removals.every_study() == [UID]


def test_a_job_that_was_done_once_and_failed_when_it_was_run_again_lets_its_study_go(db, delivered):
    with db.transaction() as tx:
        tx.removals.remove(UID, 500.0)
    with db.transaction() as tx:
        tx.jobs.run_again("job-1", 600.0)
        tx.deliveries.forget("job-1")
        tx.jobs.claim("infer", 600.0, 60.0)
        tx.jobs.finish("job-1", "infer", JobState.FAILED, 610.0, "the model was changed")
    with db.transaction() as tx:
        tx.removals.remove(UID, 700.0)
        assert tx.jobs.find("job-1").state is JobState.FAILED
        assert tx.results.of_job("job-1"), "its UIDs stay known"


def test_whose_a_folder_is_is_known_also_of_what_an_older_release_wrote(db, archive, delivered):
    folder = archive.folder(UID).relative_to(archive.root).as_posix()
    with db.transaction() as tx:
        assert tx.removals.owner(folder) == UID
        assert tx.removals.owner("ab/cd/nobody") is None
        tx._connection.execute(studies.update().values(folder=""))
        assert tx.removals.owner(folder) is None
        assert tx.removals.name_folders() == 1
        assert tx.removals.owner(folder) == UID
        assert tx.removals.name_folders() == 0
