"""Whether a node gets slower as its database fills: ingest, every question of every stage and chore, every page.

python tests/benchmarks/growth.py [--studies 20000] [--images 50] [--rounds 15] [--postgres | --without-sqlite] [--only
WORD] [--record FOLDER]. A node with a history of so many studies of so many images (by default a million) and one with
a full page of them are asked in this process by turns. Ingest is the receiver's own way through storage: one commit an
instance, without the network and the file. Stages and chores have nothing to do: what they cost then they cost all day.
Every study is kept for ever, and retention has to find that out. Claims are made with a job, a delivery, a fetch and a
commitment waiting, and rolled back. Pages are asked for as an administrator. The ratio is of medians, the small node's
over the grown one's; exits with 1 where one is below 0.9.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from harness import Comparison, Record, options, report, take_turns
from history import CT_IMAGE, fill
from many_studies import PAGE, ask, databases, empty_node, vacuum
from private_postgres import running_postgres

from dicom_node.acts.people import forget as forget_people
from dicom_node.alerts.watch import chores as watching
from dicom_node.assembly import Parts, cleaner, owner, stages
from dicom_node.audit.ledger import forget
from dicom_node.models.trials import trials
from dicom_node.running.upkeep import Upkeep
from dicom_node.storing import watermarks
from storage.database import Transaction
from storage.leaving.outbox import Sender
from storage.lifecycle import FetchState
from storage.records import FetchPurpose, Instance, InstanceKind, Reference, StoredFile, Wanted
from storage.recovery import recover
from storage.upkeep.reconcile import sweep_orphans

WANTED = 0.9
BLOCK = 50  # instances that one figure of ingest is taken over
CALLS, VIEWS = 20, 3  # of a stage or a claim, and of a page, of which the shortest counts
MORE = """
destinations:
  pacs: {kind: dimse, ae_title: PACS, host: 127.0.0.1, port: 104, iocm: true}
