"""What every data set gives: its cases by name at once, and one labelled case when it is asked for."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.tasks.card import TaskCard
from inference.volume import Grid, Volume


@dataclass(frozen=True)
class CaseRef:
    """A case that was found and not yet read.

    `case_id` and `patient_id` are the pseudonyms under which the data set is published. `images` are files by role; a
    DICOM series is its folder. A role or a truth that was not found is left out, and reading the case says so.
    `fold` is the fold that the data set itself publishes, None where it has none.
    """

    case_id: str
    patient_id: str
    images: Mapping[str, Path]
    truth: Path | None = None
    fold: int | None = None


class Mark(NamedTuple):
    """A place that a data set lists: centre in LPS mm, diameter in mm (0 where it is not told)."""

    centre: tuple[float, float, float]
    diameter_mm: float


@dataclass(frozen=True, eq=False)
class LabelledCase:
    """One case with its truth.

    `volumes` by role, voxels float32; `truth` uint8 (z, y, x) on the primary role's grid in the labels of the task's
    card. `lesions` are those that the data set lists one by one; `irrelevant` are places where a finding is neither
    right nor wrong. `registered` tells that all roles are known to lie on each other. `notes` say in plain words what
    the truth is made of, and what to mind.
    """

    case_id: str
    patient_id: str
    card: TaskCard
    volumes: dict[str, Volume]
    truth: NDArray[np.uint8]
    lesions: tuple[Mark, ...] = ()
    irrelevant: tuple[Mark, ...] = ()
    registered: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if set(self.volumes) != {role.name for role in self.card.roles}:
            raise ValueError(f"{self.card.name} has other roles than {', '.join(sorted(self.volumes))}")
        if self.truth.dtype != np.uint8 or self.truth.shape != self.grid.shape:
            raise ValueError(f"truth {self.truth.dtype} {self.truth.shape} does not lie on {self.grid.shape} as uint8")

    @property
    def grid(self) -> Grid:
        """The primary role's grid, on which `truth` lies."""
        return self.volumes[self.card.primary].grid


class DataSet(ABC):
    """Labelled cases of one task, in one published layout."""

    layout: str  # as people call it
    card: TaskCard

    @abstractmethod
    def cases(self) -> list[CaseRef]:
        """Every case in a fixed order, no voxel read; WrongFolder where there is none, DataError on a broken table."""

    @abstractmethod
    def read(self, ref: CaseRef) -> LabelledCase:
        """One case; BadCase names the file at fault, and what is wrong with it."""

    def fingerprint(self, ref: CaseRef) -> str:
        """SHA-256 that changes where the case does: over every byte of the truth, and the size of every image."""
        return digest_files(ref.images, () if ref.truth is None else (ref.truth,))


def digest_files(images: Mapping[str, Path], truths: Iterable[Path], *more: object) -> str:
    """SHA-256 over the bytes of `truths`, the sizes of `images`, and the text of `more`; names and places are free.

    OSError where a file cannot be read.
    """
    digest = hashlib.sha256()
    for role, path in sorted(images.items()):
        digest.update(f"{role} {_size(path)}\n".encode())
    for path in truths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(repr(more).encode())
    return digest.hexdigest()


def _size(path: Path) -> int:
    """Bytes of a file, of all files in a folder, or of a MetaImage with its voxels beside it."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    beside = [other for ending in (".raw", ".zraw") if (other := path.with_suffix(ending)).is_file()]
    return sum(file.stat().st_size for file in (path, *beside))
