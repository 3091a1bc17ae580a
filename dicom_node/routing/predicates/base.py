"""What a predicate is: a frozen settings model that answers yes or no about one series, and says why."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


@dataclass(frozen=True)
class Answer:
    """Yes or no with its reason; an unsure yes is a candidate on which the voxels decide."""

    ok: bool
    reason: str
    sure: bool = True


class Predicate(BaseModel, ABC):
    """One question; a subclass has a `kind` literal, its own fields, and `answer`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str

    @abstractmethod
    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:
        """The verdict on one series of a study, in words that a radiographer understands."""


class Between(Predicate):
    """A measured value within limits, both inclusive; a value that is not known is a no."""

    noun: ClassVar[str]
    unit: ClassVar[str] = " mm"

    at_least: float | None = Field(default=None, ge=0, description="smallest value that is a yes")
    at_most: float | None = Field(default=None, ge=0, description="largest value that is a yes")

    @model_validator(mode="after")
    def _limits_make_sense(self) -> Between:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is larger than at_most")
        return self

    @abstractmethod
    def measure(self, series: SeriesFacts) -> float | None:
        """The value of this series, None where it is not known."""

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        value = self.measure(series)
        if value is None:
            return Answer(False, f"{self.noun} is not known")
        said = f"{self.noun} {value:.4g}{self.unit}"
        if self.at_least is not None and value < self.at_least:
            return Answer(False, f"{said} is less than the {self.at_least:g}{self.unit} needed")
        if self.at_most is not None and value > self.at_most:
            return Answer(False, f"{said} is more than the {self.at_most:g}{self.unit} allowed")
        return Answer(True, said)
