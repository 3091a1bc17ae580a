"""How long each step of a study's walk takes: what was measured, as the simulation reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CALIBRATION = Path(__file__).with_name("calibration.json")


@dataclass(frozen=True)
class Receiving:
    """One image by C-STORE: seconds in an association that is alone, processor seconds of the receiver, and images a
    second over four associations."""

    megabytes: float
    alone_s: float
    cpu_s: float
    four_a_s: float


@dataclass(frozen=True)
class Walk:
    """A study of one kind that walks alone, in seconds by step.

    `read`, `prepare` (with what restores) and `measure` are the worker's, beside the network; `encode` the pipeline's,
    with hand-over and store; `stages` is complete, dispatch and claim; `deliver` ends with the archive's answer.
    `result_mb`: of the objects that are stored and sent.
    """

    images: int
    send: float
    stages: float
    read: float
    prepare: float
    measure: float
    encode: float
    deliver: float
    result_mb: float = 0.0


@dataclass(frozen=True)
class Account:
    """What PostgreSQL did for something: transactions, those of them that wrote (and so have a number), statements by
    kind, its processor seconds and the bytes of its write-ahead log."""

    commits: float
    writes: float
    selects: float
    inserts: float
    updates: float
    cpu_s: float
    wal_bytes: float

    def less(self, other: Account, times: float) -> Account:
        """Without what the other accounts for, so many times."""
        return Account(**{name: value - times * getattr(other, name) for name, value in vars(self).items()})

    def share(self, of: float) -> Account:
        """Of one, where it is the account of so many."""
        return Account(**{name: max(0.0, value / of) for name, value in vars(self).items()})


@dataclass(frozen=True)
class Steps:
    """All of it. The database's accounts are of an `image` in an association that is alone, an `image_of_four`
    associations, a `study` from its last image on, an `idle` second of a node with one device, and what one `device`
    more adds to that. `remove_s` is what the clock takes to remove a file and its row, `row_bytes` what an image's row
    takes with its indexes."""

    receiving: Mapping[str, Receiving]
    walks: Mapping[str, Walk]
    accounts: Mapping[str, Account]
    remove_s: float
    row_bytes: float


def steps_of(calibration: Mapping[str, Any]) -> Steps:
    """The steps in a calibration; KeyError or TypeError where it is not one."""
    return Steps(
        receiving={name: Receiving(**one) for name, one in calibration["receiving"].items()},
        walks={name: Walk(**one) for name, one in calibration["walks"].items()},
        accounts={name: Account(**one) for name, one in calibration["accounts"].items()},
        remove_s=calibration["remove_s"],
        row_bytes=calibration["row_bytes"],
    )


def named(some: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Dataclasses by name, as they are written."""
    return {name: rounded(asdict(one)) for name, one in some.items()}


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    """Each to four digits, which are more than such figures have."""
    return {name: value if isinstance(value, int) else float(f"{value:.4g}") for name, value in figures.items()}


def calibration() -> dict[str, Any]:
    """The one that is kept beside this file."""
    return json.loads(CALIBRATION.read_text())
