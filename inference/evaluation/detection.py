"""How many nodules a detector finds, and at the price of how many false alarms: FROC by LUNA16's rules.

A candidate hits a nodule where its centre lies nearer to the nodule's than the nodule's radius. A nodule counts once,
with the highest score that hit it; the others on it are ignored, and so are candidates on findings that the readers
did not agree on. All else is a false positive. (Setio et al., Medical Image Analysis 2017; LUNA16, Evaluation.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unscorable
from inference.evaluation.candidates import Candidate, Nodule
from inference.evaluation.intervals import RESAMPLING, Interval, Resampling
from inference.evaluation.record import Record
from inference.evaluation.rules import DIAMETER_BANDS

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # false positives a scan
BAND_RATE = 1.0  # the rate at which bands of diameter are compared
MARKS_PER_SCAN = 100  # LUNA16 looks at no more of a scan: those that are surer than the next
UNSIZED_MM = 10.0  # the diameter that LUNA16 gives a finding that has none (-1)
_CURVE_POINTS = 400  # enough for a picture

Floats = NDArray[np.float64]


class BandSensitivity(Record):
    """Nodules of a band of diameter: how many, how many were hit at all, and how many at `BAND_RATE`."""

    band: str
    nodules: int
    hit: int
    hit_at_rate: int


class Froc(Record):
    """A detector's free-response ROC: sensitivities `at` the `rates` of false positives a scan; `cpm` is their mean.

    `curve` runs from the surest candidate to the least sure: (false positives a scan, sensitivity).
    """

    name: str
    scans: int
    nodules: int
    hit: int
    false_positives: int
    repeated: int  # further candidates on a nodule already hit
    irrelevant: int  # candidates on findings that are neither right nor wrong
    curve: tuple[tuple[float, float], ...]
    rates: tuple[float, ...] = RATES
    at: tuple[Interval, ...]
    cpm: Interval
    bands: tuple[BandSensitivity, ...]


@dataclass
class _Tally:
    """What the candidates came to: the best score on each nodule, and scan and score of each false positive."""

    homes: list[int]  # the scan of each nodule
    best: list[float | None]  # None where missed
    alarms: list[tuple[int, float]] = field(default_factory=list)
    repeated: int = 0
    irrelevant: int = 0


def froc(name: str, scans: Sequence[str], nodules: Sequence[Nodule], candidates: Iterable[Candidate],
         excluded: Iterable[Nodule] = (), resampling: Resampling = RESAMPLING) -> Froc:
    """Judge the candidates of all `scans`, also of those without nodule or candidate; intervals by resampling scans.

    `excluded` are findings that are neither right nor wrong (LUNA16's annotations_excluded).
    """
    if not nodules:
        raise Unscorable(f"{name} has no nodule: a sensitivity needs at least one")
    tally = _tally(scans, nodules, candidates, excluded)
    steps = _Steps(tally, len(scans))
    fps, sensitivity = steps.curve(np.ones(len(scans)))
    at, cpm = _intervals(steps, resampling)
    return Froc(
        name=name, scans=len(scans), nodules=len(nodules), hit=sum(score is not None for score in tally.best),
        false_positives=len(tally.alarms), repeated=tally.repeated, irrelevant=tally.irrelevant,
        curve=_thinned(fps, sensitivity), at=at, cpm=cpm, bands=_bands(nodules, tally, len(scans)),
    )


def _tally(scans: Sequence[str], nodules: Sequence[Nodule], candidates: Iterable[Candidate],
           excluded: Iterable[Nodule]) -> _Tally:
    place = {scan: number for number, scan in enumerate(scans)}
    if len(place) != len(scans):
        raise Unscorable("a scan is listed twice: list each once, or it counts twice")
    homes = [_home(nodule, place) for nodule in nodules]
    true: dict[int, dict[int, Nodule]] = {}
    for number, nodule in enumerate(nodules):
        true.setdefault(homes[number], {})[number] = nodule
    others, marks = dict[int, list[Nodule]](), dict[int, list[Candidate]]()
    for other in excluded:
        others.setdefault(_home(other, place), []).append(other)
    for mark in candidates:
        marks.setdefault(_home(mark, place), []).append(mark)
    tally = _Tally(homes, [None] * len(nodules))
    for scan, found in marks.items():
        _judge(tally, scan, _surest(found), true.get(scan, {}), others.get(scan, []))
    return tally


def _surest(marks: Sequence[Candidate]) -> list[Candidate]:
    """The marks of one scan that are looked at, by score; none of those that tie with the first that is too many."""
    ranked = sorted(marks, key=lambda mark: -mark.score)
    if len(ranked) <= MARKS_PER_SCAN:
        return ranked
    return [mark for mark in ranked[:MARKS_PER_SCAN] if mark.score > ranked[MARKS_PER_SCAN].score]


def _home(thing: Candidate | Nodule, place: Mapping[str, int]) -> int:
    """Which scan of the list it lies in."""
    kind = type(thing).__name__.lower()
    if thing.scan not in place:
        raise Unscorable(f"a {kind} lies in scan {thing.scan}, which is not judged: list the scan or leave it out")
    if isinstance(thing, Candidate) and not math.isfinite(thing.score):
        raise Unscorable(f"a {kind} in scan {thing.scan} has a score of {thing.score}: scores are finite numbers")
    return place[thing.scan]


def _judge(tally: _Tally, scan: int, marks: Sequence[Candidate], true: Mapping[int, Nodule],
           others: Sequence[Nodule]) -> None:
    """Sort the marks of one scan, the surest first, into hits, repeats, irrelevant ones and false alarms."""
    places = np.array([mark.centre for mark in marks], dtype=np.float64).reshape(-1, 3)
    on_nodule, on_other = within(places, list(true.values())), within(places, others)
    for column, number in enumerate(true):
        hits = np.flatnonzero(on_nodule[:, column])
        if hits.size:
            tally.best[number] = marks[hits[0]].score
            tally.repeated += int(hits.size) - 1
    right = on_nodule.any(axis=1)
    alarm = ~right & ~on_other.any(axis=1)
    tally.irrelevant += int(np.count_nonzero(~right & ~alarm))
    tally.alarms += [(scan, marks[row].score) for row in np.flatnonzero(alarm).tolist()]


def within(places: Floats, nodules: Sequence[Nodule]) -> NDArray[np.bool_]:
    """Shape (places, nodules): does the place (x, y, z) in LPS mm lie nearer to the centre than the radius?"""
    radii = np.array([(n.diameter_mm if n.diameter_mm >= 0 else UNSIZED_MM) / 2 for n in nodules])
    centres = np.array([nodule.centre for nodule in nodules], dtype=np.float64).reshape(1, -1, 3)
    return np.asarray(np.linalg.norm(places[:, None] - centres, axis=-1) < radii)


class _Steps:
    """Hits and false alarms from the surest down, so that a curve is two running sums."""

    def __init__(self, tally: _Tally, scans: int) -> None:
        hits = [(home, score) for home, score in zip(tally.homes, tally.best, strict=True) if score is not None]
        events = hits + tally.alarms
        scores = np.array([score for _, score in events])
        order = np.argsort(-scores, kind="stable")
        self.scans = scans
        self.homes = np.array(tally.homes, dtype=np.intp)
        self._scan = np.array([scan for scan, _ in events], dtype=np.intp)[order]
        self._right = (np.arange(len(events)) < len(hits))[order]
        sorted_scores = scores[order]
        self._last = np.flatnonzero(np.append(np.diff(sorted_scores) != 0, True)) if len(events) else np.zeros(0, int)
        self.scores = sorted_scores[self._last]

    def curve(self, weights: Floats) -> tuple[Floats, Floats]:
        """False positives a scan and sensitivity after each distinct score, from (0, 0); a scan counts by its weight.

        A sensitivity is NaN where no nodule has weight.
        """
        weight = weights[self._scan]
        alarms = np.cumsum(np.where(self._right, 0.0, weight))[self._last]
        hits = np.cumsum(np.where(self._right, weight, 0.0))[self._last]
        nodules = weights[self.homes].sum()
        sensitivity = hits / nodules if nodules else np.full(hits.shape, np.nan)
        return np.append(0.0, alarms / weights.sum()), np.append(0.0, sensitivity)


def _intervals(steps: _Steps, resampling: Resampling) -> tuple[tuple[Interval, ...], Interval]:
    """Sensitivity at each rate and their mean; between two scores the curve is a straight line, as in LUNA16."""
    fps, sensitivity = steps.curve(np.ones(steps.scans))
    value = np.interp(RATES, fps, sensitivity)
    drawn = np.array([
        np.interp(RATES, *steps.curve(np.bincount(draw, minlength=steps.scans).astype(np.float64)))
        for draw in resampling.draws(steps.scans)
    ])
    drawn = drawn[np.isfinite(drawn).all(axis=1)]  # a resample without any nodule says nothing
    low, high = np.percentile(drawn, resampling.ends, axis=0)
    cpm_low, cpm_high = np.percentile(drawn.mean(axis=1), resampling.ends)
    single = steps.scans < 2

    def interval(mean: float, low: float, high: float) -> Interval:
        return Interval(mean=float(mean), low=None if single else float(low), high=None if single else float(high),
                        n=steps.scans)

    return (tuple(interval(*ends) for ends in zip(value, low, high, strict=True)),
            interval(float(value.mean()), float(cpm_low), float(cpm_high)))


def _bands(nodules: Sequence[Nodule], tally: _Tally, scans: int) -> tuple[BandSensitivity, ...]:
    """Hits by diameter: all, and those at the lowest score that keeps to `BAND_RATE` false positives a scan."""
    steps = _Steps(tally, scans)
    fps, _ = steps.curve(np.ones(scans))
    within = steps.scores[fps[1:] <= BAND_RATE]
    threshold = float(within[-1]) if within.size else math.inf
    rows = []
    for band in DIAMETER_BANDS:
        scores = [best for nodule, best in zip(nodules, tally.best, strict=True) if band.holds(nodule.diameter_mm)]
        hit = [score for score in scores if score is not None]
        if scores:
            rows.append(BandSensitivity(band=band.name, nodules=len(scores), hit=len(hit),
                                        hit_at_rate=sum(score >= threshold for score in hit)))
    return tuple(rows)


def _thinned(fps: Floats, sensitivity: Floats) -> tuple[tuple[float, float], ...]:
    keep = np.unique(np.linspace(0, fps.size - 1, min(fps.size, _CURVE_POINTS)).round().astype(int))
    return tuple((float(fps[n]), float(sensitivity[n])) for n in keep)
