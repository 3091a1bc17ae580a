"""The queue: who gets which job, what a lease protects, how a job ends."""

import threading
from dataclasses import replace

import pytest

from storage.errors import IllegalStep, LeaseLost, NotFound, StorageError
from storage.lifecycle import DeliveryState, JobMark, JobState
from storage.records import Job

TERM = 60.0


@pytest.fixture
def queue(db, study, make_job):
    """Queue jobs by name, priority and time."""

    def fill(*jobs):
        with db.transaction() as tx:
            for name, priority, at in jobs:
                tx.jobs.add(make_job(name, priority=priority, created_at=at))

    return fill


def claim(db, owner="a", now=1000.0):
    with db.transaction() as tx:
        return tx.jobs.claim(owner, now, TERM)


def look(db, job_id="job-1"):
    with db.reading() as tx:
        return tx.jobs.get(job_id)


def finish(db, state=JobState.DONE, owner="a", job_id="job-1", now=1010.0, **more):
    with db.transaction() as tx:
        tx.jobs.finish(job_id, owner, state, now, **more)


def test_a_job_comes_back_as_it_was_queued(db, job):
    assert look(db) == job


def test_a_job_that_exists_is_not_queued_twice(db, job, make_job):
    claim(db)
    finish(db)
    with db.transaction() as tx:
        assert not tx.jobs.add(make_job(priority=9))
    assert (look(db).state, look(db).priority) == (JobState.DONE, 0)


def test_a_job_needs_its_study(db, make_job):
    with pytest.raises(StorageError), db.transaction() as tx:
        tx.jobs.add(make_job(study_instance_uid="1.2.3"))


def test_get_names_what_is_missing_and_find_gives_none(db):
    with db.reading() as tx:
        assert tx.jobs.find("nothing") is None
        with pytest.raises(NotFound, match="nothing"):
            tx.jobs.get("nothing")


def test_claim_takes_the_highest_priority_then_the_oldest(db, queue):
    queue(("late", 0, 30.0), ("early", 0, 10.0), ("urgent", 5, 40.0), ("also urgent", 5, 50.0))
    assert [claim(db).job_id for _ in range(4)] == ["urgent", "also urgent", "early", "late"]
    assert claim(db) is None


def test_the_last_ones_are_claimed_where_no_other_waits(db, queue):
    queue(("late", 0, 30.0), ("early", 0, 10.0), ("urgent", 5, 40.0))
    with db.transaction() as tx:
        taken = [tx.jobs.claim("a", 1000.0, 60.0, last=["urgent", "early"]).job_id for _ in range(3)]
    assert taken == ["late", "urgent", "early"]


def test_claim_leases_and_counts(db, job):
    claimed = claim(db, "a", 1000.0)
    assert claimed == replace(job, attempts=1, started_at=1000.0, lease_owner="a", lease_until=1060.0)
    assert look(db) == claimed


def test_waiting_tells_whether_a_claim_would_find_one(db, job):
    def waiting(now):
        with db.reading() as tx:
            return tx.jobs.waiting(now)

    assert waiting(1000.0)
    claim(db)
    assert not waiting(1000.0)
    assert waiting(1060.0), "the lease has run out"


