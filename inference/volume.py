"""Voxels with their place in the patient.

Axes order is (z, y, x) everywhere: slice, row, column. The affine maps voxel *indices in that order*
to millimetres in the DICOM patient frame LPS (x to the left, y to the back, z to the head):
`lps = affine @ (k, j, i, 1)`, where index (0, 0, 0) is the centre of the first voxel
(PS3.3 C.7.6.2.1.1). Readers deliver right-handed grids: the slice axis points along row × column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Units = Literal["HU", "signal"]


class Spacing(NamedTuple):
    """Distance between voxel centres in mm along (z, y, x)."""

    z: float
    y: float
    x: float


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxels lie: shape (z, y, x), affine from index (k, j, i) to LPS mm, frame of reference."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    frame_of_reference_uid: str = ""

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise ValueError(f"a grid's affine is a finite 4x4 matrix, not {affine.shape}")
        if abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise ValueError("a grid's affine must not collapse an axis")
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @property
    def spacing(self) -> Spacing:
        """Voxel spacing (z, y, x) in mm."""
        return Spacing(*(float(v) for v in np.linalg.norm(self.affine[:3, :3], axis=0)))

    @property
    def directions(self) -> NDArray[np.float64]:
        """Unit vectors of the (z, y, x) axes in LPS, one a column."""
        return self.affine[:3, :3] / np.array(self.spacing)

    @property
    def origin(self) -> NDArray[np.float64]:
        """Centre of the first voxel in LPS mm."""
        return self.affine[:3, 3]

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def slice_distance(self) -> float:
        """From a slice to the next in mm, along their normal; less than from centre to centre where slices lean."""
        return 1000.0 * self.voxel_ml / (self.spacing.y * self.spacing.x)

    def to_lps(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Centres in LPS mm of voxel indices, shape (..., 3) in (z, y, x) order."""
        return np.asarray(indices, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points: ArrayLike) -> NDArray[np.float64]:
        """Continuous indices (z, y, x) of points in LPS mm, shape (..., 3)."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(points, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]

    def matches(self, other: Grid, tolerance_mm: float = 1e-2) -> bool:
        """True where both grids put every voxel centre at the same place, to `tolerance_mm`."""
        if self.shape != other.shape:
            return False
        corners = np.array([[z, y, x] for z in (0, self.shape[0] - 1) for y in (0, self.shape[1] - 1)
                            for x in (0, self.shape[2] - 1)])
        return bool(np.abs(self.to_lps(corners) - other.to_lps(corners)).max() <= tolerance_mm)


@dataclass(frozen=True, eq=False)
class SliceSource:
    """The instance, and its frame where it has several, that one slice of a volume came from."""

    sop_instance_uid: str
    frame: int | None = None  # 1-based (PS3.3 C.7.6.16); None for single-frame instances


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels of shape (z, y, x) on a grid; `sources` names each slice's instance, one a z index."""

    array: NDArray[np.generic]
    grid: Grid
    units: Units = "signal"
    sources: tuple[SliceSource, ...] = ()
    series_instance_uid: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise ValueError(f"array {self.array.shape} does not lie on a grid of {self.grid.shape}")
        if self.sources and len(self.sources) != self.grid.shape[0]:
            raise ValueError(f"{len(self.sources)} slice sources for {self.grid.shape[0]} slices")

    def with_array(self, array: NDArray[np.generic]) -> Volume:
        """The same place and sources with other voxels."""
        return replace(self, array=array)


def unit_axes(orientation: ArrayLike) -> NDArray[np.float64]:
    """Row and column as unit vectors, shape (2, 3), of Image Orientation (Patient), PS3.3 C.7.6.2.1.1.

    Some scanners write three decimals: along a row of 1024 pixels such cosines, taken as they are, miss by most of one.
    What has no length, or is no number, becomes no unit vector; whoever asks finds that it lies nowhere.
    """
    axes = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(axes, axis=1, keepdims=True)
        return np.asarray(axes / np.where(lengths > 0, lengths, 1.0))


def regular_affine(origin: Sequence[float], directions: ArrayLike, spacing: Spacing) -> NDArray[np.float64]:
    """Affine of a regular grid from its first voxel's centre, unit axes (z, y, x) as columns, and spacing."""
    affine = np.eye(4)
    affine[:3, :3] = np.asarray(directions, dtype=np.float64) * np.array(spacing)
    affine[:3, 3] = origin
    return affine
