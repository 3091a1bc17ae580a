"""`segnode fetch`: a study of the archive, wanted by a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fetching import STUDY, FakeArchive, fetch, journal, stage_of, study
from turned_clock import Clock

from dicom_node.pipeline.fetch import Reconcile
from storage.database import Database
from storage.lifecycle import FetchState, JobState, StudyState
from storage.records import FetchPurpose, Tally, Wanted


class TestWish:
    """`segnode fetch`: a study of the archive, wanted by a person."""

    @pytest.fixture
    def backfill(self, database: Database, source: FakeArchive, hand: Clock) -> Reconcile:
        return stage_of(FetchPurpose.PROCESS, database, source, hand, max_in_flight=1)

    def wish(self, database: Database, uid: str = STUDY, at: float = 1000.0) -> None:
        with database.transaction() as tx:
            tx.fetches.want(Wanted(uid, "pacs", FetchPurpose.PROCESS, 100.0, at), 1000.0, over=tuple(FetchState))

    def test_brings_the_study_and_lets_it_go_on(self, database: Database, backfill: Reconcile, hand: Clock) -> None:
        self.wish(database)
        assert backfill.step(hand.now)
        assert (study(database).state, study(database).images) == (StudyState.COMPLETE, 5)
        assert fetch(database).tally == Tally(5, 0, 5)

    def test_a_study_that_the_archive_does_not_hold_is_given_up(
        self, database: Database, backfill: Reconcile, source: FakeArchive, hand: Clock
    ) -> None:
        source.images = 0
        self.wish(database)
        backfill.step(hand.now)
        assert (fetch(database).state, fetch(database).reason) == (
            FetchState.GIVEN_UP, "0 images, as many as pacs holds",
        )  # fmt: skip

    def test_a_study_that_retention_removed_and_the_archive_does_not_hold_either_is_given_up(
        self, database: Database, backfill: Reconcile, source: FakeArchive, queue: Callable[..., Any], hand: Clock
    ) -> None:
        queue()
        with database.transaction() as tx:
            tx.removals.remove(STUDY, 900.0)
        source.images = 0
        self.wish(database)
        assert backfill.step(hand.now)
        assert (fetch(database).state, study(database).state) == (FetchState.GIVEN_UP, StudyState.REMOVED)
        assert fetch(database).reason == "0 images, as many as pacs holds"

    def test_a_study_that_was_through_is_dispatched_once_more(
        self, database: Database, backfill: Reconcile, queue: Callable[..., Any], hand: Clock
    ) -> None:
        queue()
        self.wish(database)
        backfill.step(hand.now)
        assert (study(database).state, study(database).images) == (StudyState.COMPLETE, 5)

    def test_one_that_nobody_could_be_asked_about_stays_where_it_is(
        self, database: Database, backfill: Reconcile, source: FakeArchive, queue: Callable[..., Any], hand: Clock
    ) -> None:
        queue()
        self.wish(database)
        source.refuses = True
        backfill.step(hand.now)
        assert study(database).state is StudyState.DISPATCHED
        assert journal(database)[-1][0] == "not fetched"

    def test_what_the_archive_says_of_a_patient_who_is_not_here_is_left_out(
        self, database: Database, backfill: Reconcile, source: FakeArchive, hand: Clock
    ) -> None:
        self.wish(database)
        source.down, source.quotes = True, "QUILL^JANE is locked"
        backfill.step(hand.now)
        assert fetch(database).reason == "PACS cannot be reached"

    def test_the_next_waits_until_the_one_before_is_through(
        self, database: Database, backfill: Reconcile, source: FakeArchive, queue: Callable[..., Any], hand: Clock
    ) -> None:
        job = queue()
        self.wish(database)
        self.wish(database, "1.2.4", at=1001.0)
        hand.now = 1002.0
        assert backfill.step(hand.now)
        assert not backfill.step(hand.now), "the first has yet to be dispatched"
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.DISPATCHED, hand.now)
        assert not backfill.step(hand.now), "its job has yet to run"
        with database.transaction() as tx:
            tx.jobs.claim("w", hand.now, 60.0)
            tx.jobs.finish(job.job_id, "w", JobState.DONE, hand.now)
        assert backfill.step(hand.now)
        assert source.asked == 2
