"""Candidates of a nodule detector as LUNA16's CSV: seriesuid, coordX, coordY, coordZ, probability."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inference.errors import Unscorable

HEADER = ("seriesuid", "coordX", "coordY", "coordZ", "probability")

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Candidate:
    """A place that may be a nodule: scan, centre (x, y, z) in LPS mm, and how likely; higher is surer."""

    scan: str
    centre: Point
    score: float


@dataclass(frozen=True)
class Nodule:
    """A true nodule, or a finding that is neither right nor wrong: scan, centre (x, y, z) in LPS mm, diameter in mm.

    A diameter below 0 says that none was measured.
    """

    scan: str
    centre: Point
    diameter_mm: float


def write_candidates(path: Path, candidates: Iterable[Candidate]) -> Path:
    """Write candidates, one a row; every number as it is read back."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows((c.scan, *(repr(float(v)) for v in (*c.centre, c.score))) for c in candidates)
    return path


def read_candidates(path: Path) -> list[Candidate]:
    """Read candidates; Unscorable names the line that is none."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = [name for name in HEADER if name not in (reader.fieldnames or ())]
        if missing:
            raise Unscorable(f"{path.name} has no column {', '.join(missing)}: LUNA16's header is {','.join(HEADER)}")
        return [_candidate(row, path.name, number) for number, row in enumerate(reader, start=2)]


def _candidate(row: dict[str, str | None], name: str, line: int) -> Candidate:
    try:
        x, y, z, score = (float(row[column] or "") for column in HEADER[1:])
    except ValueError:
        raise Unscorable(f"{name}, line {line}: coordinates and probability are numbers") from None
    if not row["seriesuid"] or not all(math.isfinite(value) for value in (x, y, z, score)):
        raise Unscorable(f"{name}, line {line}: a candidate has a seriesuid and finite numbers")
    return Candidate(row["seriesuid"], (x, y, z), score)
