"""Moments that a clock which was ahead has written; how it is told is in test_recovery.py."""

from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState
from storage.sql import tables_models
from storage.working.due import QUEUES
from storage.working.handover import LEASED

NOW, BY = 10_000.0, 3600.0


def test_every_table_of_leased_work_is_a_queue_unless_it_waits_for_no_moment():
    assert {*LEASED} - {*QUEUES} == {tables_models.benches, tables_models.shadows}


def test_what_waits_keeps_its_order_and_its_pause(db, job, make_job):
    with db.transaction() as tx:
        tx.jobs.add(make_job("job-2"))
        first = tx.deliveries.add("job-1", job.study_instance_uid, "pacs", DeliveryState.PENDING, NOW + BY + 40)
        tx.deliveries.add("job-2", job.study_instance_uid, "pacs", DeliveryState.PENDING, NOW + 10)
        assert tx.due.earlier(BY, NOW) == 2
        waits = tx.deliveries.get(first)
        assert (waits.next_attempt_at, waits.queued_at) == (NOW + 40, NOW + 40)
        assert tx.outbox.claim(Sender("pacs"), "deliver", NOW + 50, 30.0).job_id == "job-2"


def test_what_waits_for_a_person_stays_as_it_is(db, job):
    with db.transaction() as tx:
        held = tx.deliveries.add("job-1", job.study_instance_uid, "pacs", DeliveryState.HELD, NOW + BY)
        assert tx.due.earlier(BY, NOW) == 0
        assert tx.deliveries.get(held).next_attempt_at == NOW + BY
