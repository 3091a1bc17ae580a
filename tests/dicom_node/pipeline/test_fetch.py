"""A study's source is asked until nothing is missing or its deadline is over, with time turned by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from dicom_node.errors import Refused, Unreachable
from dicom_node.network.retrieve import Brought
from dicom_node.network.survey import Gap, Held, Survey
from dicom_node.pipeline.complete import Complete
from dicom_node.pipeline.fetch import Reconcile
from dicom_node.sources import Source, Sources
from storage.database import Database
from storage.lifecycle import FetchState, JobState, StudyState
from storage.records import Fetch, FetchPurpose, InstanceKind, ResultObject, StoredFile, Study, Tally, Wanted

STUDY, SERIES = "1.2.3", "1.2.3.1"


@dataclass
class Hand:
    """A clock that is turned by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeArchive:
    """An archive of 5 images of one series; `down` or `refuses` it does not answer, `keeps` it does not send."""

    arrive: Callable[..., None]
    images: int = 5
    down: bool = False
    refuses: bool = False
    quotes: str = ""
    keeps: frozenset[int] = frozenset()
    before_sending: Callable[[], None] = lambda: None
    asked: int = 0
    held: Held = field(default_factory=Held)
    sent: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def survey(self, study_uid: str, held: Held) -> Survey:
        self.asked += 1
        self.held = held
        if self.down:
            raise Unreachable("PACS cannot be reached", quote=self.quotes)
        if self.refuses:
            raise Refused("PACS does not offer C-FIND", quote=self.quotes)
        uids = {f"{SERIES}.{n}": "" for n in range(1, self.images + 1) if f"{SERIES}.{n}" not in held.known}
        gap = Gap(SERIES, len(uids), len(held.images.get(SERIES, ())), uids)
        return Survey(self.images, (gap,) if uids else ())

    def retrieve(self, study_uid: str, survey: Survey, how: str, limit_s: float, told: Any) -> Brought:
        self.before_sending()
        wanted = [uid for gap in survey.gaps for uid in gap.sop_class_uids]
        self.sent.append((how, tuple(wanted)))
        come = [uid for uid in wanted if int(uid.rpartition(".")[2]) not in self.keeps]
        for uid in come:
            self.arrive(int(uid.rpartition(".")[2]), 1000.0, fetched=True)
        told(Brought(len(come)))
        return Brought(len(come), len(wanted) - len(come))


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def arrive_fetched(database: Database, archive: Any) -> Callable[..., None]:
    """`arrive(number, now, fetched=True)` stores one image of the study."""
    from storage.records import Instance

    def add(number: int, now: float, *, fetched: bool = False, kind: InstanceKind = InstanceKind.IMAGE) -> None:
        uid = f"{SERIES}.{number}"
        file = archive.write(STUDY, uid, [b"pixels of " + uid.encode()])
        ct, explicit = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
        instance = Instance(uid, ct, SERIES, STUDY, explicit, kind, file, now, "", {}, fetched=fetched)
        with database.transaction() as tx:
            tx.studies.add_instance(instance, {"PatientName": "Quill^Jane", "PatientID": "P-17"})

    return add


@pytest.fixture
def pacs(arrive_fetched: Callable[..., None]) -> FakeArchive:
    return FakeArchive(arrive_fetched)


def stage_of(purpose: FetchPurpose, database: Database, pacs: FakeArchive, clock: Hand, **changes: Any) -> Reconcile:
    return Reconcile(database, {"pacs": pacs}, purpose, "me", 30.0, clock=clock, revision=3, **changes)


@pytest.fixture
def stage(database: Database, pacs: FakeArchive, clock: Hand) -> Reconcile:
    return stage_of(FetchPurpose.MISSING, database, pacs, clock)


