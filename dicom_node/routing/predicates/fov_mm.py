"""The longer side of the image in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dicom_node.routing.predicates.base import Between

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts


class FovMm(Between):
    """The field of view lies within limits."""

    noun: ClassVar[str] = "field of view"

    kind: Literal["fov_mm"] = "fov_mm"

    def measure(self, series: SeriesFacts) -> float | None:
        return series.geometry.fov_mm
