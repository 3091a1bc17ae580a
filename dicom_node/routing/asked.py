"""Routes for a task that a person asks for: not whether they fit a study, only which of its series they take."""

from __future__ import annotations

from collections.abc import Sequence

from dicom_node.routing.predicates.volume import Volume
from dicom_node.routing.route import Route


def for_task(routes: Sequence[Route], task: str) -> tuple[Route, ...]:
    """The routes of this task, the first of each model, that take any series whose slices make a volume.

    How a route chooses among them stays, and so does the worker's look at the voxels.
    """
    by_model: dict[str, Route] = {}
    for route in routes:
        if route.task == task:
            by_model.setdefault(route.model, route.model_copy(update={"when": Volume(), "enabled": True}))
    return tuple(by_model.values())
