"""Which T1 series are before and which after contrast: by description, by agent, by the order in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from dicom_node.routing.choice import Candidate
from dicom_node.routing.facts import SeriesFacts
from dicom_node.routing.header import number

ALIKE = 0.1  # relative difference of echo time, repetition time and spacing within one sequence repeated


@dataclass(frozen=True)
class Split:
    """T1 candidates before and after contrast, why each lies where it does, and which were told by time alone."""

    before: tuple[Candidate, ...]
    after: tuple[Candidate, ...]
    because: dict[str, str] = field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()


def split_by_contrast(candidates: Sequence[Candidate]) -> Split:
    """Descriptions and agent first; time decides on what they leave open, or where all claim the same."""
    after = [c for c in candidates if c.series.contrast.given]
    before = [c for c in candidates if c.series.contrast.given is False]
    silent = [c for c in candidates if c.series.contrast.given is None]
    because = {c.series.uid: c.series.contrast.reason for c in candidates}
    if after and not before and not silent:
        return _earlier_of_two(after, because)
    if not after:
        return _later_of_two(before + silent, because)
    first = min((c.series.started for c in after if c.series.started.known), default=None)
    for candidate in silent:
        started = candidate.series.started
        # Contrast medium stays in the head for the rest of the examination.
        if first is not None and started.known and started > first:
            after.append(candidate)
            because[candidate.series.uid] = "acquired after a series with contrast medium"
        else:
            before.append(candidate)
    return Split(tuple(before), tuple(after), because)


def _later_of_two(candidates: Sequence[Candidate], because: dict[str, str]) -> Split:
    """No series says that contrast was given: of two alike, the later one is after it."""
    silent = [c for c in candidates if c.series.contrast.given is None]
    late = {
        max(pair, key=lambda c: c.series.started).series.uid: min(pair, key=lambda c: c.series.started).series.label
        for pair in combinations(silent, 2)
        if _repeated(pair[0].series, pair[1].series)
    }
    told = {uid: f"the later of two alike ({label} is the earlier), so taken as after contrast" for uid, label in late.items()}
    return _divided(candidates, frozenset(late), because | told)


def _earlier_of_two(candidates: Sequence[Candidate], because: dict[str, str]) -> Split:
    """Every series carries the agent, as some protocols fill it in advance: of two alike, the earlier is before."""
    by_tag = [c for c in candidates if not c.series.contrast.by_text]
    early = {
        candidate.series.uid: other.series.label
        for candidate in by_tag
        for other in candidates
        if candidate.series.started < other.series.started and _repeated(candidate.series, other.series)
    }
    first = min((c.series.started for c in candidates), default=None)
    early = {uid: label for uid, label in early.items() if _started(candidates, uid) == first}
    told = {uid: f"the earlier of two alike ({label} is the later), so taken as before contrast" for uid, label in early.items()}
    split = _divided(candidates, frozenset(c.series.uid for c in candidates) - frozenset(early), because | told)
    return Split(split.before, split.after, split.because, frozenset(early))


def _divided(candidates: Sequence[Candidate], late: frozenset[str], because: dict[str, str]) -> Split:
    before = tuple(c for c in candidates if c.series.uid not in late)
    after = tuple(c for c in candidates if c.series.uid in late)
    return Split(before, after, because, late if before else frozenset())


def _started(candidates: Sequence[Candidate], uid: str) -> object:
    return next(c.series.started for c in candidates if c.series.uid == uid)


def _repeated(a: SeriesFacts, b: SeriesFacts) -> bool:
    """True where the same sequence was run twice, at times that are known."""
    if not (a.started.known and b.started.known) or a.started == b.started:
        return False
    if a.geometry.plane is not b.geometry.plane:
        return False
    pairs = [(number(a.header, key), number(b.header, key)) for key in ("EchoTime", "RepetitionTime")]
    pairs.append((a.geometry.spacing_mm, b.geometry.spacing_mm))
    return all(_close(x, y) for x, y in pairs)


def _close(x: float | None, y: float | None) -> bool:
    if x is None or y is None:
        return x is y
    return abs(x - y) <= ALIKE * max(abs(x), abs(y))
