"""What Image Type (0008,0008) says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from dicom_node.routing.predicates.base import Answer, Predicate

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class ImageType(Predicate):
    """Some Image Type values are there, and others are not."""

    kind: Literal["image_type"] = "image_type"
    any_of: tuple[str, ...] = Field(default=(), description="one of these values must be there")
    none_of: tuple[str, ...] = Field(default=(), description="none of these values may be there")

    @model_validator(mode="after")
    def _asks_something(self) -> ImageType:
        if not self.any_of and not self.none_of:
            raise ValueError("give any_of, none_of or both")
        return self

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        values = set(series.image_type)
        said = "\\".join(series.image_type) or "missing"
        unwanted = sorted(values & {value.upper() for value in self.none_of})
        if unwanted:
            return Answer(False, f"image type {said} holds {' and '.join(unwanted)}")
        if self.any_of and not values & {value.upper() for value in self.any_of}:
            return Answer(False, f"image type {said} holds no {' or '.join(self.any_of)}")
        return Answer(True, f"image type {said}")
