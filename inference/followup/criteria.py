"""Sums over target lesions and how they changed, by the thresholds of RECIST 1.1 and of RANO.

Geometry only. A category here is a *change by the thresholds*, not a response: what the criteria ask beyond sizes
(non-target lesions, lymph nodes, symptoms, steroids, FLAIR, confirmation after four weeks) is for a physician.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from inference.codes import Code
from inference.followup.timeline import in_order
from inference.trend import Size, TimePoint

ROUNDING = 1e-9  # 30 % of 10 mm is 3 mm, whatever the binary digits say


class Category(StrEnum):
    """The bands between the thresholds, in the criteria's own words."""

    CR = "complete response"
    PR = "partial response"
    SD = "stable disease"
    PD = "progressive disease"


@dataclass(frozen=True)
class Criterion:
    """A rule that sums targets: what is summed, which lesions qualify at baseline, where the thresholds lie.

    `decrease` is a share of the baseline's sum, `increase` of the smallest sum so far, which also has to grow by
    `least_increase` in `unit`.
    """

    name: str
    unit: str
    measure: Callable[[Size], float]
    measurable: Callable[[Size], bool]
    targets: int
    targets_per_organ: int
    decrease: float
    increase: float
    least_increase: float = 0.0


RECIST = Criterion("RECIST 1.1", "mm", measure=lambda size: size.long_mm, measurable=lambda size: size.long_mm >= 10,
                   targets=5, targets_per_organ=2, decrease=0.30, increase=0.20, least_increase=5.0)
"""Eisenhauer, Eur J Cancer 45:228 (2009), 3.1 to 4.3: sum of longest diameters in the plane of the images.

Measurable from 10 mm where slices are 5 mm or thinner, else from twice the slice thickness. The rule for lymph nodes
(short axis, 15 mm) is not applied: none of the tasks segments them.
"""

RANO = Criterion("RANO", "mm2", measure=lambda size: size.long_mm * size.short_mm,
                 measurable=lambda size: min(size.long_mm, size.short_mm) >= 10,
                 targets=5, targets_per_organ=5, decrease=0.50, increase=0.25)
"""Wen, J Clin Oncol 28:1963 (2010): sum of products of perpendicular diameters of enhancing lesions.

Give it enhancing lesions only, each by itself.
"""


@dataclass(frozen=True)
class Sum:
    """The targets' sum at one date; None where a target is not known there.

    `baseline` is the first date's sum, `nadir` the smallest before this date; `from_baseline` and `from_nadir` are
    shares of those (-0.3 is 30 % less), None where they are zero. `category` None where nothing can be said, and on
    the first date.
    """

    value: float | None
    baseline: float
    nadir: float
    from_baseline: float | None
    from_nadir: float | None
    category: Category | None
    new: int  # lesions since the first date
    reason: str = ""


@dataclass(frozen=True)
class Sums:
    """`targets` by tracking UID, chosen on the first date, the largest first; one sum a date."""

    criterion: str
    unit: str
    targets: tuple[str, ...]
    sums: tuple[Sum, ...]


def sums_of(points: Sequence[TimePoint], criterion: Criterion) -> Sums:
    """The criterion's sums along the dates; the first one is the baseline. ValueError without any date."""
    if not points:
        raise ValueError("sums need a baseline")
    points = in_order(points)
    targets = _targets(points[0], criterion)
    baseline = sum(criterion.measure(points[0].seen[uid].size) for uid in targets)
    sums: list[Sum] = []
    nadir = baseline
    new: set[str] = set()
    for number, point in enumerate(points):
        value, reason = _value(targets, points[:number + 1], criterion)
        new.update(point.new if number else ())
        category = _category(value, baseline, nadir, len(new), criterion) if number else None
        sums.append(Sum(value, baseline, nadir, _share(value, baseline), _share(value, nadir), category, len(new),
                        reason))
        nadir = nadir if value is None else min(nadir, value)
    return Sums(criterion.name, criterion.unit, targets, tuple(sums))


def _targets(point: TimePoint, criterion: Criterion) -> tuple[str, ...]:
    """The largest measurable lesions that their images show whole; lesions of an unknown organ count as of one."""
    order = sorted(point.seen, key=lambda uid: (-criterion.measure(point.seen[uid].size), uid))
    chosen: list[str] = []
    organs: list[Code | None] = []
    for uid in order:
        lesion = point.seen[uid]
        if (lesion.size.whole and criterion.measurable(lesion.size) and len(chosen) < criterion.targets
                and organs.count(lesion.organ) < criterion.targets_per_organ):
            chosen.append(uid)
            organs.append(lesion.organ)
    return tuple(chosen)


def _value(targets: Sequence[str], until: Sequence[TimePoint], criterion: Criterion) -> tuple[float | None, str]:
    """The sum on the last date; a target that vanished and was not seen since counts 0, as it does in both criteria."""
    if not targets:
        return None, "no lesion was measurable on the first date"
    point, total = until[-1], 0.0
    for uid in targets:
        if uid in point.seen:
            if not point.seen[uid].size.whole:
                return None, "a target reaches the edge of the images"
            total += criterion.measure(point.seen[uid].size)
        elif not _gone(uid, until):
            return None, "a target is not known on this date"
    return total, ""


def _gone(uid: str, until: Sequence[TimePoint]) -> bool:
    for point in reversed(until):
        if uid in point.vanished:
            return True
        if uid in point.seen:
            return False
    return False


def _category(value: float | None, baseline: float, nadir: float, new: int, criterion: Criterion) -> Category | None:
    """Progression goes before all else: a sum may lie below the baseline and yet far above its smallest."""
    if new:
        return Category.PD
    if value is None:
        return None
    if value - nadir >= max(criterion.increase * nadir, criterion.least_increase) - ROUNDING and value > nadir:
        return Category.PD
    if value == 0:
        return Category.CR
    if value <= (1 - criterion.decrease) * baseline + ROUNDING:
        return Category.PR
    return Category.SD


def _share(value: float | None, of: float) -> float | None:
    return None if value is None or of == 0 else (value - of) / of
