"""Which part of the body the texts and the BodyPartExamined tag speak of.

BodyPartExamined is wrong in about one study in six, so alone it neither proves nor forbids: the voxels decide then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate
from dicom_node.routing.vocabulary import Region

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class BodyPart(Predicate):
    """Sure where descriptions or protocol name the region; a candidate where they are silent or contradict the tag."""

    kind: Literal["body_part"] = "body_part"
    any_of: tuple[Region, ...] = Field(min_length=1, description="regions that are a yes")
    certain: bool = Field(default=False, description="true: a candidate is a no")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        answer = self._weigh(series)
        if self.certain and answer.ok and not answer.sure:
            return Answer(False, f"{answer.reason}, which is not certain")
        return answer

    def _weigh(self, series: SeriesFacts) -> Answer:
        wanted = frozenset(self.any_of)
        evidence = series.regions
        asked, tag = " or ".join(self.any_of), f"BodyPartExamined “{evidence.tag_text}”"
        tagged = bool(wanted & evidence.by_tag)
        if wanted & evidence.by_text:
            named = f"{_names(wanted & evidence.by_text)} is named in the descriptions"
            if evidence.by_tag and not evidence.by_tag & evidence.by_text:
                return Answer(True, f"{named}, but {tag} contradicts", sure=False)
            if evidence.by_series and not wanted & evidence.by_series and not tagged:
                narrower = f"the study names {asked}, this series only {_names(evidence.by_series)}"
                return Answer(True, narrower, sure=False)
            return Answer(True, named)
        if evidence.by_text:
            named = f"the descriptions name {_names(evidence.by_text)}, not {asked}"
            return Answer(True, f"{tag}, but {named}", sure=False) if tagged else Answer(False, named)
        if tagged:
            return Answer(True, f"only {tag} speaks of it, and that tag is often wrong", sure=False)
        if evidence.by_tag:
            return Answer(True, f"only {tag} speaks against {asked}, and that tag is often wrong", sure=False)
        return Answer(True, "nothing in the header names a body part", sure=False)


def _names(regions: frozenset[Region]) -> str:
    return " and ".join(sorted(regions))
