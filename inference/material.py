"""What a request runs on, read where it runs or brought there, and where its masks are left."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inference.errors import Unfit
from inference.followup.follow import Before, read_before
from inference.readers.dicom import read_report
from inference.request import ExplainRequest, Prior, Request
from inference.tasks.card import TaskCard
from inference.volume import Volume


class Material(Protocol):
    """The images of a request, and a place for what is made of them."""

    def inputs(self, card: TaskCard) -> tuple[dict[str, Volume], tuple[str, ...]]:
        """Volumes by role in the card's order, and the readers' remarks; `Unfit` where they cannot be had."""
        ...

    def before(self, prior: Prior) -> Before:
        """The prior's images and its mask; `Unfit` where they cannot be had."""
        ...

    def mask(self) -> NDArray[np.bool_] | None:
        """The voxels that a request to explain asks about."""
        ...

    def leave(self, name: str, array: NDArray[np.generic]) -> Path:
        """Keep an array as NAME.npy of the request's scratch folder, and say where that is."""
        ...


@dataclass(frozen=True)
class OnDisk:
    """The request's own files, on this machine."""

    request: Request

    def inputs(self, card: TaskCard) -> tuple[dict[str, Volume], tuple[str, ...]]:
        missing = [role.name for role in card.roles if role.name not in self.request.inputs]
        if missing:
            raise Unfit(f"The task {card.name} also needs {', '.join(missing)}.")
        volumes, notes = {}, []
        for role in card.roles:
            read = read_report(self.request.inputs[role.name])
            volumes[role.name] = read.volume
            notes += [f"{role.name}: {note}" for note in read.notes]
        return volumes, tuple(notes)

    def before(self, prior: Prior) -> Before:
        return read_before(prior)

    def mask(self) -> NDArray[np.bool_] | None:
        asked = self.request.mask if isinstance(self.request, ExplainRequest) else None
        return None if asked is None else np.load(asked) > 0

    def leave(self, name: str, array: NDArray[np.generic]) -> Path:
        return save(self.request.scratch, name, array)


def save(folder: Path, name: str, array: NDArray[np.generic]) -> Path:
    """Leave an array in a folder as NAME.npy."""
    path = folder / f"{name}.npy"
    np.save(path, array)
    return path
