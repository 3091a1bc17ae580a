"""After a crash: what dead owners held goes back, what they left half-written goes away."""

import os
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import Engine, event

from storage.database import Database
from storage.files.folder_archive import FolderArchive
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState
from storage.records import FetchPurpose, Wanted
from storage.recovery import PART_TERM_S, Recovered, clock_set_back, recover, set_back_unseen
from storage.upkeep.reconcile import sweep_orphans

TERM = 60.0


@pytest.fixture
def crash(db, archive, job):
    """A node that died at 1000 s with everything in its hands."""
    with db.transaction() as tx:
        tx.associations.open("association-9", "receiver", "CT1", "SEGNODE", "10.0.0.1", 1000.0, TERM)
        tx.jobs.claim("infer", 1000.0, TERM)
        tx.deliveries.add("job-1", job.study_instance_uid, "pacs", DeliveryState.PENDING, 999.0)
        tx.outbox.claim(Sender("pacs"), "deliver", 1000.0, TERM)
    part = archive.root / "incoming/half.part"
    part.touch()
    os.utime(part, (1000.0, 1000.0))


def test_living_owners_keep_what_they_hold(db, archive, crash):
    assert not recover(db, archive, 1059.0, 2).anything


def test_dead_owners_give_back(db, archive, crash):
    done = recover(db, archive, 1060.0, 2, revision=7)
    assert done == Recovered(jobs=1, failed=0, deliveries=1, commitments=0, associations=1, parts=0)
    with db.reading() as tx:
        assert tx.jobs.waiting(1060.0)
        assert tx.outbox.due(Sender("pacs"), 1060.0)
        (told,) = tx.journal.of_job("job-1")
    assert (told.event, told.at, told.revision) == ("lease ran out", 1060.0, 7)


def test_what_was_half_written_is_swept_when_nobody_can_be_at_it(db, archive, crash):
    assert recover(db, archive, 1000.0 + PART_TERM_S, 2).parts == 0
    assert recover(db, archive, 1001.0 + PART_TERM_S, 2).parts == 1


def test_a_job_that_always_costs_its_worker_fails_with_its_reason(db, archive, crash):
    done = recover(db, archive, 1060.0, 1)
    assert (done.jobs, done.failed) == (1, 1)
    with db.reading() as tx:
        assert tx.jobs.get("job-1").state is JobState.FAILED
        events = [entry.event for entry in tx.journal.of_job("job-1")]
        assert events == ["lease ran out", "failed"]


def test_running_it_again_changes_nothing(db, archive, crash):
    recover(db, archive, 10_000.0, 2)
    assert not recover(db, archive, 10_000.0, 2).anything


class TestAClockThatIsSetBack:
    """A hardware clock in local time is an hour ahead until NTP has put it right; what waits was timed by it."""

    NOW, AHEAD = 10_000.0, 3600.0

    @pytest.fixture
    def timed(self, db, job, make_instance):
        """Work of a minute ago, by the clock that was ahead."""
        then = self.NOW + self.AHEAD - 60
        uid = "1.2.9"
        with db.transaction() as tx:
            tx.studies.add_instance(make_instance(1, study_instance_uid=uid, received_at=then))
            tx.deliveries.add("job-1", job.study_instance_uid, "pacs", DeliveryState.PENDING, then)
            tx.circuits.failed("other", then, "down")
            tx.circuits.open("other", then + 90)
            tx.fetches.want(Wanted("1.2.8", "archive", FetchPurpose.PROCESS, 600, then), then, over=())
            tx.recalls.want(uid, "archive", {}, then, then + 70)
        return uid

    def test_delays_nothing_that_waits(self, db, timed):
        assert clock_set_back(db, self.AHEAD, self.NOW) == 5
        with db.reading() as tx:
            assert timed in [study.study_instance_uid for study in tx.studies.settled(self.NOW, 30.0)]
            assert timed not in [study.study_instance_uid for study in tx.studies.settled(self.NOW, 90.0)]
            assert tx.outbox.due(Sender("pacs"), self.NOW)
            assert tx.fetches.due(self.NOW, FetchPurpose.PROCESS)
            recall = tx.recalls.find(timed)
            assert (recall.deadline, recall.patience_s) == (self.NOW + 10, 70.0)
            assert tx.circuits.get("other").next_try_at == self.NOW + 30
            (told,) = tx.journal.recent(1)
        assert (told.event, told.at) == ("clock set back", self.NOW)
        assert "by 3600 s" in told.text

    def test_leaves_what_was_timed_before_and_the_terms_of_who_works(self, db, timed, job):
        with db.transaction() as tx:
            tx.jobs.claim("infer", self.NOW, TERM)
            before = tx.studies.get(job.study_instance_uid), tx.jobs.get("job-1")
        clock_set_back(db, self.AHEAD, self.NOW)
        with db.reading() as tx:
            assert (tx.studies.get(job.study_instance_uid), tx.jobs.get("job-1")) == before

    def test_has_nobody_seem_alive_who_died_before(self, db):
        with db.transaction() as tx:
            tx.processes.beat("receive", 1, "here", self.NOW, self.NOW + self.AHEAD, (), {})
            tx.processes.beat("web", 2, "here", self.NOW, self.NOW - 1.0, (), {})
        clock_set_back(db, self.AHEAD, self.NOW)
        with db.reading() as tx:
            assert [one.role for one in tx.processes.list(self.NOW)] == ["web"]

    def test_is_not_worth_a_line_where_nothing_waits(self, db):
        assert clock_set_back(db, self.AHEAD, self.NOW) == 0
        with db.reading() as tx:
            assert tx.journal.recent(1) == []

    def test_is_seen_afterwards_too(self, db, timed):
        """The node was stopped, the clock put right, the node started."""
        with db.transaction() as tx:
            tx.journal.add(self.NOW + self.AHEAD, "complete", "2 images")
        assert set_back_unseen(db, self.NOW) == self.AHEAD
        assert set_back_unseen(db, self.NOW + self.AHEAD + 86400.0) == 0.0

    def test_is_seen_where_only_the_archive_was_swept_by_the_wrong_clock(self, db, tmp_path):
        sweep_orphans(db, FolderArchive(tmp_path / "archive"), "00", self.NOW + self.AHEAD)
        assert set_back_unseen(db, self.NOW) == self.AHEAD

    def test_is_not_what_two_machines_clocks_differ_by(self, db):
        assert set_back_unseen(db, self.NOW) == 0.0
        with db.transaction() as tx:
            tx.journal.add(self.NOW + 5.0, "complete", "2 images")
        assert set_back_unseen(db, self.NOW) == 0.0


def test_it_reads_what_is_open_and_not_all_there_ever_was(tmp_path):
    """It runs every few seconds for years."""
    said = []

    def listen(connection, cursor, statement, parameters, context, many):
        said.append((statement, parameters))

    database = Database.open(f"sqlite:///{tmp_path / 'node.db'}")
    event.listen(Engine, "before_cursor_execute", listen)
    try:
        recover(database, FolderArchive(tmp_path / "archive"), 1000.0, 2)
    finally:
        event.remove(Engine, "before_cursor_execute", listen)
        database.close()
    with closing(sqlite3.connect(tmp_path / "node.db")) as plain:
        plans = [step[3] for words in said if words[0].startswith(("UPDATE", "DELETE", "SELECT"))
                 for step in plain.execute(f"EXPLAIN QUERY PLAN {words[0]}", words[1])]
    assert len(plans) >= 5
    assert all(plan.startswith("SEARCH") for plan in plans), plans
