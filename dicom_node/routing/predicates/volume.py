"""Whether the slices make one regular volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dicom_node.routing.predicates.base import Answer, Predicate

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class Volume(Predicate):
    """Slices are parallel and evenly spaced, as the reader will demand; otherwise its words are the reason."""

    kind: Literal["volume"] = "volume"

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        if series.geometry.problem:
            return Answer(False, f"the slices do not make one volume: {series.geometry.problem}")
        return Answer(True, "the slices make one volume")
