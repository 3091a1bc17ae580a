"""All that the next step of a run depends on, in one file; a kill while it is written leaves the one before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch


def save(path: Path, state: dict[str, Any]) -> None:
    """Keep tensors, numbers and texts, and the state of torch's random numbers.

    One process at a time writes to a path: what others were writing beside it when they died is taken away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    random = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state()
    with beside.open("wb") as file:
        torch.save({**state, "random": random}, file)
        file.flush()
        os.fsync(file.fileno())  # else a power cut may leave the new name with nothing in it
    beside.rename(path)
    for left in path.parent.glob(f".{path.name}-*"):
        left.unlink()


def load(path: Path) -> dict[str, Any] | None:
    """What `save` kept, random numbers as they were; None where there is nothing."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    random = state.pop("random")
    torch.set_rng_state(random["cpu"])
    if "cuda" in random and torch.cuda.is_available():
        torch.cuda.set_rng_state(random["cuda"])
    return state
