"""What fires, what does not, and why: every route looks at every series of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from dicom_node.routing.choice import Candidate, Choice
from dicom_node.routing.facts import SeriesFacts, StudyFacts
from dicom_node.routing.header import text
from dicom_node.routing.predicates import Answer
from dicom_node.routing.route import Route

CANDIDATE = "candidate: the voxels decide"


@dataclass(frozen=True)
class Verdict:
    """One route's yes or no about one series, or about the study as a whole where `series_uid` is empty."""

    route: str
    series_uid: str
    ok: bool
    reason: str
    scores: Mapping[str, float] = field(default_factory=dict)  # by role


class PlannedInput(NamedTuple):
    """The series of a role and its instances, in slice order."""

    series_uid: str
    sop_instance_uids: tuple[str, ...]


@dataclass(frozen=True)
class JobPlan:
    """A job to be made; `candidate` where the header could not settle it and the worker's look at the voxels will.

    `notes`: what of its series was left out or put right to make volumes of them.
    """

    route: str
    task: str
    model: str
    inputs: Mapping[str, PlannedInput]
    priority: int
    destinations: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[str, Any]
    notes: tuple[str, ...]
    candidate: bool = False


@dataclass(frozen=True)
class Decision:
    """All verdicts, in the order of routes and series, and the jobs that follow.

    `withheld` names the models that would get one and are disabled.
    """

    verdicts: tuple[Verdict, ...]
    plans: tuple[JobPlan, ...]
    withheld: tuple[str, ...] = ()


def decide(
    routes: Sequence[Route], study: StudyFacts, closed: Mapping[str, str] = MappingProxyType({})
) -> Decision:
    """Every route's verdict on every series and on the study, with the jobs to make.

    `closed`: why a model takes no job, by its name.
    """
    verdicts: list[Verdict] = []
    plans: list[JobPlan] = []
    withheld: dict[str, None] = {}
    for route in routes:
        if not route.enabled:
            verdicts.append(Verdict(route.name, "", False, "the route is switched off"))
            continue
        if study.incomplete and _refuses_incomplete(route, study):
            verdicts.append(Verdict(route.name, "", False, f"{study.incomplete}; such a study is refused here"))
            continue
        answers = {series.uid: _answer(route, study, series) for series in study.series}
        candidates = [Candidate(s, answers[s.uid]) for s in study.series if answers[s.uid].ok]
        choice = route.select.choose(candidates)
        verdicts.extend(_of_series(route, series, answers[series.uid], choice) for series in study.series)
        if choice.inputs and route.model in closed:
            withheld[route.model] = None
            reason = f"model {route.model} {closed[route.model]}; else it would get a job: {choice.reason}"
            verdicts.append(Verdict(route.name, "", False, reason))
        elif choice.inputs:
            plans.append(_plan(route, study, choice))
            verdicts.append(Verdict(route.name, "", True, _fires(route, choice, answers)))
        else:
            verdicts.append(Verdict(route.name, "", False, _silent(study, answers, choice)))
    return Decision(tuple(verdicts), tuple(plans), tuple(withheld))


def _refuses_incomplete(route: Route, study: StudyFacts) -> bool:
    return study.refuse_incomplete if route.incomplete is None else route.incomplete == "refuse"


def _answer(route: Route, study: StudyFacts, series: SeriesFacts) -> Answer:
    """The route's `when`, and whether it wants a series of which nobody said in what space it lies."""
    answer = route.when.answer(study, series)
    refuses = route.missing_frame_of_reference == "refuse"
    if answer.ok and refuses and not text(series.header, "FrameOfReferenceUID"):
        return Answer(False, "its images name no frame of reference; such a series is refused here")
    return answer


def _of_series(route: Route, series: SeriesFacts, answer: Answer, choice: Choice) -> Verdict:
    chosen = any(series.uid == taken.uid for taken in choice.inputs.values())
    reason = choice.notes.get(series.uid, "fits") if answer.ok else answer.reason
    if chosen and not answer.sure:
        reason = f"{reason} ({CANDIDATE}; {answer.reason})"
    if chosen and series.geometry.notes:
        reason = f"{reason}. {' '.join(series.geometry.notes)}"
    scores = choice.scores.get(series.uid, {})
    return Verdict(route.name, series.uid, chosen, f"{series.label}: {reason}", scores)


def _plan(route: Route, study: StudyFacts, choice: Choice) -> JobPlan:
    return JobPlan(
        route=route.name,
        task=route.task,
        model=route.model,
        inputs={
            role: PlannedInput(series.uid, series.geometry.sop_instance_uids) for role, series in choice.inputs.items()
        },
        priority=route.priority.of(study.calling_aets),
        destinations=route.destinations,
        outputs=route.outputs,
        parameters=route.parameters,
        notes=tuple(f"{role}: {note}" for role, series in choice.inputs.items() for note in series.geometry.notes),
        candidate=not choice.sure,
    )


def _fires(route: Route, choice: Choice, answers: Mapping[str, Answer]) -> str:
    fired = f"model {route.model} gets a job: {choice.reason}"
    return fired if choice.sure else f"{fired}; {_doubt(choice, answers)}"


def _doubt(choice: Choice, answers: Mapping[str, Answer]) -> str:
    unsure = [answers[series.uid].reason for series in choice.inputs.values() if not answers[series.uid].sure]
    return f"{CANDIDATE}, because {' and '.join(dict.fromkeys(unsure))}"


def _silent(study: StudyFacts, answers: Mapping[str, Answer], choice: Choice) -> str:
    if not study.series:
        return "the study has no series"
    if any(answer.ok for answer in answers.values()):
        return choice.reason
    largest = max(study.series, key=lambda series: series.images)
    count = "its only series does not fit" if len(study.series) == 1 else f"none of its {len(study.series)} series fits"
    return f"{count}; {largest.label}: {answers[largest.uid].reason}"
