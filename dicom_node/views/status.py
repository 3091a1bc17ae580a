"""How the node fares, put together of its parts: for the command line and the console."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from dicom_node.assembly import audit_spool, cleaner
from dicom_node.models.model_switch import studies_waiting, waits
from dicom_node.running.upkeep import disk_lines
from dicom_node.settings import Settings
from dicom_node.settings.models import closed_models
from dicom_node.storing import watermarks
from dicom_node.views.node import status_view
from storage.database import Transaction

if TYPE_CHECKING:
    from dicom_node.assembly import Parts


def node_status(parts: Parts, tx: Transaction, now: float, most: int | None = None) -> dict[str, Any]:
    """Roles, queues, disk, certificates; what needs a person, the disk first. Nothing is counted beyond `most`."""
    trouble = parts.archive.trouble()
    free = 0 if trouble else parts.archive.free_bytes()
    view = status_view(tx, now, free, audit_spool(parts.settings).state(), most)
    if trouble:
        short = [f"nothing is taken: {trouble}"]
    else:
        short = disk_lines(cleaner(parts), watermarks(parts.settings), free, now, most)
    view["needs_a_person"] = short + view["needs_a_person"] + _disabled_models(parts.settings, tx, now)
    return view


def _disabled_models(settings: Settings, tx: Transaction, now: float) -> list[str]:
    """Sentences on studies that wait until somebody enables a model."""
    lines = []
    for name, why in closed_models(settings.models).items():
        if number := studies_waiting(tx, name, now):
            out = f"`segnode models enable {name}` lets them go on"
            lines.append(f"{waits(number)} for model {name}, which {why}: {out}")
    return lines


def today_view(tx: Transaction, now: float, goal_s: float) -> dict[str, Any]:
    """What was done since midnight of the node's time zone, and how long a result took after its last image."""
    today = datetime.fromtimestamp(now, UTC).astimezone().date()
    midnight = datetime.combine(today, time.min).astimezone()  # by the offset of then: clocks may change during a day
    figures = tx.figures.since(midnight.timestamp())
    took = sorted(figures.result_s)
    return {
        "since": midnight.timestamp(),
        "studies": figures.studies,
        "results": figures.results,
        "failed": figures.failed,
        "delivered": len(took),
        "median_s": _quantile(took, 0.5),
        "slowest_tenth_s": _quantile(took, 0.9),
        "goal_s": goal_s,
        "within_goal": sum(seconds <= goal_s for seconds in took),
    }


def _quantile(ordered: Sequence[float], part: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None
