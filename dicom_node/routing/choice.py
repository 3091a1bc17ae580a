"""What a choice of series is: inputs by role, and a word on every series that was in the running."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from dicom_node.routing.predicates.base import Answer

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts


@dataclass(frozen=True)
class Candidate:
    """A series that the route's `when` let through, and how sure that is."""

    series: SeriesFacts
    answer: Answer


@dataclass(frozen=True)
class Scored:
    """A candidate's points for one role, with what each was given for."""

    candidate: Candidate
    points: float
    because: tuple[str, ...]

    @property
    def series(self) -> SeriesFacts:
        """The candidate's facts."""
        return self.candidate.series

    @property
    def order(self) -> tuple[float, object, str]:
        """Most points first; among equals the latest, then the UID, so that the order repeats."""
        return (round(self.points, 6), self.series.started, self.series.uid)


@dataclass(frozen=True)
class Choice:
    """Inputs by role, empty where the task cannot be served; `reason` says which, or why not."""

    inputs: Mapping[str, SeriesFacts]
    reason: str
    notes: Mapping[str, str] = field(default_factory=dict)  # by series UID: why it was chosen, or not
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by series UID, by role
    sure: bool = True


class Selection(BaseModel, ABC):
    """How the inputs of a task are chosen among the series that fit; only ranks, never refuses a series."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str

    @property
    @abstractmethod
    def roles(self) -> tuple[str, ...]:
        """Roles that it fills; they are the task's."""

    @abstractmethod
    def choose(self, candidates: Sequence[Candidate]) -> Choice:
        """The best series for every role, or which role nothing fills."""


def coverage_share(candidate: Candidate, candidates: Sequence[Candidate], enough_mm: float) -> float:
    """Coverage as a share (0 to 1) of the longest among the candidates; more than `enough_mm` counts no more."""
    longest = max((c.series.geometry.coverage_mm or 0.0 for c in candidates), default=0.0)
    goal = min(longest, enough_mm)
    return min(1.0, (candidate.series.geometry.coverage_mm or 0.0) / goal) if goal > 0 else 0.0
