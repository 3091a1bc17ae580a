"""What must happen from time to time, whoever else is busy: leases that ran out, leftovers, retention, the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from dicom_node.running.upkeep import Upkeep
from storage.archive import Archive
from storage.database import Database
from storage.errors import StorageError
from storage.recovery import clock_set_back, recover, set_back_unseen

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1
RECOVER_EVERY_S = 5
WATCH_EVERY_S = 10
RETAIN_EVERY_S = 600
SWEEP_EVERY_S = 300  # one of 256 folders each time: the whole archive in 21 hours


@dataclass(frozen=True)
class Chore:
    """Something else that is done by the clock, beginning at once."""

    name: str
    every_s: float
    run: Callable[[], None]


class Every(IntervalTrigger):
    """Fires at an interval; turns missed while the machine slept or its clock was wrong are one.

    `IntervalTrigger` has the scheduler list each of them first: where a dead battery has the machine start in
    1970, 350 million turns of 5 s lie before the moment that NTP sets, and take all its memory.
    """

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        following: datetime = super().get_next_fire_time(previous_fire_time, now)
        missed = previous_fire_time is not None and following <= now
        return now + self.interval if missed else following


class Clock:
    """Runs recovery at start and then by the clock (APScheduler); one at a time, missed turns fold into one."""

    def __init__(
        self,
        database: Database,
        archive: Archive,
        max_crashes: int,
        revision: Callable[[], int] = lambda: 0,
        upkeep: Callable[[Callable[[], bool]], Upkeep] | None = None,
        chores: Sequence[Chore] = (),
    ) -> None:
        self._database = database
        self._archive = archive
        self._max_crashes = max_crashes
        self._revision = revision
        self._upkeep = upkeep
        self._chores = chores
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )

    def recover(self) -> None:
        """Give back what dead owners held."""
        try:
            done = recover(self._database, self._archive, time.time(), self._max_crashes, revision=self._revision())
        except StorageError as trouble:
            log.warning("recovery will be tried again: %s", trouble)
            return
        if done.anything:
            log.warning("recovered: %s", done)

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        self.recover()
        self._scheduler.add_job(self.recover, Every(seconds=RECOVER_EVERY_S, timezone="UTC"))
        if self._upkeep is not None:
            upkeep = self._upkeep(stop.is_set)
            keep(upkeep.watch)
            for work, seconds in (
                (upkeep.watch, WATCH_EVERY_S),
                (upkeep.retain, RETAIN_EVERY_S),
                (upkeep.sweep, SWEEP_EVERY_S),
            ):
                self._scheduler.add_job(keep, Every(seconds=seconds, timezone="UTC"), [work])
        for chore in self._chores:
            turns = Every(seconds=chore.every_s, timezone="UTC")
            self._scheduler.add_job(chore.run, turns, id=chore.name, next_run_time=datetime.now(UTC))
        self._schedule(stop)
        self._scheduler.shutdown(wait=True)

    def _schedule(self, stop: threading.Event) -> None:
        """Run until `stop`. Where the clock is set back all is due; else nothing was until it is as late again."""
        before = datetime.now(UTC)
        back_s = self._set_back_unseen(before.timestamp())
        self._scheduler.start()
        while not stop.wait(LOOK_EVERY_S):
            now = datetime.now(UTC)
            if now < before:
                log.warning("the machine's clock was set back", extra={"by_s": (before - now).total_seconds()})
                back_s += (before - now).total_seconds()
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=now)
            if back_s and self._tell_set_back(back_s, now.timestamp()):
                back_s = 0.0
            before = now

    def _set_back_unseen(self, now: float) -> float:
        """By how much it was set back before this process had its turn, as while the node was stopped for that."""
        try:
            return set_back_unseen(self._database, now)
        except StorageError as trouble:
            log.warning("whether the clock was set back cannot be asked: %s", trouble)
            return 0.0

    def _tell_set_back(self, by_s: float, now: float) -> bool:
        """Have what waits by the clock of before not wait for it; False where that is to be tried again."""
        try:
            clock_set_back(self._database, by_s, now, revision=self._revision())
        except StorageError as trouble:
            log.warning("what waits is not told yet that the clock was set back: %s", trouble)
            return False
        return True


def keep(work: Callable[[], None]) -> None:
    """Do a piece of upkeep; what storage cannot do now is done at the next turn."""
    try:
        work()
    except StorageError as trouble:
        log.warning("%s will be tried again: %s", work.__name__, trouble)
