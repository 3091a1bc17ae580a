"""Which kind of DICOM object the images are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class SopClass(Predicate):
    """SOP Class UID (0008,0016) is one of these."""

    kind: Literal["sop_class"] = "sop_class"
    any_of: tuple[str, ...] = Field(min_length=1, description="SOP Class UIDs that are a yes")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        if series.sop_class_uid in self.any_of:
            return Answer(True, f"SOP class {series.sop_class_uid}")
        return Answer(False, f"SOP class {series.sop_class_uid or 'missing'} is not among those asked for")
