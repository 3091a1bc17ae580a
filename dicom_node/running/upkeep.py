"""What keeps the disk in order by the clock: retention, the two watermarks, files that nothing names.

Each crossing of a watermark is journalled once, here; the receiving processes only refuse.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable

from storage.archive import Archive
from storage.files.disk import Level, Watermarks
from storage.upkeep.cleaning import START, Cleaner
from storage.upkeep.reconcile import PREFIXES, sweep_orphans

log = logging.getLogger(__name__)

EVENTS = {Level.WELL: "disk well", Level.SHORT: "disk short", Level.FULL: "disk full"}


def gigabytes(size: float) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.1f} GB"


class Upkeep:
    """Keeps one node's disk; `free` asks how much is left of it, `stopping` whether the node is about to end."""

    def __init__(
        self,
        cleaner: Cleaner,
        marks: Watermarks,
        *,
        free: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.time,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cleaner = cleaner
        self._marks = marks
        self._free = free or cleaner.archive.free_bytes
        self._clock = clock
        self._stopping = stopping
        self._level = Level.WELL
        self._prefixes = itertools.cycle(PREFIXES)
        self._place = START

    def watch(self) -> None:
        """Look at the disk: tell when it crosses a mark, and where it has become short clean early."""
        if self._tell_crossing():
            self._clean_early()

    def retain(self) -> None:
        """Remove what is due by age, a part of all studies at a time; on a short disk what may go early as well."""
        gone, self._place = self._cleaner.turn(self._clock(), self._place, self._stopping)
        if gone:
            log.info("retention", extra={"studies": len(gone), "bytes": sum(due.bytes for due in gone)})
        self._clean_early()

    def sweep(self) -> None:
        """Sweep the next of the archive's 256 folders for files that nothing names."""
        archive: Archive = self._cleaner.archive
        sweep_orphans(self._cleaner.database, archive, next(self._prefixes), self._clock())

    def _clean_early(self) -> None:
        if self._level is Level.WELL:
            return
        gone = list(self._cleaner.run(self._clock(), short=True, enough=self._has_enough))
        if gone:
            self._tell(f"removed {len(gone)} studies early, {gigabytes(sum(due.bytes for due in gone))}")
        self._tell_crossing()

    def _has_enough(self) -> bool:
        return self._stopping() or self._free() >= self._marks.relieved_bytes

    def _tell_crossing(self) -> bool:
        """Journal a new level; whether there is one."""
        free = self._free()
        level = self._marks.level(free, self._level)
        if level is self._level:
            return False
        self._level = level
        marks = self._marks
        told = {
            Level.WELL: f"{gigabytes(free)} free",
            Level.SHORT: f"{gigabytes(free)} free, below clean_below_bytes ({gigabytes(marks.clean_bytes)}): what is "
            "finished goes early, by the ages in after_days_when_short",
            Level.FULL: f"{gigabytes(free)} free, below keep_free_bytes ({gigabytes(marks.low_bytes)}): new instances "
            "are refused with 0xA700; what is here is finished",
        }
        self._tell(told[level])
        return True

    def _tell(self, text: str) -> None:
        event = EVENTS[self._level]
        (log.info if self._level is Level.WELL else log.warning)("%s: %s", event, text)
        with self._cleaner.database.transaction() as tx:
            tx.journal.add(self._clock(), event, text, revision=self._cleaner.revision)


def disk_lines(cleaner: Cleaner, marks: Watermarks, free: int, now: float, most: int | None = None) -> list[str]:
    """Sentences for a person about a disk below a mark, and what would help; none where it is well.

    With `most` no more studies are looked at, those that have been at rest longest.
    """
    level = marks.level(free)
    if level is Level.WELL:
        return []
    full = f"below keep_free_bytes ({gigabytes(marks.low_bytes)}): new instances are refused with 0xA700"
    short = f"below clean_below_bytes ({gigabytes(marks.clean_bytes)}): what is finished goes early"
    lines = [f"disk {level}: {gigabytes(free)} free, {full if level is Level.FULL else short}"]
    if not cleaner.archive.fills_disk:
        return [f"{lines[0]}; give it more room, or lower archive.cache_bytes: the files themselves are elsewhere"]
    outlook = cleaner.outlook(now, short=True, most=most)
    if outlook.due:
        size = gigabytes(sum(one.bytes for one in outlook.due))
        lines.append(f"`segnode retention --short --apply` frees {size} at once ({len(outlook.due)} studies)")
    for reason, number in outlook.kept.most_common(5):
        lines.append(f"{number} finished or waiting studies take space: {reason}{_remedy(reason)}")
    if not outlook.whole:
        lines.append(f"that is of the {most} studies that have been here longest; `segnode status` looks at all")
    elif level is Level.FULL and not outlook.due:
        lines.append("nothing may go by the rules: mend what waits, shorten retention in node.yaml, or give more disk")
    return lines


def _remedy(reason: str) -> str:
    if reason.endswith("DEAD"):
        return "; `segnode retry --all` sends them again"
    if reason.endswith("HELD"):
        return "; `segnode retry --all --release` lets them go"
    if reason.endswith("stale"):
        return "; `segnode reissue STUDY_UID` makes them anew"
    if "failed" in reason:
        return "; `segnode retry --all` runs them again, or add a rule for failed"
    return ""
