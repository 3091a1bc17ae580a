"""Where the small real images lie: in the folder that SEGNODE_SAMPLES names, else beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SAMPLES = Path(os.environ.get("SEGNODE_SAMPLES") or Path(__file__).parents[3] / "shared" / "samples").expanduser()


def sample(name: str) -> Path:
    """One of them, a file or a folder; the test fails where it is not there."""
    path = SAMPLES / name
    if not path.exists():
        pytest.fail(f"{name} is not in {SAMPLES}: let SEGNODE_SAMPLES name the folder that holds the samples")
    return path
