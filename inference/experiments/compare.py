"""Networks and ablations beside one another: the same cases, as many steps, and what chance alone would give.

Every training leaves its result in a file of its own, so that an experiment of hours goes on where it was stopped.
Test cases are judged on the working grid, which all variants with one recipe share.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from inference.answer import convinced, decode
from inference.evaluation.comparison import ComparisonText, ModelRuns, compare_models
from inference.evaluation.evaluate import TruthCase, evaluate, settings_for
from inference.evaluation.files import write_comparison
from inference.evaluation.results import DatasetResult
from inference.evaluation.score import REGIONS
from inference.experiments.judge import Unseen, unseen
from inference.experiments.settings import ExperimentSettings, Run, load_experiment, runs
from inference.tasks import TASKS
from inference.training.cases import Case
from inference.training.choosing import Chosen, choose
from inference.training.datasets import CaseRef
from inference.training.datasets.prepared import cached_case
from inference.training.material import gather
from inference.training.run import CACHE, trained
from inference.training.validation import look, working_grid

log = logging.getLogger(__name__)


class Outcome(BaseModel):
    """What one training of a variant gave."""

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
            written = _report(experiment, outcomes, folder, trained_on_phantoms=run.settings.synthetic)
    return written


class _Place(NamedTuple):
    """Where results and prepared cases are kept, where the base configuration lies, how many processes draw."""

    folder: Path
    cache: Path
    beside: Path
    workers: int


def _outcome(run: Run, tested: range, place: _Place) -> Outcome:
    """The outcome of a training from its file, or made and kept there."""
    test = unseen(run.settings, place.beside, tested)
    content = f"{run.settings.model_dump_json()} {[test.data.fingerprint(ref) for ref in test.refs]}"
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    kept = place.folder / f"{run.variant}-{run.seed}-{digest}.json"
    if kept.exists():
        return Outcome.model_validate_json(kept.read_text())
    log.info("%s, seed %d", run.variant, run.seed)
    material = gather(run.settings, place.cache, workers=place.workers, beside=place.beside)
    trainer = trained(run.settings.in_steps(len(material.training)), material, place.cache)
    outcome = Outcome(result=_judged(choose(trainer), test, place.cache, trainer.device),
                      parameters=sum(weights.numel() for weights in trainer.network.parameters()),
                      seconds_per_step=trainer.seconds_per_step)
    beside = kept.with_suffix(".part")
    beside.write_text(outcome.model_dump_json())
    beside.rename(kept)
    return outcome


def _judged(chosen: Chosen, test: Unseen, cache: Path, device: str) -> DatasetResult:
    settings, card = chosen.settings, TASKS[chosen.settings.task]
    output = settings.output

    def shown(ref: CaseRef) -> _Prepared:
        case = cached_case(test.data, ref, settings.recipe, cache)
        return _Prepared(ref.case_id, np.array(case.labels), working_grid(case, settings), case=case)

    def answer(case: _Prepared) -> NDArray[np.uint8]:
        assert case.case is not None
        found = decode(convinced(look(chosen.network, case.case, settings, device), output), output)
        return card.postprocess(found, case.grid)

    rules = settings_for(card.name, test.name, phantoms=test.synthetic, pictures=False)
    return evaluate(map(shown, test.refs), answer, REGIONS[card.name], rules)


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
