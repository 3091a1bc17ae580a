"""What a model found, in terms that outlive the model: labels, codes, measurements, identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from inference.codes import Code
from inference.trend import Trend
from inference.volume import Grid, SliceSource


class IntendedUse(StrEnum):
    """What a model's results may be used for; destinations say which they accept."""

    DEMONSTRATION = "demonstration"
    RESEARCH = "research"
    CLINICAL = "clinical"


@dataclass(frozen=True)
class Measurement:
    """One number with its quantity, UCUM unit and, where it has them, derivation and method."""

    quantity: Code
    value: float
    unit: Code
    derivation: Code | None = None
    method: Code | None = None


@dataclass(frozen=True)
class Structure:
    """A thing that a task can find: its label in the model's map, name, codes and colour.

    `per_lesion`: each connected lesion becomes a finding of its own ("Nodule 1", "Nodule 2").
    """

    label: int
    name: str
    category: Code
    type: Code
    region: Code | None
    rgb: tuple[int, int, int]
    per_lesion: bool = False


class Point(NamedTuple):
    """A place on a slice, in pixels: 0, 0 is the centre of the first pixel, so -0.5 is its outer edge."""

    row: float
    column: float


@dataclass(frozen=True)
class Axes:
    """Where a finding's long and short axis lie: their end points on one slice of the source grid, counted from 0.

    The axes cross at a right angle; each is as long as the finding's measurement of it.
    """

    slice: int
    long: tuple[Point, Point]
    short: tuple[Point, Point]

    def moved(self, slices: int, rows: int, columns: int) -> Axes:
        """The same axes on a grid that begins that much earlier."""
        (a, b), (c, d) = ((Point(p.row + rows, p.column + columns) for p in line) for line in (self.long, self.short))
        return Axes(self.slice + slices, (a, b), (c, d))


@dataclass(frozen=True)
class Place:
    """Where a finding lies: its centre of gravity in LPS mm, its first and last slice counted from 0."""

    centre: tuple[float, float, float]
    first_slice: int
    last_slice: int


class Entropy(NamedTuple):
    """How unsure the model was of a finding, 0 (sure) to 1: mean over its voxels, and on both sides of its surface."""

    inside: float
    border: float


class Agreement(NamedTuple):
    """How well several passes of a model, or several folds, agree: mean pairwise Dice 0..1 by region's name."""

    members: int
    dice: dict[str, float]


@dataclass(frozen=True)
class Finding:
    """One structure or lesion of a result: the voxels of `number` in the result's label map."""

    number: int  # value in the label map, 1..N without gaps
    label: str  # shown to the radiologist, at most 64 characters
    structure: Structure
    measurements: tuple[Measurement, ...]
    voxels: int
    volume_ml: float
    laterality: Code | None = None
    confidence: float | None = None  # 0..1
    entropy: Entropy | None = None
    axes: Axes | None = None  # None where several lesions share the finding
    place: Place | None = None
    flags: tuple[str, ...] = ()  # what to mind about its measurements, in plain words
    count: int = 1  # lesions that share it
    lesion: int = 0  # which lesion it is, or is a region of, counted from the largest; 0: it is none
    tracking_uid: str = ""  # by which a prior knows it; "" where none does


@dataclass(frozen=True)
class ModelIdentity:
    """Which model made a result; enters UIDs, algorithm identification and every picture."""

    name: str
    version: str
    sha256: str  # over the weights and configuration that were run
    manufacturer: str
    intended_use: IntendedUse
    clearance: str = ""  # required text where the use is clinical


@dataclass(frozen=True, eq=False)
class Result:
    """Answer to a request, picklable and small: masks lie in a scratch file.

    `labelmap`: .npy of uint8 or uint16, shape (z, y, x) on `grid`, which is the primary role's source
    grid; 0 is background, n the voxels of `findings[n-1]`. `probability` and `uncertainty` (entropy, 0..1)
    are .npy float16 on the same grid where the backend gives them.
    `totals`: measurements over several findings (whole tumour, tumour core), by name; they are not segments.
    """

    task: str
    model: ModelIdentity
    grid: Grid
    primary_role: str
    labelmap: Path
    findings: tuple[Finding, ...]
    totals: tuple[tuple[str, Measurement], ...] = ()
    sources: dict[str, tuple[SliceSource, ...]] = field(default_factory=dict)  # by role, in slice order
    probability: Path | None = None
    uncertainty: Path | None = None
    agreement: Agreement | None = None  # None where one pass was made; the notes say it in words
    notes: tuple[str, ...] = ()  # quality flags in plain words, also in the SR
    trend: Trend | None = None  # beside the prior, where there is one
    seconds: dict[str, float] = field(default_factory=dict)  # by step: read, prepare, network, postprocess…
    device: str = "cpu"
