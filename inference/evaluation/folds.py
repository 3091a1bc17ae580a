"""Cross-validation (paper III.E, five-fold): the cases that each fold held out are judged together, each once."""

from __future__ import annotations

from collections.abc import Sequence

from inference.errors import Unscorable
from inference.evaluation.results import DatasetResult


def pool_folds(folds: Sequence[DatasetResult]) -> DatasetResult:
    """One result of the held-out cases of all folds; intervals over it resample cases, not folds.

    Calibration and pictures stay with the folds: those were of different networks. Unscorable where a case stands in
    two folds (or failed in one and was judged in another), for then it was trained on where it was judged.
    """
    if not folds:
        raise Unscorable("there is no fold to pool: evaluate at least one")
    first, home = folds[0], dict[str, int]()
    for number, fold in enumerate(folds, start=1):
        if (fold.name, fold.headline, fold.phantoms) != (first.name, first.headline, first.phantoms):
            raise Unscorable(f"fold {number} is of {fold.name} ({fold.headline}), the first of {first.name} "
                             f"({first.headline}): pool folds of one data set")
        for case in dict.fromkeys((*fold.cases, *(failure.case for failure in fold.failures))):
            if case in home:
                raise Unscorable(f"case {case} stands in folds {home[case]} and {number}: "
                                 "split by patient, so that each case is held out once")
            home[case] = number
    return first.model_copy(update={
        "scores": tuple(score for fold in folds for score in fold.scores),
        "failures": tuple(failure for fold in folds for failure in fold.failures),
        "folds": len(folds), "calibration": (), "overlays": (),
    })
