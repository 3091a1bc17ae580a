"""The best series for a task with one input: complete before thin, thin before thick, right kernel, right phase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from dicom_node.routing.choice import Candidate, Choice, Scored, Selection, coverage_share
from dicom_node.routing.vocabulary import Kernel, Pattern, compiled

COVERAGE_POINTS = 100.0  # half the organ is worse than any slice thickness
CERTAIN_POINTS = 60.0
THICKNESS_POINTS = 40.0
TOO_THIN_POINTS_PER_MM = 10.0  # thinner than best only adds noise
DERIVED_POINTS = -20.0


class WordPoints(BaseModel):
    """Points for words in a series' descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    matches: Pattern = Field(description="regular expression over the plain series and protocol description")
    points: float = Field(ge=-100, le=100, description="added where it matches")
    because: str = Field(max_length=80, description="said in the reasons, e.g. portal-venous phase")


class OneSeries(Selection):
    """Ranks the series that fit and takes the first; every point is told in the reasons."""

    kind: Literal["one_series"] = "one_series"
    role: str = Field(default="CT", description="role of the task that the series fills")
    enough_coverage_mm: float = Field(default=300.0, gt=0, description="more coverage than this earns no more points")
    best_thickness_mm: float = Field(default=1.0, gt=0, description="slices of this thickness are best")
    points_per_mm: float = Field(default=8.0, ge=0, description="points lost for each mm of thicker slices")
    kernel: Literal[Kernel.SOFT, Kernel.SHARP] | None = Field(default=None, description="preferred kernel class")
    kernel_points: float = Field(default=40.0, ge=0, description="points for the preferred kernel; unknown gets half")
    contrast_points: float = Field(default=0.0, ge=0, description="points where contrast medium was given")
    words: tuple[WordPoints, ...] = Field(default=(), description="points for words, e.g. of contrast phases")

    @property
    def roles(self) -> tuple[str, ...]:
        return (self.role,)

    def choose(self, candidates: Sequence[Candidate]) -> Choice:
        if not candidates:
            return Choice({}, "no series fits")
        ranked = sorted((self._score(c, candidates) for c in candidates), key=lambda s: s.order, reverse=True)
        best, others = ranked[0], ranked[1:]
        notes = {best.series.uid: f"chosen as {self.role}: {', '.join(best.because)}"}
        notes |= {s.series.uid: f"fits, but {best.series.label} is better: {_compare(best, s)}" for s in others}
        scores = {s.series.uid: {self.role: round(s.points, 1)} for s in ranked}
        reason = f"{self.role} is {best.series.label} ({', '.join(best.because)})"
        return Choice({self.role: best.series}, reason, notes, scores, best.candidate.answer.sure)

    def _score(self, candidate: Candidate, candidates: Sequence[Candidate]) -> Scored:
        parts = [
            self._coverage(candidate, candidates),
            self._thickness(candidate),
            self._kernel(candidate),
            *self._words(candidate),
        ]
        series = candidate.series
        if candidate.answer.sure:
            parts.append((CERTAIN_POINTS, "the header is certain about the body part"))
        if series.contrast.given and self.contrast_points:
            parts.append((self.contrast_points, "with contrast medium"))
        if series.image_type[:1] == ("DERIVED",):
            parts.append((DERIVED_POINTS, "marked as derived"))
        return Scored(candidate, sum(points for points, _ in parts), tuple(because for _, because in parts if because))

    def _coverage(self, candidate: Candidate, candidates: Sequence[Candidate]) -> tuple[float, str]:
        share = coverage_share(candidate, candidates, self.enough_coverage_mm)
        return COVERAGE_POINTS * share, f"covers {candidate.series.geometry.coverage_mm or 0.0:.0f} mm"

    def _thickness(self, candidate: Candidate) -> tuple[float, str]:
        series = candidate.series
        thickness = max(series.thickness_mm or 0.0, series.geometry.spacing_mm or 0.0)  # a gap is as bad as thickness
        over = thickness - self.best_thickness_mm
        lost = over * self.points_per_mm if over > 0 else -over * TOO_THIN_POINTS_PER_MM
        return max(0.0, THICKNESS_POINTS - lost), f"slices of {thickness:.3g} mm"

    def _kernel(self, candidate: Candidate) -> tuple[float, str]:
        series = candidate.series
        if self.kernel is None:
            return 0.0, ""
        said = f"{series.kernel} kernel" + (f" {series.kernel_name}" if series.kernel_name else "")
        share = 1.0 if series.kernel is self.kernel else 0.5 if series.kernel is Kernel.UNKNOWN else 0.0
        return self.kernel_points * share, said

    def _words(self, candidate: Candidate) -> list[tuple[float, str]]:
        texts = candidate.series.texts
        line = f"{texts['series_description']} | {texts['protocol_name']}"
        return [(word.points, word.because) for word in self.words if compiled(word.matches).search(line)]


def _compare(best: Scored, other: Scored) -> str:
    """What the better one has and the other has not."""
    theirs = set(other.because)
    ahead = [because for because in best.because if because not in theirs]
    behind = [because for because in other.because if because not in set(best.because)]
    if not ahead and not behind:
        return "it is the later of two alike"
    return f"{', '.join(ahead) or 'otherwise alike'}, this one {', '.join(behind) or 'has none of that'}"
