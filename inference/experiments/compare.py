"""Networks and ablations beside one another: the same cases, as many steps, and what chance alone would give.

Every training leaves its result in a file of its own, so that an experiment of hours goes on where it was stopped.
Test cases are judged on the working grid, which all variants with one recipe share.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from inference.answer import convinced, decode
from inference.evaluation.candidates import Nodule
from inference.evaluation.comparison import ComparisonText, ModelRuns, compare_models
from inference.evaluation.evaluate import EvaluationSettings, TruthCase, evaluate, settings_for
from inference.evaluation.files import write_comparison
from inference.evaluation.results import DatasetResult, Failure
from inference.evaluation.score import REGIONS, ScoredRegion
from inference.experiments.judge import Unseen, unseen
from inference.experiments.pool import Parts, as_one, as_part, gather_parts, joined
from inference.experiments.settings import ExperimentSettings, Run, load_experiment, runs
from inference.tasks import TASKS
from inference.training.cases import Case
from inference.training.choosing import Chosen, choose
from inference.training.config import TrainingSettings
from inference.training.datasets import CaseRef, walk
from inference.training.datasets.prepared import cached_case
from inference.training.material import gather
from inference.training.run import CACHE, trained
from inference.training.validation import look, working_grid

log = logging.getLogger(__name__)


class Outcome(BaseModel):
    """What a variant gave with one seed; where it is several networks, their parameters together."""

    result: DatasetResult
    parameters: int
    seconds_per_step: float


def compare(path: Path, folder: Path, cache: Path = CACHE, *, workers: int = 2) -> tuple[Path, Path, Path]:
    """Train and judge every variant of an experiment; its table as CSV, JSON and a page, in `folder`.

    The first variant is the one that the others are compared with. The table is there from the first seed on that all
    variants have behind them.
    """
    experiment, cache = load_experiment(path), cache.expanduser()
    base = path.parent / experiment.base
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, list[Outcome]] = {name: [] for name in experiment.variants}
    written = (folder, folder, folder)
    for run in runs(experiment, path.parent):
        place = _Place(folder, cache, base.parent, workers)
        outcomes[run.variant].append(_outcome(run, experiment.tested, place))
        if len({len(some) for some in outcomes.values()}) == 1:
            written = _report(experiment, outcomes, folder, trained_on_phantoms=run.synthetic)
    return written


class _Place(NamedTuple):
    """Where results and prepared cases are kept, where the base configuration lies, how many processes draw."""

    folder: Path
    cache: Path
    beside: Path
    workers: int


def _outcome(run: Run, tested: range, place: _Place) -> Outcome:
    """The outcome of a variant with one seed from its file, or made and kept there."""
    tests = {name: unseen(part, place.beside, tested) for training in run.trainings for name, part in training.items()}
    kept = place.folder / f"{run.variant}-{run.seed}-{_digest(run, tests)}.json"
    if kept.exists():
        return Outcome.model_validate_json(kept.read_text())
    log.info("%s, seed %d", run.variant, run.seed)
    made = [_made(training, tests, place) for training in run.trainings]
    paces = [one.seconds_per_step for one in made if one.seconds_per_step]  # none of a run that was at its end already
    outcome = Outcome(result=joined([one.result for one in made]), parameters=sum(one.parameters for one in made),
                      seconds_per_step=float(np.mean(paces)) if paces else 0.0)
    beside = kept.with_suffix(".part")
    beside.write_text(outcome.model_dump_json())
    beside.rename(kept)
    return outcome


def _digest(run: Run, tests: Mapping[str, Unseen]) -> str:
    """Changes with all that the outcome depends on, but for code that learns."""
    def told(name: str, part: TrainingSettings) -> str:
        test = tests[name]
        return f"{part.model_dump_json()} {[test.data.fingerprint(ref) for ref in test.refs]}{test.split}"

    content = "\n".join(" ".join(told(*part) for part in training.items()) for training in run.trainings)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def _made(parts: Parts, tests: Mapping[str, Unseen], place: _Place) -> Outcome:
    """One training over its parts, judged on each of them."""
    pooled = "" not in parts
    settings = as_one(parts) if pooled else parts[""]
    if pooled:
        material = gather_parts(parts, place.cache, workers=place.workers, beside=place.beside)
    else:
        material = gather(settings, place.cache, workers=place.workers, beside=place.beside)
    trainer = trained(settings.in_steps(len(material.training)), material, place.cache)
    chosen = choose(trainer)
    results = [_judged(replace(chosen, settings=as_part(chosen.settings, part)) if pooled else chosen,
                       _Exam(name, tests[name], place.cache, trainer.device)) for name, part in parts.items()]
    return Outcome(result=joined(results), parameters=sum(weights.numel() for weights in trainer.network.parameters()),
                   seconds_per_step=trainer.seconds_per_step)


class _Exam(NamedTuple):
    """The part of a pool that is judged ("" without one), its test cases, where they are kept, what computes."""

    part: str
    test: Unseen
    cache: Path
    device: str


def _judged(chosen: Chosen, exam: _Exam) -> DatasetResult:
    settings, test = chosen.settings, exam.test
    card, output = TASKS[settings.task], settings.output

    def shown(ref: CaseRef) -> _Prepared:
        case = cached_case(test.data, ref, settings.recipe, exam.cache)
        grid = working_grid(case, settings)
        irrelevant = tuple(Nodule(ref.case_id, tuple(grid.to_lps(middle)), diameter_mm or -1.0)
                           for *middle, diameter_mm in case.irrelevant.tolist())
        return _Prepared(ref.case_id, np.array(case.labels), grid, irrelevant=irrelevant, case=case)

    def answer(case: _Prepared) -> NDArray[np.uint8]:
        assert case.case is not None
        found = decode(convinced(look(chosen.network, case.case, settings, exam.device), output), output)
        return card.postprocess(found, case.grid)

    if exam.part:
        regions = tuple(ScoredRegion(f"{one.name} on {exam.part}", one.members, one.label) for one in output.regions)
        rules = EvaluationSettings(dataset=f"{exam.part}: {test.name}", phantoms=test.synthetic, pictures=False)
    else:
        regions = REGIONS[card.name]
        rules = settings_for(card.name, test.name, phantoms=test.synthetic, pictures=False)
    unreadable: list[Failure] = []
    found = evaluate(walk(test.refs, shown, unreadable, strict=settings.strict), answer, regions, rules)
    return found.model_copy(update={"failures": (*unreadable, *found.failures)})


@dataclass(frozen=True, eq=False)
class _Prepared(TruthCase):
    """A test case on the working grid."""

    case: Case | None = None


def _report(experiment: ExperimentSettings, outcomes: Mapping[str, Sequence[Outcome]], folder: Path, *,
            trained_on_phantoms: bool) -> tuple[Path, Path, Path]:
    models = [ModelRuns(name, [one.result for one in some], some[0].parameters,
                        float(np.median([one.seconds_per_step for one in some]))) for name, some in outcomes.items()]
    text = ComparisonText(title=experiment.title, created=datetime.now(tz=UTC).date().isoformat(),
                          trained_on_phantoms=trained_on_phantoms)
    return write_comparison(compare_models(text, models), folder)
