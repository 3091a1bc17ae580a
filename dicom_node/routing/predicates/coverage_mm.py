"""From the first slice's centre to the last one's, plus one slice, in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dicom_node.routing.predicates.base import Between

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts


class CoverageMm(Between):
    """The coverage along the slice axis lies within limits."""

    noun: ClassVar[str] = "coverage along the slice axis"

    kind: Literal["coverage_mm"] = "coverage_mm"

    def measure(self, series: SeriesFacts) -> float | None:
        return series.geometry.coverage_mm
