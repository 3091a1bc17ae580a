"""How many slices one volume of the series has (frames of a multi-frame image count)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from dicom_node.routing.predicates.base import Between

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts


class Slices(Between):
    """The number of slices lies within limits."""

    noun: ClassVar[str] = "number of slices"
    unit: ClassVar[str] = ""

    kind: Literal["slices"] = "slices"

    def measure(self, series: SeriesFacts) -> float | None:
        return series.slices
