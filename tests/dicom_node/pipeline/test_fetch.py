"""A study's source is asked until nothing is missing or its deadline is over, with time turned by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from fetching import SERIES, FakeArchive, fetch, journal, study
from turned_clock import Clock

from dicom_node.network.survey import Held, Survey
from dicom_node.pipeline.fetch import Reconcile
from storage.database import Database
from storage.lifecycle import FetchState, StudyState
from storage.records import FetchPurpose, InstanceKind, ResultObject, StoredFile, Tally


def test_with_a_source_a_quiet_study_is_asked_about_first(
    database: Database, arrive_fetched: Callable[..., None], let_settle: Callable[..., None]
) -> None:
    arrive_fetched(1, 990.0)
    let_settle(incomplete="refuse")
    assert study(database).state is StudyState.FETCHING
    assert (fetch(database).peer, fetch(database).policy["incomplete"]) == ("pacs", "refuse")
    assert journal(database)[-1][1].endswith("pacs is asked whether that is all")


def test_a_full_study_is_complete_at_once(
    database: Database, stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None],
    let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    for number in range(1, 6):
        arrive_fetched(number, 990.0)
    let_settle()
    assert stage.step(hand.now)
    assert (study(database).state, study(database).incomplete) == (StudyState.COMPLETE, "")
    assert (fetch(database).state, fetch(database).tally) == (FetchState.DONE, Tally(5, 0, 0))
    assert journal(database)[-1] == ("complete", "5 images, as many as pacs holds")
    assert source.sent == []
    assert not stage.step(hand.now)


def test_what_is_missing_is_fetched_and_nothing_else(
    database: Database, stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None],
    let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    for number in (1, 2, 4):
        arrive_fetched(number, 990.0)
    let_settle(retrieve="get")
    assert stage.step(hand.now)
    assert source.sent == [("get", (f"{SERIES}.3", f"{SERIES}.5"))]
    assert (study(database).state, study(database).images) == (StudyState.COMPLETE, 5)
    assert fetch(database).tally == Tally(5, 0, 2)
    assert journal(database)[-1] == ("complete", "5 images, as many as pacs holds; 2 of them fetched")


def test_more_images_than_the_source_holds_is_complete_with_a_note(
    database: Database, stage: Reconcile, arrive_fetched: Callable[..., None], let_settle: Callable[..., None],
    hand: Clock,
) -> None:  # fmt: skip
    for number in range(1, 8):
        arrive_fetched(number, 990.0)
    let_settle()
    stage.step(hand.now)
    assert study(database).state is StudyState.COMPLETE
    assert journal(database)[-1] == ("complete", "7 images, pacs holds 5 of it")


def test_an_archive_that_is_down_is_asked_again_more_and_more_seldom_until_it_answers(
    database: Database, stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None],
    let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    let_settle()
    source.down = True
    tried = []
    while hand.now < 1060.0:
        if stage.step(hand.now):
            tried.append(hand.now)
        hand.now += 1.0
    assert tried == [1000.0, 1010.0, 1030.0]
    assert study(database).state is StudyState.FETCHING
    source.down = False
    hand.now = 1070.0
    assert stage.step(hand.now)
    assert (study(database).state, study(database).incomplete) == (StudyState.COMPLETE, "")


@pytest.fixture
def gap(
    stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None], let_settle: Callable[..., None],
    hand: Clock,
) -> FakeArchive:  # fmt: skip
    """The archive, which has told of five images and could not send two of them."""
    arrive_fetched(1, 990.0)
    let_settle()
    source.keeps = frozenset({4, 5})
    stage.step(hand.now)
    return source


def test_at_its_deadline_a_study_goes_on_and_says_what_it_lacks(
    database: Database, stage: Reconcile, gap: FakeArchive, hand: Clock
) -> None:
    assert fetch(database).reason == "2 of 5 images are not here; pacs could not send 2 images"
    hand.now = 1100.0
    assert stage.step(hand.now)
    found = study(database)
    assert (found.state, found.incomplete) == (StudyState.COMPLETE, "incomplete: 2 of 5 images missing")
    assert fetch(database).state is FetchState.GIVEN_UP
    event, text = journal(database)[-1]
    assert event == "incomplete"
    assert text.startswith("incomplete: 2 of 5 images missing; waited 100 s for pacs, 2 attempts")


def test_where_nothing_could_be_asked_that_is_said(
    database: Database, stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None],
    let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    let_settle()
    source.down = True
    for hand.now in (1000.0, 1100.0):
        assert stage.step(hand.now)
    assert study(database).incomplete == "perhaps incomplete: pacs could not be asked"
    assert "PACS cannot be reached" in journal(database)[-1][1]


def test_a_study_goes_on_although_asking_about_it_ends_whoever_asks(
    database: Database, stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None],
    let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    class Death(BaseException): ...

    def die(_study: str, _held: Held) -> Survey:
        source.asked += 1
        raise Death

    arrive_fetched(1, 990.0)
    let_settle()
    source.survey = die  # type: ignore[method-assign]
    for hand.now in range(1000, 1300, 31):
        with suppress(Death):
            stage.step(hand.now)
    assert study(database).state is StudyState.COMPLETE, "its deadline was at 1100"
    assert source.asked == 5, "and once after it"
    assert journal(database)[-1][1].endswith("whoever asked last ended over it")


def test_what_was_counted_before_the_archive_went_down_is_what_is_said(
    database: Database, stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None],
    let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    let_settle(retrieve="none")
    stage.step(hand.now)
    assert source.sent == [], "it is only waited for"
    source.down, hand.now = True, 1100.0
    stage.step(hand.now)
    assert study(database).incomplete == "incomplete: 4 of 5 images missing"


def test_a_source_without_c_find_leaves_it_to_the_quiet_time(
    database: Database, stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None],
    let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    let_settle()
    source.refuses = True
    stage.step(hand.now)
    assert (study(database).state, study(database).incomplete) == (StudyState.COMPLETE, "")
    assert journal(database)[-1] == (
        "complete",
        "whether anything is missing could not be asked: PACS does not offer C-FIND",
    )


def test_what_an_archive_has_counted_is_not_forgotten_when_it_refuses_to_be_asked_again(
    database: Database, stage: Reconcile, gap: FakeArchive, hand: Clock
) -> None:
    gap.refuses, hand.now = True, 1010.0
    assert stage.step(hand.now)
    found = study(database)
    assert (found.state, found.incomplete) == (StudyState.COMPLETE, "incomplete: 2 of 5 images missing")
    assert journal(database)[-1] == (
        "incomplete",
        "incomplete: 2 of 5 images missing; waited 10 s for pacs, 2 attempts: PACS does not offer C-FIND",
    )


@pytest.mark.parametrize("how", ["down", "refuses"])
def test_a_patient_whom_the_archive_quotes_is_not_repeated(
    stage: Reconcile, source: FakeArchive, hand: Clock, database: Database, how: str,
    arrive_fetched: Callable[..., None], let_settle: Callable[..., None],
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    let_settle()
    source.quotes = "QUILL^JANE, P-17, born 19700102, is locked"
    setattr(source, how, True)
    stage.step(hand.now)
    kept = [fetch(database).reason, *(text for _, text in journal(database))]
    assert not [text for text in kept for said in ("JANE", "P-17", "1970") if said in text]
    assert any("(…, …, born …, is locked)" in text for text in kept)


def test_a_source_that_is_configured_no_more_leaves_it_to_the_quiet_time(
    database: Database, arrive_fetched: Callable[..., None], let_settle: Callable[..., None], hand: Clock
) -> None:
    arrive_fetched(1, 990.0)
    let_settle(peer="gone")
    Reconcile(database, {}, FetchPurpose.MISSING, "me", 30.0, clock=hand).step(hand.now)
    assert study(database).state is StudyState.COMPLETE
    assert "no peer gone is configured any more" in journal(database)[-1][1]


def test_a_sender_that_goes_on_meanwhile_has_its_study_asked_about_once_more(
    database: Database, stage: Reconcile, source: FakeArchive, arrive_fetched: Callable[..., None],
    let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    let_settle()
    source.before_sending = lambda: arrive_fetched(6, 1000.0)
    stage.step(hand.now)
    assert study(database).state is StudyState.RECEIVING, "it settles anew"
    hand.now = 1006.0
    let_settle()
    stage.step(hand.now)
    assert (study(database).state, study(database).images) == (StudyState.COMPLETE, 6)


def test_our_own_results_and_what_is_no_image_are_known_to_be_here(
    database: Database, stage: Reconcile, source: FakeArchive, queue: Callable[..., Any],
    arrive_fetched: Callable[..., None], let_settle: Callable[..., None], hand: Clock,
) -> None:  # fmt: skip
    job = queue()
    with database.transaction() as tx:
        tx.results.add(ResultObject("2.25.7", "1.2", "2.25.8", job.job_id, "seg", StoredFile("seg.dcm", 1, "x")))
    arrive_fetched(9, 985.0, kind=InstanceKind.OTHER)
    arrive_fetched(4, 990.0)
    let_settle()
    stage.step(hand.now)
    assert {"2.25.7", f"{SERIES}.9"} <= set(source.held.known)
    assert set(source.held.images) == {SERIES}
    assert f"{SERIES}.9" not in source.held.images[SERIES]
