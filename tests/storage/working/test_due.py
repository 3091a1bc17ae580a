"""Moments that a clock which was ahead has written; how it is told is in test_recovery.py."""

from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState
from storage.sql import tables_models
from storage.working.due import LONGEST_TERM_S, QUEUES
from storage.working.handover import LEASED

NOW, BY = 10_000.0, 3600.0
YEARS = 10 * 365 * 86400.0


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


def test_what_the_dead_held_lapses_after_its_term_and_not_in_ten_years(db, job):
    with db.transaction() as tx:
        tx.jobs.claim("infer", NOW + YEARS, 30.0)
        tx.associations.open("a-1", "receive", "CT1", "SEGNODE", "10.0.0.1", NOW + YEARS, 30.0)
        tx.due.earlier(YEARS, NOW)
        assert tx.jobs.get("job-1").lease_until == NOW + 30.0
        assert tx.associations.close_lapsed(NOW + 29.0) == 0
        assert tx.associations.close_lapsed(NOW + 30.0) == 1
        assert [one.job_id for one in tx.jobs.reap(NOW + 30.0)] == ["job-1"]


def test_who_has_renewed_since_keeps_his_term(db, job):
    with db.transaction() as tx:
        tx.jobs.claim("infer", NOW + YEARS, 30.0)
        tx.jobs.renew("job-1", "infer", NOW, LONGEST_TERM_S)
        tx.due.earlier(YEARS, NOW)
        assert tx.jobs.get("job-1").lease_until == NOW + LONGEST_TERM_S


def test_a_failed_sign_in_costs_no_wait_until_the_clock_is_as_late_again(db):
    with db.transaction() as tx:
        tx.sign_ins.failed("ada", NOW + YEARS)
        tx.due.earlier(YEARS, NOW)
        assert tx.sign_ins.failures("ada", NOW) == (1, NOW)
