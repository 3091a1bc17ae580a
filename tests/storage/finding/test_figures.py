"""What was done since a moment."""

from storage.finding.figures import Figures, OfModel
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState
from storage.migrations import HEAD


def test_what_came_what_was_made_and_how_long_it_took(db, job):
    with db.transaction() as tx:
        assert tx.figures.since(0.0) == Figures(1, 0, 0, [])
        assert tx.figures.since(102.0) == Figures(0, 0, 0, [])
        tx.jobs.claim("me", 200.0, 60.0)
        tx.jobs.finish(job.job_id, "me", JobState.DONE, 230.0)
        number = tx.deliveries.add(job.job_id, job.study_instance_uid, "pacs", DeliveryState.PENDING, 230.0)
        tx.outbox.claim(Sender("pacs"), "me", 231.0, 60.0)
        tx.deliveries.sent(number, "me", 240.0, {})
        assert tx.figures.since(200.0) == Figures(0, 1, 0, [139.0])
        assert tx.figures.since(241.0) == Figures(0, 0, 0, [])


def test_a_result_that_was_sent_before_a_late_image_has_no_time(db, job):
    with db.transaction() as tx:
        tx.jobs.claim("me", 200.0, 60.0)
        tx.jobs.finish(job.job_id, "me", JobState.DONE, 230.0)
        number = tx.deliveries.add(job.job_id, job.study_instance_uid, "pacs", DeliveryState.PENDING, 230.0)
        tx.outbox.claim(Sender("pacs"), "me", 231.0, 60.0)
        tx.deliveries.sent(number, "me", 240.0, {})
        tx.studies.reopen(job.study_instance_uid, 250.0)
        assert tx.figures.since(200.0) == Figures(0, 1, 0, [])
        assert tx.figures.sent_between(239.0, 240.0) == []


def test_a_result_that_somebody_had_sent_again_or_let_go_later_has_no_time(db, job):
    with db.transaction() as tx:
        tx.jobs.claim("me", 200.0, 60.0)
        tx.jobs.finish(job.job_id, "me", JobState.DONE, 230.0)
        sent, held = (
            tx.deliveries.add(job.job_id, job.study_instance_uid, where, state, 230.0)
            for where, state in (("pacs", DeliveryState.PENDING), ("ward", DeliveryState.HELD))
        )
        tx.outbox.claim(Sender("pacs"), "me", 231.0, 60.0)
        tx.deliveries.sent(sent, "me", 240.0, {})
        tx.deliveries.retry(sent, 432_000.0)
        tx.deliveries.release_held(held, 432_000.0)
        for number, where in ((sent, "pacs"), (held, "ward")):
            tx.outbox.claim(Sender(where), "me", 432_001.0, 60.0)
            tx.deliveries.sent(number, "me", 432_002.0, {})
        assert tx.figures.since(432_000.0).result_s == []
        assert tx.figures.sent_between(432_000.0, 432_010.0) == []


def test_jobs_and_deliveries_by_what_they_are(db, job):
    with db.transaction() as tx:
        tx.deliveries.add(job.job_id, job.study_instance_uid, "pacs", DeliveryState.HELD, 230.0)
        assert tx.figures.jobs() == {("brain", "brain_tumour", "PENDING"): 1}
        assert tx.figures.deliveries() == {("pacs", "HELD"): 1}


def test_jobs_that_wait_for_a_model_that_takes_none_are_told_apart(db, job, make_job):
    kind, closed = ("brain", "brain_tumour"), ["brain_small"]
    with db.transaction() as tx:
        tx.jobs.add(make_job("job-2", model="brain_large"))
        assert tx.figures.jobs(closed, 200.0) == {(*kind, "PENDING"): 1, (*kind, "DISABLED"): 1}
        assert tx.jobs.claim("me", 200.0, 60.0, ["brain_large"]).job_id == job.job_id
        assert tx.figures.jobs(closed, 210.0) == {(*kind, "PENDING"): 2}, "one that runs is ended as it began"
        assert tx.figures.jobs(closed, 260.0) == {(*kind, "PENDING"): 1, (*kind, "DISABLED"): 1}
        assert tx.figures.jobs([*closed, "brain_large"], 260.0) == {(*kind, "DISABLED"): 2}


def test_what_ended_between_two_moments(db, job):
    with db.transaction() as tx:
        tx.jobs.claim("me", 200.0, 60.0)
        tx.jobs.finish(job.job_id, "me", JobState.DONE, 230.0, "", {"seconds": {"read": 1.5}})
        number = tx.deliveries.add(job.job_id, job.study_instance_uid, "pacs", DeliveryState.PENDING, 230.0)
        tx.outbox.claim(Sender("pacs"), "me", 231.0, 60.0)
        tx.deliveries.sent(number, "me", 240.0, {})
        assert tx.figures.done_between(229.0, 230.0) == [("brain_tumour", {"read": 1.5})]
        assert tx.figures.done_between(230.0, 300.0) == []
        assert tx.figures.sent_between(239.0, 240.0) == [("pacs", 139.0)]
        assert tx.figures.sent_between(240.0, 300.0) == []


def test_what_each_model_has_done_and_has_to_do(db, job, make_job):
    with db.transaction() as tx:
        assert tx.figures.models(["brain_small"]) == {"brain_small": OfModel(waiting=1)}
        tx.jobs.claim("me", 200.0, 60.0)
        tx.jobs.finish(job.job_id, "me", JobState.DONE, 230.0)
        tx.jobs.add(make_job("job-2", model="brain_large"))
        tx.jobs.add(make_job("job-3", model="brain_large"))
        asked = tx.figures.models(["brain_small", "brain_large", "new"])
        assert asked == {"brain_small": OfModel(1, 30.0), "brain_large": OfModel(waiting=1), "new": OfModel()}


def test_how_much_there_is_and_of_which_schema(db, job):
    with db.reading() as tx:
        rows, schema = tx.figures.rows(), tx.figures.schema()
    assert (rows["jobs"], rows["studies"], rows["deliveries"]) == (1, 1, 0)
    assert schema == HEAD
