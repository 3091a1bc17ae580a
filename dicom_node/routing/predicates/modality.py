"""Which machine made the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class Modality(Predicate):
    """Modality (0008,0060) is one of these."""

    kind: Literal["modality"] = "modality"
    any_of: tuple[str, ...] = Field(min_length=1, description="modalities that are a yes, e.g. CT, MR")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        said = series.modality or "missing"
        if series.modality in {name.upper() for name in self.any_of}:
            return Answer(True, f"modality {said}")
        return Answer(False, f"modality is {said}, not {' or '.join(self.any_of)}")
