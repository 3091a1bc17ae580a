"""Which way the slices lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.geometry import Plane
from dicom_node.routing.predicates.base import Answer, Predicate

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class Orientation(Predicate):
    """The slices lie in one of these planes (within 30 degrees; further off is oblique)."""

    kind: Literal["orientation"] = "orientation"
    any_of: tuple[Plane, ...] = Field(min_length=1, description="planes that are a yes")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        plane = series.geometry.plane
        if plane in self.any_of:
            return Answer(True, f"{plane} slices")
        return Answer(False, f"slices are {plane}, not {' or '.join(self.any_of)}")
