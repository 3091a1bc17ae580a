"""From a request to explain to maps on the source grid: read, prepare, look inside the network."""

from __future__ import annotations

from inference.backends.base import Explainable, LoadedBackend, Report, Target
from inference.errors import ModelError
from inference.explain.explanation import Explanation
from inference.material import Material, OnDisk
from inference.request import ExplainRequest
from inference.tasks import task_card


def explain(
    request: ExplainRequest, backend: LoadedBackend, report: Report, material: Material | None = None
) -> Explanation:
    """What the model's network looks at in these images. Raises `Unfit` or `ModelError`."""
    card, material = task_card(request.task), material or OnDisk(request)
    if not isinstance(backend, Explainable):
        raise ModelError(f"{backend.identity.name} has no network that could be looked into.")
    report(0.02, "read")
    volumes, _ = material.inputs(card)
    mask = material.mask()
    target = None if mask is None else Target(mask, request.label)
    maps = backend.maps(volumes, card, target, lambda done, step: report(0.1 + 0.9 * done, step))
    primary = volumes[card.primary]
    return Explanation(
        model=backend.identity,
        grid=primary.grid,
        sources=primary.sources,
        maps={name: material.leave(name, values) for name, values in maps.items()},
        device=backend.device,
    )
