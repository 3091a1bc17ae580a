"""Whether a series is a plain acquisition of anatomy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate
from dicom_node.routing.vocabulary import Nature

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class SeriesNature(Predicate):
    """The series is no localizer, no reformat, no dose report and so on."""

    kind: Literal["nature"] = "nature"
    none_of: tuple[Nature, ...] = Field(default=tuple(Nature), min_length=1, description="natures that are a no")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        for nature in self.none_of:  # the order of the setting is the order of the reasons
            if nature in series.natures:
                return Answer(False, f"left out as {nature}: {series.natures[nature]}")
        return Answer(True, "a plain acquisition")
