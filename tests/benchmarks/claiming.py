"""Whether a claim gets slower as jobs queue up: with 100,000 that wait, beside 100: `make bench-claiming`.

python tests/benchmarks/claiming.py [--jobs 100000] [--rounds 15] [--sqlite-only] [--record FOLDER]. Both databases are
asked in this process by turns. A claim is a transaction of its own, committed; the job is ended after it, outside the
time, so that PostgreSQL has to get past what is left of the rows before, as in a day's work. Beside it what looks at
the same queue all day: recovery's two updates, and whether anything runs. Exits with 1 where the many take more than
twice as long as the few.
"""

from __future__ import annotations

import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from harness import Comparison, Record, options, report, take_turns
from many_studies import SOME, databases, empty_node, insert, study_rows, vacuum
from private_postgres import running_postgres

from dicom_node.assembly import Parts
from storage.lifecycle import JobState

FEW = 100
WANTED = 0.5
BLOCK = 20  # claims that one figure is the median of
TERM_S = 600.0
Timed = Mapping[str, Callable[[], float]]


def queued(folder: Path, url: str, jobs: int) -> Parts:
    """A node with so many jobs that wait, of three priorities, and one that runs."""
    parts = empty_node(folder, url)
    for first in range(0, jobs, SOME):
        rows = study_rows(range(first, min(first + SOME, jobs)))
        rows.pop("deliveries")
        for number, job in enumerate(rows["jobs"]):
            job |= {"state": "PENDING", "priority": 50 + number % 3, "finished_at": None, "started_at": None}
        insert(parts, rows)
    with parts.database.transaction() as tx:
        tx.jobs.claim("another", time.time(), TERM_S)
    if url:
        vacuum(url)
    return parts


def looks(parts: Parts) -> Timed:
    """Seconds of each."""
    database = parts.database

    def claim() -> float:
        took = []
        for _ in range(BLOCK):
            start = time.perf_counter()
            with database.transaction() as tx:
                job = tx.jobs.claim("bench", time.time(), TERM_S)
            took.append(time.perf_counter() - start)
            if job is None:
                raise SystemExit("the queue is empty: fewer rounds, please")
            with database.transaction() as tx:
                tx.jobs.finish(job.job_id, "bench", JobState.DONE, time.time())
                tx.jobs.run_again(job.job_id, time.time())  # behind the others, so that as many wait as before
        return median(took)

    def look(ask: Callable[[], object]) -> Callable[[], float]:
        def once() -> float:
            took = []
            for _ in range(BLOCK):
                start = time.perf_counter()
                ask()
                took.append(time.perf_counter() - start)
            return median(took)

        return once

    def recover() -> None:
        with database.transaction() as tx:
            tx.jobs.reap(time.time())
            tx.jobs.fail_crashed(2, time.time())

    def running() -> None:
        with database.reading() as tx:
            tx.jobs.running(time.time())

    return {"claim of a job": claim, "jobs of dead workers": look(recover), "what runs": look(running)}


def compared(kind: str, few: Parts, many: Parts, asked: Namespace) -> Iterator[Comparison]:
    small, large = looks(few), looks(many)
    for what in small:
        found = take_turns({"small": small[what], "large": large[what]}, asked.rounds)
        ms = {name: [1000.0 * one for one in values] for name, values in found.items()}
        ours, other = (f"{asked.jobs} wait", ms["large"]), (f"{FEW} wait", ms["small"])
        yield Comparison(f"{kind}: {what}", "ms", ours, other, wanted=WANTED)


def main() -> None:
    parser = options(__doc__, rounds=15)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--sqlite-only", action="store_true")
    asked = parser.parse_args()
    lines: list[Comparison] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kinds = {"SQLite": ("", "")}
        if not asked.sqlite_only:
            kinds["PostgreSQL"] = databases(stack.enter_context(running_postgres()))
        for kind, urls in kinds.items():
            few, many = (
                queued(folder / f"{kind}-{jobs}", url, jobs)
                for url, jobs in zip(urls, (FEW, asked.jobs), strict=True)
            )
            lines += compared(kind, few, many, asked)
            few.close()
            many.close()
    report(Record("claiming", lines), asked.record)
    sys.exit(any(line.ratio < WANTED for line in lines))


if __name__ == "__main__":
    main()
