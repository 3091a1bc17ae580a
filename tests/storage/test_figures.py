"""What was done since a moment."""

from storage.figures import Figures
from storage.lifecycle import DeliveryState, JobState
from storage.outbox import Sender


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
