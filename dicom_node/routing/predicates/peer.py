"""Who sent the study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class Peer(Predicate):
    """One of the calling AE titles that sent the study is one of these."""

    kind: Literal["peer"] = "peer"
    any_of: tuple[str, ...] = Field(min_length=1, description="calling AE titles that are a yes")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        said = " and ".join(study.calling_aets) or "nobody known"
        if set(study.calling_aets) & set(self.any_of):
            return Answer(True, f"sent by {said}")
        return Answer(False, f"sent by {said}, not by {' or '.join(self.any_of)}")
