"""When a series was acquired, for the order of series before and after contrast."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dicom_node.routing.header import Header, number, text

HALF_DAY_S = 43200.0


@dataclass(frozen=True, order=True)
class Started:
    """Date (DA), seconds since midnight and series number; sorts in the order of acquisition."""

    date: str = ""
    seconds: float = -1.0
    series_number: float = 0.0

    @property
    def known(self) -> bool:
        """True where a clock, and not the series number alone, told it."""
        return self.seconds >= 0.0


def started(headers: Sequence[Header]) -> Started:
    """The earliest acquisition time of a series, else its series time (DA and TM, PS3.5 6.2).

    Enhanced images have no Acquisition Time but an Acquisition DateTime, and a scanner may give all series of a study
    one Series Time.
    """
    clocks = [seconds for header in headers if (seconds := _acquired(header)) is not None]
    first = headers[0]
    seconds = _earliest(clocks) if clocks else _seconds(text(first, "SeriesTime"))
    return Started(
        date=text(first, "SeriesDate"),
        seconds=-1.0 if seconds is None else seconds,
        series_number=number(first, "SeriesNumber") or 0.0,
    )


def _acquired(header: Header) -> float | None:
    clock = _seconds(text(header, "AcquisitionTime"))
    if clock is not None:
        return clock
    moment = re.fullmatch(r"\d{8}(\d[\d.]*)([+-]\d{4})?", text(header, "AcquisitionDateTime"))  # DT, PS3.5 6.2
    return _seconds(moment[1]) if moment else None


def _earliest(clocks: Sequence[float]) -> float:
    """The first of the clock times of one series, which may go on past midnight; no series takes half a day."""
    last = max(clocks)
    return min(clock for clock in clocks if last - clock < HALF_DAY_S)


def _seconds(value: str) -> float | None:
    found = re.fullmatch(r"(\d\d):?(\d\d)?:?(\d\d(?:\.\d*)?)?", value)
    if not found:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
