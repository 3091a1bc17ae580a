"""The larger Pixel Spacing (0028,0030) value in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dicom_node.routing.predicates.base import Between

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts


class InPlaneMm(Between):
    """The pixel spacing lies within limits."""

    noun: ClassVar[str] = "pixel spacing"

    kind: Literal["in_plane_mm"] = "in_plane_mm"

    def measure(self, series: SeriesFacts) -> float | None:
        return series.geometry.in_plane_mm
