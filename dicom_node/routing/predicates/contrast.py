"""Whether contrast medium was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class Contrast(Predicate):
    """Images were taken with (or without) contrast medium, as far as agent tag and descriptions tell."""

    kind: Literal["contrast"] = "contrast"
    given: bool = Field(description="true: with contrast medium; false: without")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        evidence = series.contrast
        if evidence.given is None:
            return Answer(not self.given, evidence.reason, sure=self.given)
        return Answer(evidence.given is self.given, evidence.reason)