@pytest.fixture
def settle(database: Database, clock: Hand) -> Callable[..., None]:
    """`settle(retrieve=…)` lets the quiet time pass and the source be asked."""

    def run(**source: Any) -> None:
        sources = Sources({"*": Source(**{"peer": "pacs", "deadline_s": 100.0, "ask_again_s": 10.0} | source)})
        assert Complete(database, quiet_s=5.0, sources=sources).step(clock.now)

    return run


def study(database: Database) -> Study:
    with database.reading() as tx:
        return tx.studies.get(STUDY)


def fetch(database: Database) -> Fetch:
    with database.reading() as tx:
        found = tx.fetches.find(STUDY)
    assert found is not None
    return found


def journal(database: Database) -> list[tuple[str, str]]:
    with database.reading() as tx:
        return [(entry.event, entry.text) for entry in tx.journal.of_study(STUDY)]


def test_with_a_source_a_quiet_study_is_asked_about_first(
    database: Database, arrive_fetched: Callable[..., None], settle: Callable[..., None]
) -> None:
    arrive_fetched(1, 990.0)
    settle(incomplete="refuse")
    assert study(database).state is StudyState.FETCHING
    assert (fetch(database).peer, fetch(database).policy["incomplete"]) == ("pacs", "refuse")
    assert journal(database)[-1][1].endswith("pacs is asked whether that is all")


