"""From a request to explain to maps on the source grid: read, prepare, look inside the network."""

from __future__ import annotations

import numpy as np

from inference.backends.base import Explainable, LoadedBackend, Report, Target
from inference.errors import ModelError
from inference.explain.explanation import Explanation
from inference.predict import read_inputs, save
from inference.request import ExplainRequest
from inference.tasks import TASKS


def explain(request: ExplainRequest, backend: LoadedBackend, report: Report) -> Explanation:
    """What the model's network looks at in these images. Raises `Unfit` or `ModelError`."""
    if (card := TASKS.get(request.task)) is None:
        raise ModelError(f"There is no task {request.task} in this version.")
    if not isinstance(backend, Explainable):
        raise ModelError(f"{backend.identity.name} has no network that could be looked into.")
    report(0.02, "read")
    volumes, _ = read_inputs(request, card)
    target = Target(np.load(request.mask) > 0, request.label) if request.mask else None
    maps = backend.maps(volumes, card, target, lambda done, step: report(0.1 + 0.9 * done, step))
    primary = volumes[card.primary]
    return Explanation(
        model=backend.identity,
        grid=primary.grid,
        sources=primary.sources,
        maps={name: save(request.scratch, name, values) for name, values in maps.items()},
        device=backend.device,
    )
