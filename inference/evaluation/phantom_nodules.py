"""How many of the phantoms' nodules a bundle finds, and at the price of how many false alarms (detection.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from inference.backends import build
from inference.evaluation.candidates import Candidate, Nodule
from inference.evaluation.detection import Froc, froc
from inference.evaluation.score import SHIPPED
from inference.phantom import make_case
from inference.prepare import prepare
from inference.tasks.postprocess import boxes_of, components
from inference.volume import Volume

if TYPE_CHECKING:
    from inference.backends.bundle import LoadedBundle

TASK = "lung_nodule"


def shipped() -> LoadedBundle:
    """The bundle that comes with this software, on the CPU."""
    from inference.backends.bundle import LoadedBundle

    bundle = build({"kind": "bundle", "path": str(SHIPPED / TASK)}).load("cpu")
    assert isinstance(bundle, LoadedBundle)
    return bundle


def phantom_froc(seeds: Iterable[int], bundle: LoadedBundle) -> Froc:
    """The bundle's FROC over the phantoms of these seeds; Unscorable where none has a nodule."""
    scans: list[str] = []
    nodules: list[Nodule] = []
    marks: list[Candidate] = []
    for seed in seeds:
        case = make_case(TASK, seed)
        scans.append(str(seed))
        nodules += [Nodule(scans[-1], lesion.centre, lesion.diameter_mm) for lesion in case.lesions]
        marks += marks_of(bundle, case.volumes, scans[-1])
    return froc(bundle.identity.name, scans, nodules, marks)


def marks_of(bundle: LoadedBundle, volumes: Mapping[str, Volume], scan: str) -> Iterator[Candidate]:
    """Every connected part above the threshold, at its middle, as sure as its surest voxel.

    Also those of which the network is nowhere sure enough for the node (`Region.peak`): a FROC asks for all.
    """
    from inference.sliding import probabilities, slide

    plan = bundle.plan
    prepared = prepare(dict(volumes), plan.recipe)
    logits = slide(bundle.network, prepared.array, prepared.foreground, plan.sliding(bundle.device))
    channel, region = next(plan.output.foreground())
    chances = probabilities(logits, prepared.foreground, plan.output)[channel]
    parts, _ = components(chances > region.threshold)
    for number, box in boxes_of(parts).items():
        weights = np.where(parts[box] == number, chances[box], 0.0)
        middle = np.average(np.indices(weights.shape).reshape(3, -1), axis=1, weights=weights.ravel())
        x, y, z = (float(v) for v in prepared.grid.to_lps(middle + [side.start for side in box]))
        yield Candidate(scan, (x, y, z), float(weights.max()))
