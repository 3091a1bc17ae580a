"""News as they happen, as server-sent events: which studies changed, and how far the running jobs are.

An event says only that something is new and where; whoever hears it asks again for what may be shown to him.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
from starlette.concurrency import run_in_threadpool

from dicom_node.web.console import Console

LOOK_EVERY_S = 1.0
SIGN_OF_LIFE_S = 15.0  # a line without meaning, so that proxies do not hang up
LONGEST_S = 600.0  # then the browser comes again by itself, and is looked at anew
MOST_AT_ONCE = 500


@dataclass(frozen=True)
class News:
    """What is new since a journal entry: `newest` is the last one, `running` says how far each job is."""

    newest: int
    studies: tuple[str, ...] = ()
    running: tuple[tuple[str, str, str, int], ...] = ()  # study, job, step, percent

    def event(self) -> str:
        """One event (HTML, server-sent events): its id is where to go on after a break."""
        running = [{"study": s, "job": j, "step": step, "percent": percent} for s, j, step, percent in self.running]
        data = json.dumps({"studies": list(self.studies), "running": running})
        return f"id: {self.newest}\ndata: {data}\n\n"


def look(console: Console, after: int | None) -> News:
    """What happened after journal entry `after`; only where things stand, where that is None."""
    with console.parts.database.reading() as tx:
        running = tuple(
            (job.study_instance_uid, job.job_id, job.step, round(100 * job.progress))
            for job in tx.jobs.running(console.clock())
        )
        entries, newest = tx.journal.follow(after, MOST_AT_ONCE)
    studies = dict.fromkeys(entry.study_instance_uid for entry in entries if entry.study_instance_uid)
    return News(newest, tuple(studies), running)


async def stream(console: Console, after: int | None, every_s: float = LOOK_EVERY_S) -> AsyncIterator[str]:
    """Events until the caller goes, the console stops, or ten minutes are over."""
    last = await run_in_threadpool(look, console, after)
    yield "retry: 3000\n\n"
    if after is not None and last.newest != after:
        yield last.event()
    begun = spoke = time.monotonic()
    while not console.stop.is_set() and time.monotonic() - begun < LONGEST_S:
        await anyio.sleep(every_s)
        news = await run_in_threadpool(look, console, last.newest)
        if news.newest != last.newest or news.running != last.running:
            yield news.event()
            spoke = time.monotonic()
        elif time.monotonic() - spoke > SIGN_OF_LIFE_S:
            yield ": still here\n\n"
            spoke = time.monotonic()
        last = news
