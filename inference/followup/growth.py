"""What became of one lesion between two dates: millilitres, millimetres, per cent, days to double.

Geometry only: whether a change means anything is for a physician to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import log

from inference.trend import Size


@dataclass(frozen=True)
class Change:
    """From one value to another; `percent` of the first, None where that is zero."""

    before: float
    after: float

    @property
    def difference(self) -> float:
        """After less before."""
        return self.after - self.before

    @property
    def percent(self) -> float | None:
        """The difference in per cent of what was before."""
        return 100 * self.difference / self.before if self.before > 0 else None


@dataclass(frozen=True)
class Growth:
    """One lesion at two dates: `volume` in ml, `long` and `short` axis in mm, `days` between, `doubling_days`.

    `whole`: neither size is cut off by the edge of its images; where it is not, nothing here can be relied on.
    """

    volume: Change
    long: Change
    short: Change
    days: int
    doubling_days: float | None
    whole: bool


def growth(before: Size, earlier: date, after: Size, later: date) -> Growth:
    """How one lesion grew; ValueError where the dates run backwards."""
    days = (later - earlier).days
    if days < 0:
        raise ValueError(f"the prior of {earlier} is no prior of {later}")
    return Growth(Change(before.volume_ml, after.volume_ml), Change(before.long_mm, after.long_mm),
                  Change(before.short_mm, after.short_mm), days,
                  doubling_days(before.volume_ml, after.volume_ml, days), before.whole and after.whole)


def doubling_days(before_ml: float, after_ml: float, days: float) -> float | None:
    """Days in which the volume would double at exponential growth: days · ln 2 / ln(after / before).

    Schwartz, Cancer 14:1272 (1961); as used for lung nodules by the BTS guidelines (Callister, Thorax 70 Suppl 2,
    2015), which take less than 25 % of growth for the error of measuring. None where it does not grow, where a
    volume is zero, or where no time has passed.
    """
    if before_ml <= 0 or after_ml <= before_ml or days <= 0:
        return None
    return days * log(2) / log(after_ml / before_ml)
