"""What became of a patient's lesions since earlier dates: plain facts, known by tracking UID.

Geometry only: whether a change means anything is for a physician to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from inference.codes import Code


class Outcome(StrEnum):
    """What became of lesions from the prior to the current study."""

    MATCHED = "matched"
    NEW = "new"
    VANISHED = "vanished"
    RETURNED = "found again"  # an earlier study shows it, the prior does not
    SPLIT = "split"  # one lesion lies where several are now
    MERGED = "merged"  # several lesions lay where one is now
    AMBIGUOUS = "ambiguous"  # more than one way to pair them is nearly as good
    UNCERTAIN = "uncertain"  # something is near, but a gate holds
    OUTSIDE = "outside the images"  # the other study does not show the place
    NOT_COMPARED = "not compared"  # the prior was not registered


def lesion_of(label: str) -> str:
    """The lesion that a finding of this name is a region of ("Lesion 2"); "" where it is one by itself."""
    found = re.match(r"Lesion \d+(?= )", label, re.ASCII)
    return found[0] if found else ""


@dataclass(frozen=True)
class Size:
    """`volume_ml`, and the in-plane long and short axis in mm. `whole`: it does not reach the edge of the images."""

    volume_ml: float
    long_mm: float
    short_mm: float
    whole: bool = True

    @property
    def radius_mm(self) -> float:
        """Of the sphere of the same volume."""
        return float((self.volume_ml * 1000 * 3 / (4 * math.pi)) ** (1 / 3))


@dataclass(frozen=True)
class Seen:
    """A lesion as measured at one date, its organ, how it was called there ("Nodule 2"), and what it is."""

    size: Size
    organ: Code | None = None
    label: str = ""
    type: Code | None = None


@dataclass(frozen=True)
class TimePoint:
    """One date: the lesions seen, by tracking UID; which of them are `new`; which earlier ones have `vanished`.

    A lesion that is neither seen nor vanished is not known at this date (outside the images, ambiguous…). `lost` says
    of those that vanished at this date or before where they would lie: centre (x, y, z) in LPS mm of its images.
    """

    taken: date
    seen: Mapping[str, Seen] = field(default_factory=dict)
    new: frozenset[str] = frozenset()
    vanished: frozenset[str] = frozenset()
    lost: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Since:
    """One lesion between the prior and the current study.

    `before` is None where the prior does not show it, `after` where the current study does not. `doubling_days` only
    where it grew. `evidence` holds the numbers that decided a match (distance_mm, overlap, dice, volume_ratio,
    residual_mm, cost, runner_up).
    """

    outcome: Outcome
    tracking_uid: str
    label: str
    type: Code
    organ: Code | None = None
    before: Size | None = None
    after: Size | None = None
    doubling_days: float | None = None
    reason: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class TargetSum:
    """The sum over target lesions by a criterion ("RECIST 1.1" in mm, "RANO" in mm2) on the current date.

    `value` is None where it cannot be said, with the `reason`. `baseline` is the first date's sum, `nadir` the
    smallest before this one; `from_baseline` and `from_nadir` are shares of those (-0.3 is 30 % less). `category`
    is the band between the criterion's thresholds, no response. `new`: lesions since the first date.
    """

    criterion: str
    unit: str
    targets: int
    value: float | None
    baseline: float
    nadir: float
    from_baseline: float | None = None
    from_nadir: float | None = None
    category: str = ""
    new: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Trend:
    """A result beside its prior. `points` are all dates that are known, oldest first, the last one this study's.

    `refusal` says why the prior was not compared, "" where it was; `registration` is "rigid" or "affine" then.
    `agreement` holds the numbers that the registration was judged by (similarity, overlap, residual_mm, …).
    `other_model` names the one that measured the prior where this study's was measured by another, else "".
    """

    prior_study_uid: str
    prior_taken: date
    taken: date
    lesions: tuple[Since, ...] = ()
    sums: tuple[TargetSum, ...] = ()
    points: tuple[TimePoint, ...] = ()
    registration: str = ""
    agreement: Mapping[str, float] = field(default_factory=dict)
    refusal: str = ""
    other_model: str = ""

    @property
    def days(self) -> int:
        """From the prior to this study."""
        return (self.taken - self.prior_taken).days
