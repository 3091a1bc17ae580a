"""An archive is asked for earlier results before dispatch, until its deadline; what it brings is in test_bring.py.

Covers dicom_node.pipeline.settle too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asking import HEADER, PRIORS, STUDY, recall, study, told
from recalling import WHO, EarlierStudy, FakePacs, changed, earlier_study
from turned_clock import Clock

from dicom_node.errors import Refused, Unreachable
from dicom_node.network.retrieve import Brought
from dicom_node.pipeline.complete import Complete
from dicom_node.pipeline.dispatch import Dispatch
from dicom_node.pipeline.fetch import Reconcile
from dicom_node.pipeline.recall import Ask, NotAsked, search_of
from dicom_node.settings.priors import PriorSettings
from storage.archive import Archive
from storage.database import Database
from storage.lifecycle import FetchState, RecallState, StudyState
from storage.records import FetchPurpose, Study, Wanted


class TestWaiting:
    """A COMPLETE study is dispatched when its recall has ended, or its deadline is over."""

    def test_the_wish_is_of_the_same_commit(self, database: Database, settle: Callable[..., None]) -> None:
        settle()
        found = recall(database)
        assert (found.state, found.peer, found.deadline) == (RecallState.PENDING, "pacs", 1060.0)
        assert found.policy == {"retrieve": "move", "studies": 3, "years": 5}

    def test_without_an_archive_nobody_is_asked(self, database: Database, settle: Callable[..., None]) -> None:
        settle(priors=PriorSettings())
        with database.reading() as tx:
            assert tx.recalls.find(STUDY) is None

    def test_the_end_of_a_fetch_of_what_is_missing_wants_it_too(
        self, database: Database, arrive: Callable[..., None], hand: Clock
    ) -> None:
        arrive(1, 990.0)
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.FETCHING, 1000.0)
            tx.fetches.want(Wanted(STUDY, "gone", FetchPurpose.MISSING, 9.0, 1000.0), 1000.0, over=())
        reconcile = Reconcile(database, {}, FetchPurpose.MISSING, "me", 30.0, priors=PRIORS, clock=hand)
        assert reconcile.step(1000.0)
        assert recall(database).state is RecallState.PENDING

    def test_dispatch_waits_for_its_end(
        self, database: Database, settle: Callable[..., None], ask: Ask, dispatch: Dispatch
    ) -> None:
        settle()
        assert not dispatch.step(1059.0)
        assert ask.step(1000.0)
        assert dispatch.step(1001.0)
        assert not ask.step(1001.0)

    def test_dispatch_does_not_wait_beyond_the_deadline_though_who_asks_hangs(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, dispatch: Dispatch
    ) -> None:
        settle()
        meanwhile: list[bool] = []
        pacs.while_sending = lambda: meanwhile.extend([dispatch.step(1059.9), dispatch.step(1060.0)])
        ask.step(1000.0)
        assert meanwhile[:2] == [False, True]

    def test_a_study_that_settles_anew_is_not_asked_about_twice(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, arrive: Callable[..., None]
    ) -> None:
        settle()
        ask.step(1000.0)
        arrive(2, 1010.0)
        assert Complete(database, quiet_s=5.0, priors=PRIORS).step(1020.0)
        assert not ask.step(1020.0)
        assert (recall(database).state, len(recall(database).found)) == (RecallState.DONE, 1)


class TestInVain:
    def test_a_silent_archive_is_asked_again_until_the_deadline(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, hand: Clock
    ) -> None:
        settle()
        pacs.error = Unreachable("pacs cannot be reached")
        tried = []
        while hand.now < 1070.0:
            if ask.step(hand.now):
                tried.append(hand.now)
            hand.now += 1.0
        assert tried == [1000.0, 1005.0, 1015.0, 1035.0, 1060.0]
        assert len(pacs.searches) == 4, "at the deadline nobody is asked any more"
        assert recall(database).state is RecallState.GIVEN_UP
        assert told(database, "priors given up") == [
            "waited 60 s for earlier results from pacs, 5 attempts: pacs cannot be reached"
        ]

    def test_one_that_refuses_is_not_asked_again(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs
    ) -> None:
        settle()
        pacs.error = Refused(f"pacs answers 0xA900: no {WHO.patient_id}, born {WHO.birth_date}")
        ask.step(1000.0)
        assert recall(database).state is RecallState.GIVEN_UP
        assert told(database, "priors given up") == [
            "earlier results could not be asked for: pacs answers 0xA900: no …, born …"
        ], "a peer may quote the patient; we do not"

    def test_an_earlier_study_that_cannot_be_sent_hides_no_older_one(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, hand: Clock,
        tmp_path: Path, earlier: EarlierStudy, monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        settle()
        older = earlier_study(tmp_path, "older", "20230101")
        pacs.held += older.everything
        send = pacs.retrieve

        def retrieve(study_uid: str, *asked: Any) -> Brought:
            if study_uid == earlier.study:
                raise Unreachable("pacs answers the C-MOVE with 0xA702")
            return send(study_uid, *asked)

        monkeypatch.setattr(pacs, "retrieve", retrieve)
        for hand.now in (1000.0, 1060.0):
            assert ask.step(hand.now)
        assert [prior.study for prior in recall(database).found] == [older.study]
        (text,) = told(database, "priors given up")
        assert text.endswith("0xA702; 1 earlier result found at pacs")

    def test_what_has_come_counts_although_the_rest_does_not_come(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, hand: Clock,
        tmp_path: Path, earlier: EarlierStudy,
    ) -> None:  # fmt: skip
        settle()
        older = earlier_study(tmp_path, "older", "20230101")
        pacs.held += older.everything

        def fail_from_now_on() -> None:
            if study(database, earlier.study) is not None and len(pacs.sent) > len(earlier.images):
                pacs.silent_retrieval = Unreachable("pacs is gone")

        pacs.while_sending = fail_from_now_on
        ask.step(1000.0)
        assert (recall(database).state, recall(database).reason) == (RecallState.PENDING, "pacs is gone")
        assert [prior.study for prior in recall(database).found] == [earlier.study]
        pacs.error, hand.now = Unreachable("pacs is gone"), 1050.0
        ask.step(1050.0)
        hand.now = 1060.0
        ask.step(1060.0)
        (text,) = told(database, "priors given up")
        assert text.endswith("pacs is gone; 1 earlier result found at pacs")
        assert [prior.study for prior in recall(database).found] == [earlier.study]

    @pytest.mark.parametrize(
        ("takes_s", "state", "text"),
        [
            (29.9, RecallState.DONE, ""),
            (
                40.0,
                RecallState.GIVEN_UP,
                "waited 60 s for earlier results from pacs, 1 attempts: they came after that",
            ),
        ],
        ids=["in time", "too late"],
    )
    def test_what_comes_after_the_deadline_is_told_to_be_late(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, hand: Clock,
        takes_s: float, state: RecallState, text: str,
    ) -> None:  # fmt: skip
        settle()

        def dawdle() -> None:
            hand.now += takes_s

        pacs.while_sending = dawdle
        ask.step(1000.0)
        found = "1 earlier result found at pacs"
        assert (recall(database).state, recall(database).reason) == (state, f"{text}; {found}" if text else found)

    def test_time_that_is_over_on_the_way_ends_it(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, hand: Clock
    ) -> None:
        settle()

        def dawdle() -> None:
            hand.now += 70.0

        pacs.while_sending = dawdle
        ask.step(1000.0)
        assert recall(database).state is RecallState.GIVEN_UP
        assert "pacs was not asked for everything in time" in recall(database).reason

    @pytest.mark.parametrize(
        ("header", "why"),
        [
            ({"PatientID": ""}, "the study has no patient ID"),
            ({"PatientBirthDate": ""}, "the study has no birth date"),
            ({"PatientID": "P*"}, "the study's patient ID cannot be asked for"),
            ({"PatientID": "P\\Q"}, "the study's patient ID cannot be asked for"),
            ({"PatientID": "P" * 65}, "the study's patient ID cannot be asked for"),
            ({"StudyDate": ""}, "the study has no date"),
        ],
    )
    def test_a_study_that_does_not_say_whose_or_when_it_is_is_not_asked_about(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, header: Any, why: str
    ) -> None:
        settle(**header)
        ask.step(1000.0)
        assert (recall(database).state, pacs.searches) == (RecallState.GIVEN_UP, [])
        assert told(database, "priors given up") == [f"earlier results could not be asked for: {why}"]

    def test_an_archive_that_is_configured_no_more_is_told(
        self, database: Database, archive: Archive, settle: Callable[..., None], hand: Clock
    ) -> None:
        settle()
        Ask(database, archive, {}, "me", 30.0, clock=hand).step(1000.0)
        assert recall(database).reason.endswith("no peer pacs is configured any more")


@pytest.mark.parametrize(
    ("date", "first"), [("20250401", "20200401"), ("20240229", "20190228"), ("00030101", "00010101")]
)
def test_years_are_counted_back_from_the_study(date: str, first: str) -> None:
    new = Study(STUDY, StudyState.COMPLETE, 1, 0.0, 0.0, (), 1, HEADER | {"StudyDate": date})
    search = search_of(new, 5)
    assert (search.first, search.day) == (first, date)
    assert WHO.patient_id not in repr(search)
    with pytest.raises(NotAsked):
        search_of(replace(new, header={}), 5)


def test_a_fetch_that_has_ended_is_begun_anew_by_who_wants_the_prior_itself(database: Database) -> None:
    with database.transaction() as tx:
        tx.fetches.mark_prior("1.2.9", "pacs", 5.0)
        assert tx.fetches.want(Wanted("1.2.9", "pacs", FetchPurpose.PROCESS, 9.0, 5.0), 5.0, over=(FetchState.DONE,))


class TestCannotSend:
    """An archive says of some of it that it could not be sent (0xB000); another time it may be."""

    @pytest.mark.parametrize("which", ["the segmentation", "an image"])
    def test_it_is_asked_again(
        self, which: str, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, hand: Clock,
        earlier: EarlierStudy,
    ) -> None:  # fmt: skip
        settle()
        lacking = earlier.seg if which == "the segmentation" else earlier.images[0]
        pacs.fails = {str(lacking.SOPInstanceUID)}
        ask.step(1000.0)
        assert (recall(database).state, told(database, "priors")) == (RecallState.PENDING, [])
        assert recall(database).reason == "pacs could not send 1 object of an earlier study"
        pacs.fails, hand.now = set(), 1005.0
        ask.step(1005.0)
        assert [prior.seg for prior in recall(database).found] == [earlier.seg.SOPInstanceUID]
        assert told(database, "priors") == ["1 earlier result found at pacs"]

    def test_until_the_deadline_and_then_nobody_says_that_there_was_none(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, hand: Clock,
        earlier: EarlierStudy,
    ) -> None:  # fmt: skip
        settle()
        pacs.fails = {str(earlier.seg.SOPInstanceUID)}
        for hand.now in (1000.0, 1060.0):
            assert ask.step(hand.now)
        assert told(database, "priors given up") == [
            "waited 60 s for earlier results from pacs, 2 attempts: pacs could not send 1 object of an earlier study"
        ]

    def test_a_study_that_gave_a_result_all_the_same_is_enough(
        self, database: Database, settle: Callable[..., None], ask: Ask, pacs: FakePacs, earlier: EarlierStudy
    ) -> None:
        settle()
        another = changed(earlier.seg)
        pacs.held.append(another)
        pacs.fails = {str(another.SOPInstanceUID)}
        ask.step(1000.0)
        assert (recall(database).state, len(recall(database).found)) == (RecallState.DONE, 1)
