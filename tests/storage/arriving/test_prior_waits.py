"""Which studies wait for an earlier one before they are dispatched, and until when (storage.sql.tables_arriving)."""

import pytest
from sqlalchemy import select

from storage.arriving.prior_waits import PriorWait
from storage.lifecycle import JobState, StudyState
from storage.sql.tables_arriving import prior_waits

UID, PRIOR = "1.2.826.0.1.1", "1.2.826.0.1.9"
TASK = "brain_tumour"
WAIT = PriorWait(UID, PRIOR, TASK, 300.0, 360.0)
BEYOND = [StudyState.DISPATCHED, StudyState.NOT_ROUTED]


@pytest.fixture(autouse=True)
def _both(db, study, make_instance):
    """The study is COMPLETE, the prior RECEIVING."""
    with db.transaction() as tx:
        tx.studies.add_instance(make_instance(study_instance_uid=PRIOR, received_at=50.0))
        tx.studies.move(UID, StudyState.COMPLETE, 300.0)


def settle(db, state=StudyState.DISPATCHED):
    with db.transaction() as tx:
        tx.studies.move(PRIOR, StudyState.COMPLETE, 300.0)
        if state is not StudyState.COMPLETE:
            tx.studies.move(PRIOR, state, 300.0)


def ready(db, now=310.0, closed=()):
    with db.reading() as tx:
        found = [study.study_instance_uid for study in tx.studies.ready(now, 10, closed=closed)]
    with db.transaction() as tx:
        assert [study.study_instance_uid for study in tx.studies.ready(now, 10, closed=closed)] == found
    return found


def unsettled(db, closed=()):
    with db.reading() as tx:
        return tx.prior_waits.unsettled([UID, PRIOR, "1.9"], TASK, closed) - {UID}


class TestAStudyThatWaits:
    @pytest.fixture(autouse=True)
    def _waits(self, db):
        with db.transaction() as tx:
            tx.prior_waits.keep(WAIT)

    def test_is_not_ready_before_the_prior_has_settled_or_the_deadline_has_come(self, db):
        assert ready(db, 359.9) == []
        assert ready(db, 360.0) == [UID]

    def test_hides_no_other(self, db):
        settle(db, StudyState.COMPLETE)
        assert ready(db) == [PRIOR]

    @pytest.mark.parametrize("state", BEYOND)
    def test_is_ready_once_the_prior_is_dispatched_and_has_no_job_of_the_task(self, db, make_job, state):
        settle(db, state)
        with db.transaction() as tx:
            tx.jobs.add(make_job("other", study_instance_uid=PRIOR, task="liver_tumour"))
        assert ready(db) == [UID]

    def test_is_not_while_the_priors_job_waits_or_runs(self, db, make_job):
        settle(db)
        with db.transaction() as tx:
            tx.jobs.add(make_job(study_instance_uid=PRIOR))
        assert (ready(db), ready(db, closed=["other"])) == ([], [])
        with db.transaction() as tx:
            tx.jobs.claim("a", 310.0, 60.0)
        assert ready(db, 320.0) == []
        with db.transaction() as tx:
            tx.jobs.finish("job-1", "a", JobState.DONE, 330.0)
        assert ready(db, 330.0) == [UID]

    def test_is_where_that_job_waits_for_a_model_that_takes_none(self, db, make_job):
        settle(db)
        with db.transaction() as tx:
            tx.jobs.add(make_job(study_instance_uid=PRIOR, model="resting"))
        assert ready(db, closed=["resting"]) == [UID]

    def test_waits_for_one_at_a_time(self, db, make_instance):
        with db.transaction() as tx:
            tx.studies.add_instance(make_instance(study_instance_uid="1.8", received_at=40.0))
            other = PriorWait(UID, "1.8", TASK, 300.0, 360.0)
            tx.prior_waits.keep(other)
            assert tx.prior_waits.find(UID) == other
            assert tx._connection.execute(select(prior_waits.c.prior_uid)).scalars().all() == ["1.8"]
        settle(db, StudyState.COMPLETE)
        assert ready(db) == [PRIOR], "the other one keeps it now"

    def test_says_since_when_as_it_ends(self, db):
        with db.transaction() as tx:
            assert tx.prior_waits.end(UID) == 300.0
            assert tx.prior_waits.end(UID) is None
            assert tx.prior_waits.find(UID) is None
        assert ready(db) == [UID]

    def test_is_not_kept_by_a_prior_that_is_not_here(self, db):
        with db.transaction() as tx:
            tx.prior_waits.keep(PriorWait(UID, "1.9", TASK, 300.0, 360.0))
        assert ready(db) == [UID]

    def test_forgets_it_when_retention_takes_the_study(self, db):
        with db.transaction() as tx:
            tx.studies.move(UID, StudyState.DISPATCHED, 310.0)
            tx.removals.remove(UID, 400.0)
            assert tx.prior_waits.find(UID) is None

    @pytest.mark.parametrize("copied", [True, False])
    def test_forgets_it_with_a_correction_that_may_name_another_patient(self, db, make_instance, copied):
        new = make_instance(content="another header")
        with db.transaction() as tx:
            tx.studies.add_instance(new)
            tx.versions.correct(make_instance(), new, {"PatientID": "P-2"}, copied=copied)
            assert (tx.prior_waits.find(UID) is None) is copied


@pytest.mark.parametrize("state", list(JobState))
def test_a_study_is_unsettled_while_a_job_of_the_task_is_pending(db, make_job, state):
    assert unsettled(db) == {PRIOR}
    settle(db)
    assert unsettled(db) == set()
    with db.transaction() as tx:
        tx.jobs.add(make_job(study_instance_uid=PRIOR, state=state))
    assert unsettled(db) == ({PRIOR} if state is JobState.PENDING else set())
    assert unsettled(db, closed=["brain_small"]) == set()


def test_a_note_that_is_to_reject_a_result_is_no_result_to_come(db, make_job):
    settle(db)
    with db.transaction() as tx:
        tx.jobs.add(make_job(study_instance_uid=PRIOR, rejects="job-0"))
    assert unsettled(db) == set()


def test_a_clock_that_was_ahead_has_nobody_wait_longer(db):
    with db.transaction() as tx:
        tx.prior_waits.keep(PriorWait(UID, PRIOR, TASK, 3900.0, 3960.0))
        assert tx.due.earlier(3600.0, 310.0) == 1
        assert tx.prior_waits.find(UID) == WAIT
