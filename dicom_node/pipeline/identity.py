"""What makes a job the same job: its inputs, task, model and parameters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def job_identity(task: str, inputs: Mapping[str, Any], model: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """SHA-256 over SOP instances by role, task, model identity and parameters, as 64 hex digits.

    The order of instances within a role does not count: it is a property of arrival, not of content.
    """
    facts = {
        "task": task,
        "inputs": {role: sorted(source["instances"]) for role, source in inputs.items()},
        "model": dict(model),
        "parameters": dict(parameters),
    }
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
