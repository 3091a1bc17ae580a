"""Which T1 series are before and which after contrast: by description, by agent, by the order in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dicom_node.routing.choice import Candidate
from dicom_node.routing.contrast import DESCRIPTIONS, contrast_of
from dicom_node.routing.facts import SeriesFacts
from dicom_node.routing.header import number

OWN = {name: called for name, called in DESCRIPTIONS.items() if name != "ProtocolName"}
ALIKE = 0.1  # relative difference of echo time, repetition time and spacing within one sequence run twice


@dataclass(frozen=True)
class Split:
    """T1 candidates before and after contrast, why each lies where it does (by UID), and which by time alone."""

    before: tuple[Candidate, ...] = ()
    after: tuple[Candidate, ...] = ()
    because: dict[str, str] = field(default_factory=dict)
    doubtful: frozenset[str] = frozenset()


def split_by_contrast(candidates: Sequence[Candidate], others: Sequence[Candidate] = ()) -> Split:
    """Descriptions and agent first; time decides on what they leave open, or where all claim the same.

    A protocol name that one of the `others`, of other weightings, bears as well is that of the examination (GE) and
    says nothing of a series.
    """
    shared = {other.series.texts["protocol_name"] for other in others}
    candidates = [_by_its_own(c) if c.series.texts["protocol_name"] in shared else c for c in candidates]
    after = [c for c in candidates if c.series.contrast.given]
    if not after:
        return _nobody_claims(candidates)
    if len(after) == len(candidates):
        return _everybody_claims(candidates)
    because = _evidence(candidates)
    first = min((c.series.started for c in after if c.series.started.known), default=None)
    for candidate in candidates:
        series = candidate.series
        # Contrast medium stays in the head for the rest of the examination.
        if series.contrast.given is None and first is not None and series.started.known and series.started > first:
            after.append(candidate)
            because[series.uid] = "acquired after a series with contrast medium"
    late = {c.series.uid for c in after}
    return Split(tuple(c for c in candidates if c.series.uid not in late), tuple(after), because)


def _by_its_own(candidate: Candidate) -> Candidate:
    """The candidate without what its protocol name says of contrast medium."""
    series = candidate.series
    return replace(candidate, series=replace(series, contrast=contrast_of(series.header, OWN)))


def _nobody_claims(candidates: Sequence[Candidate]) -> Split:
    """No series says that contrast was given: the later run of one sequence is after it."""
    because, late = _evidence(candidates), set()
    for candidate in (c for c in candidates if c.series.contrast.given is None):
        earlier = next((o.series for o in candidates if _runs_again(o.series, candidate.series)), None)
        if earlier:
            late.add(candidate.series.uid)
            because[candidate.series.uid] = f"{earlier.label} run again, so taken as after contrast"
    return _divided(candidates, late, because, doubtful=late)


def _everybody_claims(candidates: Sequence[Candidate]) -> Split:
    """Every series carries the agent, as protocols may fill it in advance: the first run of a sequence is before it."""
    because, early = _evidence(candidates), set()
    first = min((c.series.started for c in candidates), default=None)
    for candidate in candidates:
        series = candidate.series
        if series.contrast.by_text or series.started != first:
            continue
        later = next((o.series for o in candidates if _runs_again(series, o.series)), None)
        if later:
            early.add(series.uid)
            because[series.uid] = f"run again later as {later.label}, so taken as before contrast"
    late = {c.series.uid for c in candidates} - early
    return _divided(candidates, late, because, doubtful=early)


def _evidence(candidates: Sequence[Candidate]) -> dict[str, str]:
    return {c.series.uid: c.series.contrast.reason for c in candidates}


def _divided(candidates: Sequence[Candidate], late: set[str], because: dict[str, str], doubtful: set[str]) -> Split:
    before = tuple(c for c in candidates if c.series.uid not in late)
    after = tuple(c for c in candidates if c.series.uid in late)
    return Split(before, after, because, frozenset(doubtful))


def _runs_again(first: SeriesFacts, again: SeriesFacts) -> bool:
    """True where `again` is the same sequence as `first`, later by the clock."""
    if not (first.started.known and again.started.known and first.started < again.started):
        return False
    if first.geometry.plane is not again.geometry.plane:
        return False
    pairs = [(number(first.header, key), number(again.header, key)) for key in ("EchoTime", "RepetitionTime")]
    pairs.append((first.geometry.spacing_mm, again.geometry.spacing_mm))
    return all(_close(one, other) for one, other in pairs)


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= ALIKE * max(abs(one), abs(other))
