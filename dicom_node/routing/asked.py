"""A task that a person asks for: not whether its routes fit a study, only which of its series they take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dicom_node.routing.facts import StudyFacts
from dicom_node.routing.predicates import AnyPredicate
from dicom_node.routing.predicates.combine import All
from dicom_node.routing.predicates.modality import Modality
from dicom_node.routing.predicates.nature import SeriesNature
from dicom_node.routing.predicates.volume import Volume
from dicom_node.routing.route import Route
from dicom_node.routing.table import Decision, decide
from inference.tasks import TASKS


def decide_for(routes: Sequence[Route], study: StudyFacts, task: str, closed: Mapping[str, str]) -> Decision:
    """`decide` by the routes of this task, the first of each model, enabled or not.

    Each takes what it takes anyway; where that does not suffice, any plain acquisition; and any series whose slices
    make a volume only where that does not, either. How a route chooses among them stays, and so does the worker's look
    at the voxels.
    """
    by_model: dict[str, Route] = {}
    for route in routes:
        if route.task == task:
            by_model.setdefault(route.model, route)
    decisions = [_decide(route, study, closed) for route in by_model.values()]
    return Decision(
        tuple(verdict for one in decisions for verdict in one.verdicts),
        tuple(plan for one in decisions for plan in one.plans),
        tuple(model for one in decisions for model in one.withheld),
    )


def _decide(route: Route, study: StudyFacts, closed: Mapping[str, str]) -> Decision:
    for when in (route.when, _plain(route.task), Volume()):
        decision = decide([route.model_copy(update={"when": when, "enabled": True})], study, closed)
        if decision.plans or decision.withheld:
            break
    return decision


def _plain(task: str) -> AnyPredicate:
    """An acquisition of the modality that the task is for."""
    card = TASKS.get(task)
    modalities = tuple(sorted({role.modality for role in card.roles})) if card else ()
    of_task = (Modality(any_of=modalities),) if modalities else ()
    return All(of=(*of_task, SeriesNature(), Volume()))
