"""What an executor answers to the question what a network looked at: cheap to import, small to send."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from inference.findings import ModelIdentity
from inference.volume import Grid, SliceSource

GRAD_CAM = "grad-cam"
GATE = "attention-gate"


@dataclass(frozen=True, eq=False)
class Explanation:
    """Maps of what a network looked at, picklable and small: `maps` are .npy files in the request's scratch folder.

    Each is float16 (z, y, x), 0..1, on `grid`, which is the primary role's source grid; `sources` name its slices.
    """

    model: ModelIdentity
    grid: Grid
    sources: tuple[SliceSource, ...]
    maps: dict[str, Path] = field(default_factory=dict)
    device: str = "cpu"
