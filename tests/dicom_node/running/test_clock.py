"""What dead owners held goes back, at start and by the clock."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, tzinfo

import apscheduler.executors.base
import apscheduler.schedulers.base
import pytest

from dicom_node.assembly import Parts
from dicom_node.running import clock
from dicom_node.running.clock import Chore, Clock
from storage.errors import Unavailable
from storage.records import Instance, InstanceKind, StoredFile
from storage.recovery import Recovered

PATIENCE_S = 30.0


def assert_comes_again(quick: Clock, calls: threading.Semaphore) -> None:
    """Run the clock until it has called three times; it ends when told to."""
    stop = threading.Event()
    thread = threading.Thread(target=quick.run, args=(stop,))
    thread.start()
    assert all(calls.acquire(timeout=PATIENCE_S) for _ in range(3))
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_it_recovers_again_and_again(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = threading.Semaphore(0)
    monkeypatch.setattr(clock, "RECOVER_EVERY_S", 0.01)
    monkeypatch.setattr(Clock, "recover", lambda self: calls.release())
    assert_comes_again(Clock(parts.database, parts.archive, 2), calls)


def test_other_chores_begin_at_once_and_come_again(parts: Parts) -> None:
    calls = threading.Semaphore(0)
    assert_comes_again(Clock(parts.database, parts.archive, 2, chores=[Chore("audit", 0.01, calls.release)]), calls)


@pytest.mark.parametrize("ahead", [
    pytest.param(timedelta(hours=1), id="a hardware clock in local time"),
    pytest.param(-timedelta(days=365 * 50), id="a dead battery: it starts in 1970"),
])
def test_what_is_due_comes_again_at_once_where_the_machines_clock_is_put_right(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    """By NTP: back by an hour, or forward by half a century, in which 158 thousand million turns were missed."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + ahead

    def set_right() -> None:
        nonlocal ahead
        ahead = timedelta()
        calls.release()

    for module in (clock, apscheduler.schedulers.base, apscheduler.executors.base):
        monkeypatch.setattr(module, "datetime", Wrong)
    calls = threading.Semaphore(0)
    assert_comes_again(Clock(parts.database, parts.archive, 2, chores=[Chore("audit", 0.01, set_right)]), calls)


def test_what_waits_is_told_of_a_clock_that_is_set_back_until_the_database_answers(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, heard = [], threading.Event()
    at = iter([5000.0, 1000.0])

    def set_back(_: object, by_s: float, *__: object, **___: object) -> int:
        told.append(by_s)
        if len(told) < 3:
            raise Unavailable("the database does not answer")
        heard.set()
        return 1

    class Turned(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.fromtimestamp(next(at, 1000.0), tz)

    monkeypatch.setattr(clock, "datetime", Turned)
    monkeypatch.setattr(clock, "clock_set_back", set_back)
    monkeypatch.setattr(clock, "LOOK_EVERY_S", 0.01)
    stop = threading.Event()
    thread = threading.Thread(target=Clock(parts.database, parts.archive, 2).run, args=(stop,))
    thread.start()
    assert heard.wait(PATIENCE_S)
    stop.wait(0.1)
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert told == [4000.0] * 3


def test_what_waits_is_told_of_a_clock_that_was_set_back_while_the_node_was_stopped(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour, now = 3600.0, time.time()
    file = StoredFile("ab/1.2.3.dcm", 10, "1")
    image = Instance("1.2.3.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.3.1", "1.2.3", "1.2", InstanceKind.IMAGE, file,
                     now + hour, "")  # fmt: skip
    with parts.database.transaction() as tx:
        tx.studies.add_instance(image)
        tx.journal.add(now + hour, "association", "it was then")
    monkeypatch.setattr(clock, "LOOK_EVERY_S", 0.01)
    stop = threading.Event()
    thread = threading.Thread(target=Clock(parts.database, parts.archive, 2).run, args=(stop,))
    thread.start()

    def told() -> list[str]:
        with parts.database.reading() as tx:
            return [entry.event for entry in tx.journal.recent(9)]

    deadline = time.monotonic() + 10.0
    while "clock set back" not in told() and time.monotonic() < deadline:
        stop.wait(0.02)
    stop.set()
    thread.join(PATIENCE_S)
    assert told() == ["clock set back", "association"]
    with parts.database.reading() as tx:
        assert tx.studies.get("1.2.3").changed_at == pytest.approx(now, abs=PATIENCE_S)


def test_a_dead_owners_job_goes_back_and_is_journalled(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.jobs.claim("a worker of last week", 200.0, 5.0)
    Clock(story.database, story.archive, max_crashes=2, revision=lambda: 7).recover()
    with story.database.reading() as tx:
        job = tx.jobs.get("job-3")
        (told,) = tx.journal.of_job("job-3")
    assert (job.lease_owner, job.crashes) == (None, 1)
    assert (told.event, told.revision) == ("lease ran out", 7)


def test_nothing_to_do_is_not_worth_a_line(parts: Parts, caplog: pytest.LogCaptureFixture) -> None:
    Clock(parts.database, parts.archive, 2).recover()
    assert caplog.records == []


def test_storage_that_does_not_answer_is_asked_again(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def recover(*_: object, **__: object) -> Recovered:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(clock, "recover", recover)
    Clock(parts.database, parts.archive, 2).recover()
    assert "recovery will be tried again: the database does not answer" in caplog.text


def test_upkeep_is_done_by_the_clock_and_what_fails_is_done_at_the_next_turn(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("WATCH_EVERY_S", "RETAIN_EVERY_S", "SWEEP_EVERY_S"):
        monkeypatch.setattr(clock, name, 0.01)
    done = {name: threading.Semaphore(0) for name in ("watch", "retain", "sweep")}

    class Keeper:
        def watch(self) -> None:
            done["watch"].release()

        def retain(self) -> None:
            done["retain"].release()
            raise Unavailable("the database does not answer")

        def sweep(self) -> None:
            done["sweep"].release()

    stop = threading.Event()
    keeping = Clock(parts.database, parts.archive, 2, upkeep=lambda stopping: Keeper())  # type: ignore[arg-type]
    thread = threading.Thread(target=keeping.run, args=(stop,))
    thread.start()
    assert all(turn.acquire(timeout=PATIENCE_S) for turn in done.values() for _ in range(2))
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert "retain will be tried again: the database does not answer" in caplog.text
