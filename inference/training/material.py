"""What a run learns from: phantoms drawn by their seeds, or the cases of a data set as a split groups them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from inference.errors import DataError
from inference.evaluation.results import Failure
from inference.training.cases import Case, draw_cases
from inference.training.config import CaseSettings, SplitSettings, TrainingSettings
from inference.training.datasets import CaseRef, DataSet, walk
from inference.training.datasets.prepared import cached_case
from inference.training.progress import progress
from inference.training.splits import (
    Split,
    check_apart,
    open_split,
    published_folds,
    read_split,
    split_folds,
    split_shares,
    turn,
    write_split,
)

log = logging.getLogger(__name__)

Tell = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Material:
    """Prepared cases to learn from and to be judged by, and in words where they come from.

    `failures` are cases that could not be used, with the reason; `split` is the SHA-256 of the groups.
    """

    training: list[Case]
    validation: list[Case]
    origin: str
    failures: tuple[Failure, ...] = ()
    split: str = ""


@dataclass(frozen=True)
class Groups:
    """The cases of a data set by what they are for."""

    data: DataSet
    split: Split
    training: tuple[CaseRef, ...]
    validation: tuple[CaseRef, ...]
    test: tuple[CaseRef, ...]

    @property
    def sha256(self) -> str:
        """SHA-256 over the split's cases and which are for what: two equal ones learn from and test the same."""
        ids = [[ref.case_id for ref in refs] for refs in (self.training, self.validation, self.test)]
        return hashlib.sha256(f"{self.split.sha256} {json.dumps(ids)}".encode()).hexdigest()


def gather(settings: TrainingSettings, cache: Path, *, workers: int = 2, beside: Path = Path()) -> Material:
    """Every case of a run, prepared; `beside` is the configuration's folder, `cache` keeps what was prepared.

    DataError where the data set or its split cannot be used, Leak where a patient is in two groups, BadCase for the
    first case that cannot be used where the run is strict.
    """
    if settings.cases is not None:
        return _phantoms(settings, settings.cases, cache, workers)
    groups = grouped(settings, beside)
    failures: list[Failure] = []
    sides = [_prepared(settings, groups.data, refs, cache, failures) for refs in (groups.training, groups.validation)]
    for failure in failures:
        log.warning("%s is left out: %s", failure.case, failure.reason)
    for side, name in zip(sides, ("training", "validation"), strict=True):
        if not side:
            raise DataError(f"no case of {groups.data.layout} can be used for {name}: {failures[0].reason}")
    origin = (f"{groups.data.layout}: {len(sides[0])} cases to learn from, {len(sides[1])} to choose by, "
              f"{len(groups.test)} kept for the test; split {groups.split.rule}")
    return Material(sides[0], sides[1], origin, tuple(failures), groups.sha256)


def grouped(settings: TrainingSettings, beside: Path = Path()) -> Groups:
    """The cases of the run's data set by group, after every check of the split; it is drawn where there is none yet."""
    if settings.data is None or settings.split is None:
        raise DataError("the configuration names no data set")
    data = settings.data.open(beside)
    file = beside / settings.split.file
    if not file.exists():
        split = _drawn(data, settings.split)
        file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process of this run was first
            write_split(split, file)
            log.info("split %s written to %s", split.rule, file.name)
    refs = open_split(file, data)
    split = read_split(file)
    check_apart(split)
    if settings.split.fold is None:
        if not {"training", "validation", "test"} <= set(refs):
            raise DataError(f"{file.name} holds {split.rule}: name the `fold` that is tested.")
        return Groups(data, split, refs["training"], refs["validation"], refs["test"])
    if "training" in refs:
        raise DataError(f"{file.name} holds {split.rule}, which has no folds: leave out `fold`, or name another file.")
    if settings.split.published and split.seed is not None:
        raise DataError(f"{file.name} holds {split.rule} that were drawn, not the published ones: name another file.")
    by_id = {ref.case_id: ref for group in refs.values() for ref in group}
    ids = turn(split, settings.split.fold)
    return Groups(data, split, *(tuple(by_id[case_id] for case_id in group) for group in ids))


def _drawn(data: DataSet, wanted: SplitSettings) -> Split:
    if wanted.fold is None:
        return split_shares(data, wanted.seed)
    return published_folds(data) if wanted.published else split_folds(data, wanted.seed)


def _phantoms(settings: TrainingSettings, seeds: CaseSettings, cache: Path, workers: int) -> Material:
    def drawn(name: str, wanted: range) -> list[Case]:
        with _telling(f"{name} phantoms", len(wanted)) as tell:
            return draw_cases(name, settings.recipe, wanted, cache, workers=workers, progress=tell)

    training = drawn(settings.task, seeds.training)
    validation = drawn(settings.task, seeds.validation)
    learnt = _counted(seeds.training, "procedural phantoms") if seeds.count else "no further cases"
    origin = f"{learnt}, chosen by {_counted(seeds.validation, 'others')}"
    for group, more, purpose in ((training, seeds.variants, "to learn from"),
                                 (validation, seeds.validation_variants, "to choose by")):
        for name, wanted in more.items():
            group.extend(drawn(name, wanted.all))
            origin += f"; {_counted(wanted.all, f'of the variant {name} {purpose}')}"
    return Material(training, validation, origin)


def _counted(seeds: range, of_what: str) -> str:
    return f"{len(seeds)} {of_what} (seeds {seeds.start} to {seeds.stop - 1})"


def _prepared(settings: TrainingSettings, data: DataSet, refs: Sequence[CaseRef], cache: Path,
              failures: list[Failure]) -> list[Case]:
    with _telling(f"{data.layout} cases", len(refs)) as tell:
        found = []
        for case in walk(refs, lambda ref: cached_case(data, ref, settings.recipe, cache), failures,
                         strict=settings.strict):
            found.append(case)
            tell(len(found))
    return found


@contextmanager
def _telling(what: str, total: int) -> Iterator[Tell]:
    with progress() as bars:
        bar = bars.add_task(what, total=total, note="")
        yield lambda done: bars.update(bar, completed=done)
