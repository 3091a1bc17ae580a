"""The one road from a request to a result: read, judge, segment, clean, measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.backends.base import LoadedBackend, Report, Segmented, Turn, at_once
from inference.errors import ModelError
from inference.explain.entropy import with_entropy
from inference.explain.members import in_words
from inference.explain.plausible import with_checks
from inference.findings import ModelIdentity, Result
from inference.followup.follow import follow
from inference.material import Material, OnDisk
from inference.measure import Measured, measure_findings, measure_totals, with_confidence
from inference.request import Maker, Request
from inference.stopwatch import Stopwatch
from inference.tasks import task_card
from inference.tasks.card import TaskCard
from inference.volume import Volume


def predict(request: Request, backend: LoadedBackend, report: Report, material: Material | None = None,
            turn: Turn = at_once) -> Result:
    """Run one request on its files, or on `material`, where its masks are left. Raises `Unfit` or `ModelError`.

    The model has the device in its `turn` only.
    """
    card, material, watch = task_card(request.task), material or OnDisk(request), Stopwatch()
    report(0.02, "read")
    with watch.time("read"):
        volumes, notes = material.inputs(card)
    if backend.judged:
        report(0.08, "look")
        with watch.time("look"):
            card.fitness(volumes)
    segmented = backend.segment(volumes, card, lambda done, step: report(0.1 + 0.75 * done, step), turn)
    labels = _checked(segmented.labels, volumes[card.primary], card)
    report(0.86, "measure")
    with watch.time("measure"):
        if backend.judged:
            labels = card.postprocess(labels, volumes[card.primary].grid)
        measured = _measured(labels, segmented, volumes[card.primary], card)
        if backend.judged:
            measured = with_checks(measured, labels, volumes[card.primary], card)
        totals = measure_totals(labels, card.totals, volumes[card.primary].grid)
    agreed = (in_words(segmented.agreement),) if segmented.agreement else ()
    trend = None
    if request.prior is not None:
        report(0.9, "follow")
        with watch.time("follow"):
            primary, prior = volumes[card.primary], request.prior
            measured, trend = follow(measured, primary, card, prior, request.job_id, material.before)
            trend = replace(trend, other_model=_other_than(backend.identity, prior.maker))
    return Result(
        task=card.name,
        model=backend.identity,
        grid=volumes[card.primary].grid,
        primary_role=card.primary,
        labelmap=material.leave("labelmap", measured.labelmap),
        findings=measured.findings,
        totals=totals,
        sources={role: volume.sources for role, volume in volumes.items()},
        probability=_left(material, "probability", segmented.probability),
        uncertainty=_left(material, "uncertainty", segmented.uncertainty),
        agreement=segmented.agreement,
        notes=(*notes, *segmented.notes, *agreed, *measured.notes),
        seconds=watch.seconds | segmented.seconds,
        device=backend.device,
        trend=trend,
    )


def _measured(labels: NDArray[np.uint8], segmented: Segmented, primary: Volume, card: TaskCard) -> Measured:
    """The findings of a label map, each with how sure the model was of it where the model told."""
    measured = measure_findings(labels, card.structures, primary, card.regions)
    if segmented.probability is not None:
        measured = with_confidence(measured, segmented.probability)
    if segmented.uncertainty is not None:
        measured = with_entropy(measured, segmented.uncertainty)
    return measured


def _checked(labels: NDArray[np.uint8], primary: Volume, card: TaskCard) -> NDArray[np.uint8]:
    """A backend's answer lies on the source grid and uses the task's labels only."""
    if labels.shape != primary.grid.shape:
        raise ModelError(f"the model answered on a grid of {labels.shape}, the source has {primary.grid.shape}")
    known = {structure.label for structure in card.structures}
    foreign = {label for label in set(range(1, int(labels.max()) + 1)) - known if (labels == label).any()}
    if foreign:
        raise ModelError(f"the model answered with labels {sorted(foreign)}, which task {card.name} does not have")
    return labels


def _other_than(model: ModelIdentity, maker: Maker | None) -> str:
    """The prior's model where it is not this one; "" where it is, or where nobody knows."""
    own = Maker.of(model)
    if maker is None or maker.sha256 == own.sha256:
        return ""
    alike = maker[:2] == own[:2]
    return f"{maker.name} {maker.version}{' with other weights or settings' if alike else ''}"


def _left(material: Material, name: str, array: NDArray[np.generic] | None) -> Path | None:
    return None if array is None else material.leave(name, array)
