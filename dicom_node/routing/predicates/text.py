"""Words in the descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate
from dicom_node.routing.vocabulary import Pattern, compiled

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts

Texts = Literal["series_description", "protocol_name", "study_description"]


class Text(Predicate):
    """A regular expression found in one of the descriptions; case and accents do not count."""

    kind: Literal["text"] = "text"
    matches: Pattern = Field(description="Python regular expression, found anywhere in the text")
    where: tuple[Texts, ...] = Field(
        default=("series_description", "protocol_name", "study_description"),
        min_length=1,
        description="texts looked at",
    )

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        for name in self.where:
            found = compiled(self.matches).search(series.texts[name])
            if found:
                return Answer(True, f"{_said(name)} says “{found.group()}”")
        return Answer(False, f"“{self.matches}” is not in {' or '.join(map(_said, self.where))}")


def _said(name: str) -> str:
    return name.replace("_", " ")
