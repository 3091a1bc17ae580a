"""Which MR series is T1, T1ce, T2 and FLAIR: weighted by the physics, split by contrast medium, ranked by quality."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Literal

from dicom_node.routing.choice import Candidate, Choice, Scored, Selection, coverage_share
from dicom_node.routing.geometry import Plane
from dicom_node.routing.t1_pairs import Split, split_by_contrast
from dicom_node.routing.weighting import Weight

NAMES = {
    "T1": "T1 before contrast",
    "T1ce": "T1 after contrast",
    "T2": "T2",
    "FLAIR": "FLAIR",
}
COVERAGE_POINTS = 100.0  # a head cut short is worse than any voxel size
RESOLUTION_POINTS = 30.0
LOST_PER_MM = 5.0  # for each mm of voxel edge beyond an isotropic acquisition's
ISOTROPIC_MM = 1.5
ENOUGH_COVERAGE_MM = 150.0  # vertex to skull base


class MrBrain(Selection):
    """The four series of a brain tumour protocol; a missing one is named, never made up."""

    kind: Literal["mr_brain"] = "mr_brain"

    @property
    def roles(self) -> tuple[str, ...]:
        return tuple(NAMES)

    def choose(self, candidates: Sequence[Candidate]) -> Choice:
        by_weight = {weight: [c for c in candidates if c.series.weighting.weight is weight] for weight in Weight}
        t1 = by_weight.pop(Weight.T1)
        split = split_by_contrast(t1, list(chain.from_iterable(by_weight.values())))
        pools: dict[str, Sequence[Candidate]] = {
            "T1": split.before,
            "T1ce": split.after,
            "T2": by_weight[Weight.T2],
            "FLAIR": by_weight[Weight.FLAIR],
        }
        ranked = {role: _ranked(pool, candidates, split) for role, pool in pools.items()}
        inputs = {role: scored[0].series for role, scored in ranked.items() if scored}
        missing = [role for role in NAMES if role not in inputs]
        notes = _notes(candidates, ranked, missing)
        scores = {s.series.uid: {role: round(s.points, 1)} for role, pool in ranked.items() for s in pool}
        if missing:
            return Choice({}, _lacking(missing, candidates, ranked), notes, scores)
        reason = "; ".join(f"{role} is {scored[0].series.label}" for role, scored in ranked.items())
        sure = all(scored[0].candidate.answer.sure for scored in ranked.values())
        return Choice(inputs, reason, notes, scores, sure)


def _ranked(pool: Sequence[Candidate], candidates: Sequence[Candidate], split: Split) -> list[Scored]:
    scored = [_score(candidate, candidates, split) for candidate in pool]
    return sorted(scored, key=lambda s: s.order, reverse=True)


def _score(candidate: Candidate, candidates: Sequence[Candidate], split: Split) -> Scored:
    series = candidate.series
    coverage, voxel = series.geometry.coverage_mm or 0.0, series.geometry.voxel_mm or 10.0
    resolution = max(0.0, RESOLUTION_POINTS - LOST_PER_MM * max(0.0, voxel - ISOTROPIC_MM))
    share = coverage_share(candidate, candidates, ENOUGH_COVERAGE_MM)
    parts = [
        (0.0, series.weighting.reason),
        (0.0, split.because.get(series.uid, "")),
        (COVERAGE_POINTS * share, f"covers {coverage:.0f} mm"),
        (resolution, f"voxels of up to {voxel:.2g} mm"),
    ]
    parts += [(points, because) for points, because, holds in _traits(candidate, split) if holds]
    return Scored(candidate, sum(points for points, _ in parts), tuple(because for _, because in parts if because))


def _traits(candidate: Candidate, split: Split) -> list[tuple[float, str, bool]]:
    """Points for what a series is or is not: (points, words for people, whether it is so)."""
    series = candidate.series
    return [
        (40.0, "", candidate.answer.sure),
        (20.0, "", series.weighting.by_physics),
        (5.0, "axial", series.geometry.plane is Plane.AXIAL),
        (3.0, "evened out by the scanner", "NORM" in series.image_type),
        (-15.0, "MP2RAGE, noisy outside the head", "mp2rage" in series.texts["series_description"]),
        (-25.0, "marked as derived", series.image_type[:1] == ("DERIVED",)),
        (-25.0, "", series.uid in split.doubtful),
    ]


def _notes(
    candidates: Sequence[Candidate], ranked: dict[str, list[Scored]], missing: Sequence[str]
) -> dict[str, str]:
    notes = {c.series.uid: f"fits no role: {c.series.weighting.reason}" for c in candidates}
    for role, scored in ranked.items():
        for place, one in enumerate(scored):
            told = ", ".join(one.because)
            if place:
                better = f"{scored[0].series.label} is better ({_ahead(scored[0])})"
                notes[one.series.uid] = f"could be {role} ({told}), but {better}"
            elif missing:
                lacking = " and no ".join(NAMES[other] for other in missing)
                notes[one.series.uid] = f"would be {role} ({told}), but there is no {lacking}"
            else:
                notes[one.series.uid] = f"chosen as {role}: {told}"
    return notes


def _ahead(best: Scored) -> str:
    geometry = best.series.geometry
    return f"covers {geometry.coverage_mm or 0.0:.0f} mm, voxels of up to {geometry.voxel_mm or 0.0:.2g} mm"


def _lacking(missing: Sequence[str], candidates: Sequence[Candidate], ranked: dict[str, list[Scored]]) -> str:
    found = [f"{_found(role, scored[0])} ({scored[0].series.label})" for role, scored in ranked.items() if scored]
    only = f"only {' and '.join(found)}" if found else f"none of {len(candidates)} series has a role"
    return f"no {', no '.join(NAMES[role] for role in missing)} series found: {only}"


def _found(role: str, best: Scored) -> str:
    unsaid = role == "T1" and best.series.contrast.given is None
    return "T1 with no sign of contrast" if unsaid else NAMES[role]
