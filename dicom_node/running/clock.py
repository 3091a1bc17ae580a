"""What must happen from time to time, whoever else is busy: leases that ran out, leftovers, retention, the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from dicom_node.running.upkeep import Upkeep
from storage.archive import Archive
from storage.database import Database
from storage.errors import StorageError
from storage.recovery import clock_set_back, recover

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
            timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 60}
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
        self._scheduler.add_job(self.recover, "interval", seconds=RECOVER_EVERY_S)
        if self._upkeep is not None:
            upkeep = self._upkeep(stop.is_set)
            keep(upkeep.watch)
            for work, seconds in (
                (upkeep.watch, WATCH_EVERY_S),
                (upkeep.retain, RETAIN_EVERY_S),
                (upkeep.sweep, SWEEP_EVERY_S),
            ):
                self._scheduler.add_job(keep, "interval", [work], seconds=seconds)
        for chore in self._chores:
            at_once = datetime.now(UTC)
            self._scheduler.add_job(
                chore.run, "interval", seconds=chore.every_s, id=chore.name, next_run_time=at_once
            )
        self._schedule(stop)
        self._scheduler.shutdown(wait=True)

    def _schedule(self, stop: threading.Event) -> None:
        """Run until `stop`. Where the clock is set back all is due; else nothing was until it is as late again."""
        before, back_s = datetime.now(UTC), 0.0
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