def test_one_job_goes_to_one_of_many_claimants(db, queue):
    queue(*((f"job-{n}", 0, float(n)) for n in range(6)))
    got = []

    def work(owner):
        while (job := claim(db, owner)) is not None:
            got.append(job.job_id)

    threads = [threading.Thread(target=work, args=(f"owner-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [f"job-{n}" for n in range(6)]


def test_renew_extends_and_tells_how_far_it_is(db, job):
    claim(db)
    with db.transaction() as tx:
        tx.jobs.renew("job-1", "a", 1050.0, TERM, progress=0.5, step="network")
        tx.jobs.renew("job-1", "a", 1055.0, TERM)
    found = look(db)
    assert (found.lease_until, found.progress, found.step) == (1115.0, 0.5, "network")


def test_done_keeps_the_summary_and_lets_go(db, job):
    claim(db)
    finish(db, summary={"seconds": {"network": 4.5}})
    found = look(db)
    assert (found.state, found.finished_at, found.progress) == (JobState.DONE, 1010.0, 1.0)
    assert found.summary == {"seconds": {"network": 4.5}}
    assert (found.lease_owner, found.lease_until) == (None, None)


@pytest.mark.parametrize("state", [JobState.REFUSED, JobState.FAILED])
def test_a_job_that_ends_badly_keeps_its_reason(db, job, state):
    claim(db)
    finish(db, state, reason="no lungs in the images")
    assert (look(db).state, look(db).reason) == (state, "no lungs in the images")


def test_a_job_cannot_finish_as_pending(db, job):
    claim(db)
    with pytest.raises(IllegalStep):
        finish(db, JobState.PENDING)


STEPS_OF_AN_OWNER = {
    "renew": lambda jobs: jobs.renew("job-1", "a", 1070.0, TERM),
    "finish": lambda jobs: jobs.finish("job-1", "a", JobState.DONE, 1070.0),
    "release": lambda jobs: jobs.release("job-1", "a", crashed=False),
}


@pytest.mark.parametrize("step", list(STEPS_OF_AN_OWNER.values()), ids=list(STEPS_OF_AN_OWNER))
class TestALostLease:
    """Whoever lost the lease may not change the job any more."""

    def assert_refused(self, db, step):
        before = look(db)
        with pytest.raises(LeaseLost, match="job-1"), db.transaction() as tx:
            step(tx.jobs)
        assert look(db) == before

    def test_taken_over(self, db, job, step):
        claim(db, "a", 1000.0)
        assert claim(db, "b", 1060.0).lease_owner == "b"
        self.assert_refused(db, step)

    def test_reaped(self, db, job, step):
        claim(db, "a", 1000.0)
        with db.transaction() as tx:
            tx.jobs.reap(1060.0)
        self.assert_refused(db, step)

    def test_superseded(self, db, job, step):
        claim(db, "a", 1000.0)
        with db.transaction() as tx:
            tx.jobs.supersede("job-1", 1010.0, "late images")
        self.assert_refused(db, step)

    def test_ended(self, db, job, step):
        claim(db, "a", 1000.0)
        finish(db)
        self.assert_refused(db, step)


def test_an_owner_that_is_late_but_alone_still_holds_its_job(db, job):
    claim(db, "a", 1000.0)
    finish(db, now=1100.0)
    assert look(db).state is JobState.DONE


@pytest.mark.parametrize(("crashed", "crashes"), [(True, 1), (False, 0)])
def test_release_gives_it_back(db, job, crashed, crashes):
    claim(db)
    with db.transaction() as tx:
        tx.jobs.release("job-1", "a", crashed=crashed)
    assert look(db).crashes == crashes
    assert claim(db, "b").attempts == 2


def test_taking_over_a_dead_owners_job_counts_its_crash(db, job):
    claim(db, "a", 1000.0)
    assert claim(db, "b", 1059.9) is None
    taken = claim(db, "b", 1060.0)
    assert (taken.crashes, taken.attempts) == (1, 2)


def test_reap_gives_back_what_ran_out_and_nothing_else(db, queue):
    queue(("dead", 2, 1.0), ("alive", 1, 2.0), ("waiting", 0, 3.0))
    claim(db, "a", 1000.0)
    claim(db, "b", 1030.0)
    with db.transaction() as tx:
        reaped = tx.jobs.reap(1060.0)
        assert tx.jobs.reap(1060.0) == []
    assert [(job.job_id, job.crashes, job.lease_owner) for job in reaped] == [("dead", 1, None)]
    assert (look(db, "alive").lease_owner, look(db, "waiting").crashes) == ("b", 0)


def test_a_job_that_costs_its_workers_ends_failed_with_its_reason(db, queue):
    queue(("deadly", 1, 1.0), ("unlucky", 0, 2.0))
    for now in (1000.0, 2000.0):
        claim(db, "a", now)
        with db.transaction() as tx:
            tx.jobs.reap(now + TERM)
    claim(db, "b", 3000.0)
    with db.transaction() as tx:
        tx.jobs.release("deadly", "b", crashed=False)
        tx.jobs.claim("b", 3000.0, TERM)
        assert tx.jobs.fail_crashed(2, 3000.0) == [], "it runs once more, and is let run"
        tx.jobs.release("deadly", "b", crashed=False)
        (failed,) = tx.jobs.fail_crashed(2, 3001.0)
    assert (failed.job_id, failed.state, failed.finished_at) == ("deadly", JobState.FAILED, 3001.0)
    assert "2 times" in failed.reason
    assert look(db, "unlucky").state is JobState.PENDING


@pytest.mark.parametrize("state", [JobState.REFUSED, JobState.FAILED])
def test_retry_queues_it_afresh_behind_those_that_wait(db, queue, state):
    queue(("job-1", 0, 1.0), ("job-2", 0, 2.0))
    claim(db)
    finish(db, state, reason="no")
    with db.transaction() as tx:
        tx.jobs.retry("job-1", 2000.0)
    found = look(db)
    assert (found.state, found.reason, found.crashes, found.finished_at) == (JobState.PENDING, "", 0, None)
    assert [claim(db).job_id, claim(db).job_id] == ["job-2", "job-1"]


def test_what_is_done_or_superseded_is_not_retried(db, job):
    claim(db)
    finish(db)
    with pytest.raises(IllegalStep), db.transaction() as tx:
        tx.jobs.retry("job-1", 2000.0)
    with db.transaction() as tx:
        tx.jobs.supersede("job-1", 2000.0, "late images")
    assert (look(db).state, look(db).reason, look(db).finished_at) == (JobState.SUPERSEDED, "late images", 1010.0)
    with pytest.raises(IllegalStep), db.transaction() as tx:
        tx.jobs.retry("job-1", 2000.0)


def test_steps_of_an_unknown_job_say_so(db):
    with pytest.raises(NotFound), db.transaction() as tx:
        tx.jobs.retry("nothing", 1.0)
    with pytest.raises(NotFound), db.transaction() as tx:
        tx.jobs.supersede("nothing", 1.0, "")


def test_lists(db, queue):
    queue(("one", 0, 1.0), ("two", 0, 2.0), ("three", 0, 3.0))
    claim(db)
    finish(db, job_id="one")

    def names(jobs: list[Job]) -> list[str]:
        return [job.job_id for job in jobs]

    with db.reading() as tx:
        assert names(tx.jobs.list()) == ["three", "two", "one"]
        assert names(tx.jobs.list(limit=1)) == ["three"]
        assert names(tx.jobs.list([JobState.PENDING])) == ["three", "two"]
        assert names(tx.jobs.list([JobState.PENDING, JobState.DONE])) == ["three", "two", "one"]
        assert names(tx.jobs.of_study(look(db, "one").study_instance_uid)) == ["one", "two", "three"]
        assert tx.jobs.counts() == {JobState.PENDING: 2, JobState.DONE: 1}


def test_a_mark_says_what_became_of_results_that_left(db, job, make_job):
    with db.transaction() as tx:
        tx.jobs.add(make_job("job-2"))
        tx.jobs.mark(job.job_id, JobMark.STALE, "corrected since")
        assert [found.job_id for found in tx.jobs.marked(JobMark.STALE)] == [job.job_id]
        assert tx.jobs.marked(JobMark.NONE) == []
        assert tx.jobs.mark_counts() == {JobMark.STALE: 1}
        assert (tx.jobs.get(job.job_id).mark, tx.jobs.get(job.job_id).reason) == (JobMark.STALE, "corrected since")


def test_superseded_results_are_stale_no_more(db, job):
    with db.transaction() as tx:
        tx.jobs.mark(job.job_id, JobMark.STALE)
        tx.jobs.supersede(job.job_id, 400.0, "made anew")
        assert tx.jobs.mark_counts() == {}


def test_a_job_says_whose_results_it_rejects(db, job, make_job):
    with db.transaction() as tx:
        tx.jobs.add(make_job("note", state=JobState.DONE, rejects=job.job_id, mark=JobMark.WITHDRAWN))
        found = tx.jobs.get("note")
    assert (found.rejects, found.mark, found.state) == (job.job_id, JobMark.WITHDRAWN, JobState.DONE)


def test_running_is_what_somebody_holds(db, job):
    with db.transaction() as tx:
        assert tx.jobs.running(200.0) == []
        tx.jobs.claim("me", 200.0, 60.0)
        assert [one.job_id for one in tx.jobs.running(259.0)] == [job.job_id]
        assert tx.jobs.running(260.0) == []


def test_models_that_are_closed_get_no_job_and_their_jobs_wait(db, job, make_job):
    with db.transaction() as tx:
        tx.jobs.add(make_job("job-2", model="other"))
        assert [one.job_id for one in tx.jobs.waiting_for("other", 300.0)] == ["job-2"]
        assert tx.jobs.claim("me", 300.0, TERM, ["brain_small"]).job_id == "job-2"
        assert tx.jobs.waiting_for("other", 300.0) == []
        assert not tx.jobs.waiting(300.0, ["brain_small"])
        assert tx.jobs.claim("me", 300.0, TERM, ["brain_small"]) is None
        assert tx.jobs.claim("me", 300.0, TERM).job_id == job.job_id


def test_what_a_route_still_has_on_its_way(db, queue):
    queue(("made", 0, 1.0), ("waiting", 0, 2.0))
    with db.transaction() as tx:
        route = tx.jobs.get("made").route
        assert (tx.jobs.on_their_way(route), tx.jobs.on_their_way("another")) == (1, 0), "both are of one study"
        while claimed := tx.jobs.claim("a", 1000.0, TERM):
            tx.jobs.finish(claimed.job_id, "a", JobState.DONE, 1010.0)
        assert tx.jobs.on_their_way(route) == 0
        tx.deliveries.add("made", tx.jobs.get("made").study_instance_uid, "pacs", DeliveryState.HELD, 1020.0)
        assert (tx.jobs.on_their_way(route), tx.jobs.on_their_way("another")) == (1, 0)
