"""Slice Thickness (0018,0050) in mm; the slice spacing where the header has none."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dicom_node.routing.predicates.base import Between

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts


class ThicknessMm(Between):
    """The slice thickness lies within limits."""

    noun: ClassVar[str] = "slice thickness"

    kind: Literal["thickness_mm"] = "thickness_mm"

    def measure(self, series: SeriesFacts) -> float | None:
        return series.thickness_mm
