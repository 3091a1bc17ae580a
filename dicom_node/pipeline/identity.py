"""What makes a job the same job: its inputs, task, model and parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from itertools import count
from typing import Any


def job_identity(
    task: str,
    inputs: Mapping[str, Any],
    model: Mapping[str, Any],
    parameters: Mapping[str, Any],
    *,
    corrections: Mapping[str, str] | None = None,
    again: int = 0,
) -> str:
    """SHA-256 over SOP instances by role, task, model identity and parameters, as 64 hex digits.

    `corrections` names the header of each input whose header was corrected in what results copy; `again` counts
    how often the very same job was superseded before, since a name that has ended is not given twice.

    The order of instances within a role does not count: it is a property of arrival, not of content.
    """
    facts: dict[str, Any] = {
        "task": task,
        "inputs": {role: sorted(source["instances"]) for role, source in inputs.items()},
        "model": dict(model),
        "parameters": dict(parameters),
    }
    named = {uid for uids in facts["inputs"].values() for uid in uids}
    if used := {uid: name for uid, name in (corrections or {}).items() if uid in named}:
        facts["corrections"] = used
    if again:
        facts["again"] = again
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def fresh_identity(
    ended: Collection[str],
    task: str,
    inputs: Mapping[str, Any],
    model: Mapping[str, Any],
    parameters: Mapping[str, Any],
    *,
    corrections: Mapping[str, str] | None = None,
) -> str:
    """The first such name that no job in `ended` had."""
    names = (job_identity(task, inputs, model, parameters, corrections=corrections, again=n) for n in count())
    return next(name for name in names if name not in ended)
