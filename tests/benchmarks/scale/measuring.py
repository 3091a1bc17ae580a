"""Measures what the simulation reads: images received, studies of full size, the database's accounts, and the curve.

Everything is `segnode serve` over a PostgreSQL that syncs. Lone studies and studies under load take turns on the same
node, so that what else the machine does slows both.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from harness import machine, versions
from scale.committing import committed
from scale.full_size import full_size
from scale.ledger import Ledger, idle_of
from scale.receiving import received
from scale.running import Rig, rig
from scale.setups import IMAGES, SETUPS
from scale.steps import Account, named, rounded

from storage.database import Database

ALONE = 2  # studies before and after each load

NewDatabase = Callable[[], str]
Tell = Callable[[str], None]


@contextmanager
def databases(url: Callable[[str], str]) -> Iterator[NewDatabase]:
    """Gives a function that makes an empty database and tells its URL."""
    numbers = itertools.count()
    with psycopg.connect(url("postgres"), autocommit=True) as admin:

        def new() -> str:
            name = f"scale{next(numbers)}"
            admin.execute(f"CREATE DATABASE {name}")
            return url(name)

        yield new


def measure(part: str, kept: Mapping[str, Any], place: Path, new: NewDatabase, tell: Tell) -> dict[str, Any]:
    """What one of `PARTS` adds to a calibration, or has anew in it."""
    found = PARTS[part](kept, place / part, new, tell)
    tell(f"{part}: {found}")
    whole = {**kept, **found}
    return {**whole, "machine": machine(), "versions": {**whole.get("versions", {}), **versions()}}


def _receive(kept: Mapping[str, Any], place: Path, new: NewDatabase, tell: Tell) -> dict[str, Any]:
    receiving, accounts, row_bytes = received(place, new())
    return {"receiving": named(receiving), "accounts": {**kept.get("accounts", {}), **named(accounts)},
            **rounded({"row_bytes": row_bytes})}  # fmt: skip


def _commit(kept: Mapping[str, Any], place: Path, new: NewDatabase, tell: Tell) -> dict[str, Any]:
    url = new()
    Database.open(url).close()
    return {"commits": [rounded(asdict(committed(url, processes))) for processes in (1, 4)]}


def _walk(kept: Mapping[str, Any], place: Path, new: NewDatabase, tell: Tell) -> dict[str, Any]:
    walks, remove_s = full_size(place, new())
    return {"walks": named(walks), **rounded({"remove_s": remove_s})}


def _curve(kept: Mapping[str, Any], place: Path, new: NewDatabase, tell: Tell) -> dict[str, Any]:
    """Every set-up's lone steps and outcome; the accounts of a study, an idle second and a device."""
    points, idle, image = [], {}, Account(**kept["accounts"]["image"])
    for (workers, model_s), setups in itertools.groupby(SETUPS, key=lambda one: (one.workers, one.model_s)):
        folder, url = place / f"workers-{workers}", new()
        folder.mkdir(parents=True)
        with rig(folder, workers, model_s, url) as running:
            ledger = Ledger(url)
            idle[workers] = idle_of(ledger)
            if workers == 1:
                study = _of_studies(ledger, running, idle[1], image)
            for setup in setups:
                walks = running.alone(ALONE)
                measured = running.under(setup)
                walks += running.alone(ALONE)
                points.append({"setup": asdict(setup), "alone": [rounded(asdict(walk)) for walk in walks],
                               "measured": rounded(asdict(measured))})  # fmt: skip
                tell(f"{setup.name}: {measured}")
            version = ledger.version
            ledger.close()
    most = max(idle)
    accounts = {"study": study, "idle": idle[1], "device": idle[most].less(idle[1], 1).share(most - 1)}
    return {"curve": points, "accounts": {**kept["accounts"], **named(accounts)},
            "versions": {**kept.get("versions", {}), "PostgreSQL": version}}  # fmt: skip


def _of_studies(ledger: Ledger, running: Rig, idle: Account, image: Account, studies: int = 6) -> Account:
    """Of one, without its images and without what the node does anyhow."""
    before, start = ledger.read(), time.monotonic()
    running.sent_alone(studies)
    spent = ledger.read().less(before, 1).less(idle, time.monotonic() - start)
    return spent.less(image, studies * IMAGES).share(studies)


PARTS: dict[str, Callable[[Mapping[str, Any], Path, NewDatabase, Tell], dict[str, Any]]] = {
    "receiving": _receive,
    "commits": _commit,
    "walks": _walk,
    "curve": _curve,
}
