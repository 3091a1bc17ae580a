"""How shadows compare with the models that they stand beside, for people: in numbers, by the worst studies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from storage.database import Transaction
from storage.lifecycle import TrialState
from storage.working.shadows import Shadow

MOST = 1000  # comparisons that are looked at, the newest
WORST, REASONS = 5, 5


def shadow_view(tx: Transaction, model: str) -> dict[str, Any]:
    """The newest comparisons of a model with its shadows: by versions, and how many wait."""
    found = tx.shadows.of_model(model, MOST)
    by: dict[tuple[str, str, str], list[Shadow]] = defaultdict(list)
    for one in found:
        if one.state is not TrialState.PENDING:
            by[one.shadow, one.version, one.shadow_version].append(one)
    waiting = sum(one.state is TrialState.PENDING for one in found)
    return {"model": model, "waiting": waiting, "compared": [_compared(key, ended) for key, ended in by.items()]}


def shadow_lines(views: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same of several models in a line for each pair of versions."""
    shown = ("shadow", "version", "shadow_version", "studies", "mean_dice", "seconds", "shadow_seconds", "failed")
    return [
        {"model": view["model"]} | {key: one[key] for key in shown} | {"waiting": view["waiting"]}
        for view in views
        for one in view["compared"]
    ]


def _compared(key: tuple[str, str, str], ended: Sequence[Shadow]) -> dict[str, Any]:
    """What came of one version beside one other; means are over studies that have the region in either mask."""
    done = [one for one in ended if one.state is TrialState.DONE]
    failed = [one for one in ended if one.state is TrialState.FAILED]
    worst = sorted(done, key=lambda one: 1.0 if one.mean_dice is None else one.mean_dice)[:WORST]
    shadow, version, shadow_version = key
    return {
        "shadow": shadow,
        "version": version,
        "shadow_version": shadow_version,
        "studies": len(done),
        "failed": len(failed),
        "mean_dice": _mean(one.mean_dice for one in done),
        "seconds": _mean(one.answer.get("seconds") for one in done),
        "shadow_seconds": _mean(one.answer.get("shadow_seconds") for one in done),
        "regions": _regions(done),
        "worst": [
            {"study": one.study_uid, "job": one.job_id, "mean_dice": one.mean_dice, **one.answer} for one in worst
        ],
        "failures": [{"study": one.study_uid, "at": one.ended_at, "reason": one.reason} for one in failed[:REASONS]],
    }


def _regions(done: Sequence[Shadow]) -> list[dict[str, Any]]:
    by: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in done:
        for region in one.answer.get("regions", ()):
            by[region["region"]].append(region)
    return [
        {"region": name, "studies": len(found)} | {key: _mean(one[key] for one in found)
                                                   for key in ("dice", "ml", "shadow_ml")}
        for name, found in by.items()
    ]


def _mean(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return round(fmean(known), 4) if known else None