commitment: {service: own}
priors: {archive: pacs}
retention: [{state: committed, after_days: 0}]
"""
PAGES = ("/", "/studies", "/studies/1.2.826.7", "/deliveries", "/peers", "/models", "/routing", "/about", "/account",
         "/users", "/audit", "/try", "/api/v1/status", "/api/v1/studies", "/api/v1/deliveries",
         "/metrics")  # fmt: skip
Timed = Mapping[str, Callable[[], float]]
Clock = Callable[[], float]


def grown(folder: Path, url: str, studies: int, images: int) -> Parts:
    """A node with such a history."""
    parts = empty_node(folder, url, MORE)
    fill(parts, studies, images)
    if url:  # as PostgreSQL does by itself in the course of a year
        vacuum(url)
    return parts


def seconds(work: Callable[[], object], calls: int, clock: Clock) -> float:
    """The shortest of so many calls: what others do on the machine can only lengthen one."""
    took = []
    for _ in range(calls):
        start = clock()
        work()
        took.append(clock() - start)
    return min(took)


def ingest(parts: Parts, clock: Clock) -> Timed:
    """One commit an instance, of a new study each time; the one in the middle of a block counts."""
    del clock  # what counts is when the sender is answered
    numbers = itertools.count()

    def arrive() -> float:
        study, took = f"1.2.840.1.{next(numbers)}", []
        for image in range(BLOCK):
            start = time.perf_counter()
            with parts.database.transaction() as tx:
                if image == 0:
                    tx.associations.open(study, "bench", "CT1", "SEGNODE", "127.0.0.1", time.time(), 30.0)
                tx.studies.add_instance(arriving(study, image), {"PatientID": study, "PatientName": "Doe^Jane"})
                tx.by_hand.end(study, study)
            took.append(time.perf_counter() - start)
        return median(took)

    return {"ingest of an instance": arrive}


def arriving(study: str, image: int) -> Instance:
    """An image of a CT as the index gets it."""
    name = f"{hash((study, image)) & (2**64 - 1):064x}"
    return Instance(
        sop_instance_uid=f"{study}.1.{image}", sop_class_uid=CT_IMAGE, series_instance_uid=f"{study}.1",
        study_instance_uid=study, transfer_syntax_uid="1.2.840.10008.1.2.1", kind=InstanceKind.IMAGE,
        file=StoredFile(f"ab/cd/{name[:32]}/{name[32:]}.dcm", 526_000, name), received_at=time.time(),
        association_id=study, header={"Modality": "CT", "InstanceNumber": image, "PixelSpacing": [0.7, 0.7]},
    )  # fmt: skip


def rounds_of_stages(parts: Parts, clock: Clock) -> Timed:
    """Each stage, with nothing to do."""
    made = {stage.name: stage for stage in [*stages(parts, SimpleNamespace(slots=1)), *trials(parts)]}
    for stage in made.values():
        if stage.step(time.time()):
            raise SystemExit(f"{stage.name} has found work, which this history has not")

    def idle(name: str) -> Callable[[], float]:
        stage, hours = made[name], itertools.count(int(time.time()) + 3600, 3600)  # whoever pauses has done so
        return lambda: seconds(lambda: stage.step(float(next(hours))), CALLS, clock)

    return {f"stage {name}": idle(name) for name in made if not name.startswith("deliver-pacs-1")}


def claims(parts: Parts, clock: Clock) -> Timed:
    """Each claim, with work that waits; rolled back, so that it waits the next time too."""
    now = time.time()
    study = "1.2.826.7"
    with parts.database.transaction() as tx:
        done = tx.jobs.of_study(study)[0]
        waiting = {"job_id": f"waiting-{now}", "state": type(done.state)("PENDING")}
        tx.jobs.add(type(done)(**{**vars(done), **waiting}))
        (delivery,) = tx.deliveries.of_study(study)
        tx.deliveries.retry(delivery.delivery_id, now)
        tx.commitments.add("pacs", [Reference(CT_IMAGE, f"{study}.1.0")], now, due_at=now)
        wanted = Wanted(study, "pacs", FetchPurpose.MISSING, 60.0, now, {})
        tx.fetches.want(wanted, now, over=tuple(FetchState))
    asked: dict[str, Callable[[Transaction], object]] = {
        "jobs": lambda tx: tx.jobs.claim("bench", now + 1, 30.0),
        "deliveries": lambda tx: tx.outbox.claim(Sender("pacs"), "bench", now + 1, 30.0),
        "commitments": lambda tx: tx.commitments.claim("bench", now + 1, 30.0),
        "fetches": lambda tx: tx.fetches.claim("bench", now + 1, 30.0, FetchPurpose.MISSING),
    }
    return {f"claim of {name}": _rolled_back(parts, claim, clock) for name, claim in asked.items()}


class _Back(Exception):
    """Takes a transaction back."""


def _take_back(found: object) -> None:
    raise SystemExit("a claim has found nothing") if found is None else _Back


def _rolled_back(parts: Parts, claim: Callable[[Transaction], object], clock: Clock) -> Callable[[], float]:
    def once() -> None:
        try:
            with parts.database.transaction() as tx:
                _take_back(claim(tx))
        except _Back:
            return

    return lambda: seconds(once, CALLS, clock)


def chores(parts: Parts, clock: Clock) -> Timed:
    """What the clock does."""
    parts.archive.folder("1.2.826.7").mkdir(parents=True, exist_ok=True)
    prefix = parts.archive.folder("1.2.826.7").relative_to(parts.archive.root).parts[0]
    known: dict[str, Callable[[], object]] = {
        "recover": lambda: recover(parts.database, parts.archive, time.time(), 2),
        "retain": lambda: Upkeep(cleaner(parts), watermarks(parts.settings)).retain(),
        "watch the disk": Upkeep(cleaner(parts), watermarks(parts.settings)).watch,
        "sweep": lambda: sweep_orphans(parts.database, parts.archive, prefix, time.time()),
        "forget people": lambda: forget_people(parts, time.time()),
        "forget audit": lambda: forget(parts.database, time.time(), 3650.0),
    }
    known |= {chore.name: chore.run for chore in watching(lambda: parts, owner("clock")) if chore.name != "notices"}
    return {f"clock: {name}": lambda run=run: seconds(run, VIEWS, clock) for name, run in known.items()}


def pages(parts: Parts, clock: Clock) -> Timed:
    """The console and the API, the first view of each."""
    get = ask(parts)
    return {f"GET {place}": lambda place=place: seconds(lambda: get(place), VIEWS, clock) for place in PAGES}


# They look through what has ended: a part at a time, every ten minutes; what was superseded, once a minute.
BOUNDED = ("clock: retain", "stage withdraw")
GROUPS = (ingest, rounds_of_stages, chores, pages, claims)  # claims leave work behind: they come last


def compared(kind: str, few: Parts, many: Parts, rounds: int, only: str) -> Iterator[Comparison]:
    """Every line of one database. SQLite works in this process: there the processor's time tells, else the clock's."""
    clock = time.process_time if kind == "SQLite" else time.perf_counter
    for group in GROUPS:
        small, large = group(few, clock), group(many, clock)
        for what in small:
            if only not in f"{group.__name__} {what}":
                continue
            found = take_turns({"small": small[what], "large": large[what]}, rounds)
            ms = {name: [1000.0 * one for one in values] for name, values in found.items()}
            ours, other = ("filled", ms["large"]), (f"{PAGE} studies", ms["small"])
            line = Comparison(f"{kind}: {what}", "ms", ours, other, wanted=None if what in BOUNDED else WANTED)
            print(line.line(), file=sys.stderr, flush=True)
            yield line


def main() -> None:
    parser = options(__doc__, rounds=15)
    parser.add_argument("--studies", type=int, default=20_000)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL as well")
    parser.add_argument("--without-sqlite", action="store_true", help="on PostgreSQL alone")
    parser.add_argument("--only", default="", help="what has this word in its group or name")
    asked = parser.parse_args()
    lines: list[Comparison] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kinds = {} if asked.without_sqlite else {"SQLite": ("", "")}
        if asked.postgres or asked.without_sqlite:
            kinds["PostgreSQL"] = databases(stack.enter_context(running_postgres()))
        for kind, urls in kinds.items():
            few, many = (
                grown(folder / f"{kind}-{name}", url, studies, asked.images)
                for name, url, studies in zip(("few", "many"), urls, (PAGE, asked.studies), strict=True)
            )
            lines += compared(kind, few, many, asked.rounds, asked.only)
            few.close()
            many.close()
    remark = (f"filled: {asked.studies} studies of {asked.images} images, all ended; the limit is the same of {PAGE} "
              f"studies; load of the machine {os.getloadavg()[0]:.1f}")  # fmt: skip
    report(Record("growth", lines, [remark]), asked.record)
    sys.exit(any(line.wanted is not None and line.ratio < line.wanted for line in lines))


if __name__ == "__main__":
    main()
