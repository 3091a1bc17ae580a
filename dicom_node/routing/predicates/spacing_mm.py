"""Distance between slice centres in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dicom_node.routing.predicates.base import Between

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts


class SpacingMm(Between):
    """The slice spacing lies within limits."""

    noun: ClassVar[str] = "slice spacing"

    kind: Literal["spacing_mm"] = "spacing_mm"

    def measure(self, series: SeriesFacts) -> float | None:
        return series.geometry.spacing_mm
