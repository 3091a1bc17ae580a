"""A person has a model tried on a device of the node; what came of the last time, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dicom_node.configuring.changes import Author
from dicom_node.models.verifying import known
from storage.errors import IllegalStep
from storage.lifecycle import TrialState
from storage.working.benches import Bench

if TYPE_CHECKING:
    from dicom_node.assembly import Parts


def ask(parts: Parts, name: str, author: Author) -> None:
    """Queue it; NotFound, and IllegalStep where a model is being tried or waits for that."""
    known(parts.settings, name)
    with parts.database.transaction() as tx:
        if not tx.benches.add(name, author.name, author.now):
            other = tx.benches.open()
            which = f"model {other.model}, which {other.by} asked for" if other else "a model"
            raise IllegalStep(f"one at a time: {which}, is to be tried first; ask again when that has ended")
    parts.audit.model_touched(name, f"model {name} is to be tried on a phantom", author.who)


def bench_view(bench: Bench | None, now: float) -> dict[str, Any] | None:
    """The last time: where it stands, on which device, and of each precision how fast and how alike to fp32."""
    if bench is None:
        return None
    running = bench.state is TrialState.PENDING and (bench.lease_until or 0.0) > now
    runs = list(bench.answer.get("runs", ()))
    first = runs[0]["seconds"] if runs else 0.0
    return {
        "state": "RUNNING" if running else str(bench.state),
        "by": bench.by,
        "asked_at": bench.queued_at,
        "at": bench.ended_at,
        "reason": bench.reason,
        "device": bench.answer.get("device", ""),
        "chosen": bench.answer.get("chosen", ""),
        "better": bench.answer.get("better"),
        "runs": [{**run, "ratio": round(first / run["seconds"], 2) if run["seconds"] else None} for run in runs],
    }