def test_a_full_study_is_complete_at_once(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    for number in range(1, 6):
        arrive_fetched(number, 990.0)
    settle()
    assert stage.step(clock.now)
    assert (study(database).state, study(database).incomplete) == (StudyState.COMPLETE, "")
    assert (fetch(database).state, fetch(database).tally) == (FetchState.DONE, Tally(5, 0, 0))
    assert journal(database)[-1] == ("complete", "5 images, as many as pacs holds")
    assert pacs.sent == []
    assert not stage.step(clock.now)


def test_what_is_missing_is_fetched_and_nothing_else(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    for number in (1, 2, 4):
        arrive_fetched(number, 990.0)
    settle(retrieve="get")
    assert stage.step(clock.now)
    assert pacs.sent == [("get", (f"{SERIES}.3", f"{SERIES}.5"))]
    assert (study(database).state, study(database).images) == (StudyState.COMPLETE, 5)
    assert fetch(database).tally == Tally(5, 0, 2)
    assert journal(database)[-1] == ("complete", "5 images, as many as pacs holds; 2 of them fetched")


def test_more_images_than_the_source_holds_is_complete_with_a_note(
    database: Database, stage: Reconcile, arrive_fetched: Callable[..., None], settle: Callable[..., None], clock: Hand
) -> None:
    for number in range(1, 8):
        arrive_fetched(number, 990.0)
    settle()
    stage.step(clock.now)
    assert study(database).state is StudyState.COMPLETE
    assert journal(database)[-1] == ("complete", "7 images, pacs holds 5 of it")


def test_an_archive_that_is_down_is_asked_again_more_and_more_seldom_until_it_answers(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    settle()
    pacs.down = True
    tried = []
    while clock.now < 1060.0:
        if stage.step(clock.now):
            tried.append(clock.now)
        clock.now += 1.0
    assert tried == [1000.0, 1010.0, 1030.0]
    assert study(database).state is StudyState.FETCHING
    pacs.down = False
    clock.now = 1070.0
    assert stage.step(clock.now)
    assert (study(database).state, study(database).incomplete) == (StudyState.COMPLETE, "")


def test_at_its_deadline_a_study_goes_on_and_says_what_it_lacks(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    settle()
    pacs.keeps = frozenset({4, 5})
    stage.step(clock.now)
    assert fetch(database).reason == "2 of 5 images are not here; pacs could not send 2 images"
    clock.now = 1100.0
    assert stage.step(clock.now)
    found = study(database)
    assert (found.state, found.incomplete) == (StudyState.COMPLETE, "incomplete: 2 of 5 images missing")
    assert fetch(database).state is FetchState.GIVEN_UP
    event, text = journal(database)[-1]
    assert event == "incomplete"
    assert text.startswith("incomplete: 2 of 5 images missing; waited 100 s for pacs, 2 attempts")


def test_where_nothing_could_be_asked_that_is_said(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    settle()
    pacs.down = True
    for clock.now in (1000.0, 1100.0):
        assert stage.step(clock.now)
    assert study(database).incomplete == "perhaps incomplete: pacs could not be asked"
    assert "PACS cannot be reached" in journal(database)[-1][1]


def test_a_study_goes_on_although_asking_about_it_ends_whoever_asks(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    class Death(BaseException): ...

    def die(_study: str, _held: Held) -> Survey:
        pacs.asked += 1
        raise Death

    arrive_fetched(1, 990.0)
    settle()
    pacs.survey = die  # type: ignore[method-assign]
    for clock.now in range(1000, 1300, 31):
        with suppress(Death):
            stage.step(clock.now)
    assert study(database).state is StudyState.COMPLETE, "its deadline was at 1100"
    assert pacs.asked == 5, "and once after it"
    assert journal(database)[-1][1].endswith("whoever asked last ended over it")


def test_what_was_counted_before_the_archive_went_down_is_what_is_said(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    settle(retrieve="none")
    stage.step(clock.now)
    assert pacs.sent == [], "it is only waited for"
    pacs.down, clock.now = True, 1100.0
    stage.step(clock.now)
    assert study(database).incomplete == "incomplete: 4 of 5 images missing"


def test_a_source_without_c_find_leaves_it_to_the_quiet_time(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    settle()
    pacs.refuses = True
    stage.step(clock.now)
    assert (study(database).state, study(database).incomplete) == (StudyState.COMPLETE, "")
    assert journal(database)[-1] == (
        "complete",
        "whether anything is missing could not be asked: PACS does not offer C-FIND",
    )


@pytest.mark.parametrize("how", ["down", "refuses"])
def test_a_patient_whom_the_archive_quotes_is_not_repeated(
    stage: Reconcile, pacs: FakeArchive, clock: Hand, database: Database, how: str,
    arrive_fetched: Callable[..., None], settle: Callable[..., None],
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    settle()
    pacs.quotes = "QUILL^JANE, P-17, born 19700102, is locked"
    setattr(pacs, how, True)
    stage.step(clock.now)
    kept = [fetch(database).reason, *(text for _, text in journal(database))]
    assert not [text for text in kept for said in ("JANE", "P-17", "1970") if said in text]
    assert any("(…, …, born …, is locked)" in text for text in kept)


def test_a_source_that_is_configured_no_more_leaves_it_to_the_quiet_time(
    database: Database, arrive_fetched: Callable[..., None], settle: Callable[..., None], clock: Hand
) -> None:
    arrive_fetched(1, 990.0)
    settle(peer="gone")
    Reconcile(database, {}, FetchPurpose.MISSING, "me", 30.0, clock=clock).step(clock.now)
    assert study(database).state is StudyState.COMPLETE
    assert "no peer gone is configured any more" in journal(database)[-1][1]


def test_a_sender_that_goes_on_meanwhile_has_its_study_asked_about_once_more(
    database: Database, stage: Reconcile, pacs: FakeArchive, arrive_fetched: Callable[..., None],
    settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    arrive_fetched(1, 990.0)
    settle()
    pacs.before_sending = lambda: arrive_fetched(6, 1000.0)
    stage.step(clock.now)
    assert study(database).state is StudyState.RECEIVING, "it settles anew"
    clock.now = 1006.0
    settle()
    stage.step(clock.now)
    assert (study(database).state, study(database).images) == (StudyState.COMPLETE, 6)


def test_our_own_results_and_what_is_no_image_are_known_to_be_here(
    database: Database, stage: Reconcile, pacs: FakeArchive, queue: Callable[..., Any],
    arrive_fetched: Callable[..., None], settle: Callable[..., None], clock: Hand,
) -> None:  # fmt: skip
    job = queue()
    with database.transaction() as tx:
        tx.results.add(ResultObject("2.25.7", "1.2", "2.25.8", job.job_id, "seg", StoredFile("seg.dcm", 1, "x")))
    arrive_fetched(9, 985.0, kind=InstanceKind.OTHER)
    arrive_fetched(4, 990.0)
    settle()
    stage.step(clock.now)
    assert {"2.25.7", f"{SERIES}.9"} <= set(pacs.held.known)
    assert set(pacs.held.images) == {SERIES}
    assert f"{SERIES}.9" not in pacs.held.images[SERIES]


class TestWish:
    """`segnode fetch`: a study of the archive, wanted by a person."""

    @pytest.fixture
    def backfill(self, database: Database, pacs: FakeArchive, clock: Hand) -> Reconcile:
        return stage_of(FetchPurpose.PROCESS, database, pacs, clock, max_in_flight=1)

    def wish(self, database: Database, uid: str = STUDY, at: float = 1000.0) -> None:
        with database.transaction() as tx:
            tx.fetches.want(Wanted(uid, "pacs", FetchPurpose.PROCESS, 100.0, at), 1000.0, over=tuple(FetchState))

    def test_brings_the_study_and_lets_it_go_on(self, database: Database, backfill: Reconcile, clock: Hand) -> None:
        self.wish(database)
        assert backfill.step(clock.now)
        assert (study(database).state, study(database).images) == (StudyState.COMPLETE, 5)
        assert fetch(database).tally == Tally(5, 0, 5)

    def test_a_study_that_the_archive_does_not_hold_is_given_up(
        self, database: Database, backfill: Reconcile, pacs: FakeArchive, clock: Hand
    ) -> None:
        pacs.images = 0
        self.wish(database)
        backfill.step(clock.now)
        assert (fetch(database).state, fetch(database).reason) == (
            FetchState.GIVEN_UP, "0 images, as many as pacs holds",
        )  # fmt: skip

    def test_a_study_that_was_through_is_dispatched_once_more(
        self, database: Database, backfill: Reconcile, queue: Callable[..., Any], clock: Hand
    ) -> None:
        queue()
        self.wish(database)
        backfill.step(clock.now)
        assert (study(database).state, study(database).images) == (StudyState.COMPLETE, 5)

    def test_one_that_nobody_could_be_asked_about_stays_where_it_is(
        self, database: Database, backfill: Reconcile, pacs: FakeArchive, queue: Callable[..., Any], clock: Hand
    ) -> None:
        queue()
        self.wish(database)
        pacs.refuses = True
        backfill.step(clock.now)
        assert study(database).state is StudyState.DISPATCHED
        assert journal(database)[-1][0] == "not fetched"

    def test_what_the_archive_says_of_a_patient_who_is_not_here_is_left_out(
        self, database: Database, backfill: Reconcile, pacs: FakeArchive, clock: Hand
    ) -> None:
        self.wish(database)
        pacs.down, pacs.quotes = True, "QUILL^JANE is locked"
        backfill.step(clock.now)
        assert fetch(database).reason == "PACS cannot be reached"

    def test_the_next_waits_until_the_one_before_is_through(
        self, database: Database, backfill: Reconcile, pacs: FakeArchive, queue: Callable[..., Any], clock: Hand
    ) -> None:
        job = queue()
        self.wish(database)
        self.wish(database, "1.2.4", at=1001.0)
        clock.now = 1002.0
        assert backfill.step(clock.now)
        assert not backfill.step(clock.now), "the first has yet to be dispatched"
        with database.transaction() as tx:
            tx.studies.move(STUDY, StudyState.DISPATCHED, clock.now)
        assert not backfill.step(clock.now), "its job has yet to run"
        with database.transaction() as tx:
            tx.jobs.claim("w", clock.now, 60.0)
            tx.jobs.finish(job.job_id, "w", JobState.DONE, clock.now)
        assert backfill.step(clock.now)
        assert pacs.asked == 2
