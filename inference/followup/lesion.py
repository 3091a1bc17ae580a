"""A lesion of one time point: its voxels in their box, who it is, and how large, measured the same way every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.codes import Code
from inference.diameters import in_plane_axes
from inference.place import place_of
from inference.tasks.postprocess import boxes_of
from inference.transforms.geometry import crop_grid
from inference.trend import Size
from inference.volume import Grid

MOST_POINTS = 4000  # of a lesion's voxels that are asked where they lie


class Identity(NamedTuple):
    """Who a lesion is: an opaque `uid` (its tracking UID), what it is, in which organ, and how it is called."""

    uid: str
    type: Code
    organ: Code | None = None
    label: str = ""


@dataclass(frozen=True, eq=False)
class Lesion:
    """`mask` bool (z, y, x) is the lesion's box, not empty, on `grid`; `centre` of gravity in LPS mm."""

    identity: Identity
    mask: NDArray[np.bool_]
    grid: Grid
    centre: tuple[float, float, float]
    size: Size

    @property
    def uid(self) -> str:
        """The identity's."""
        return self.identity.uid

    @property
    def radius_mm(self) -> float:
        """Of the sphere of the same volume."""
        return self.size.radius_mm

    @property
    def points(self) -> NDArray[np.float64]:
        """Voxel centres in LPS mm (n, 3); where there are very many, the same some thousand of them every time."""
        indices = np.argwhere(self.mask)
        if len(indices) > MOST_POINTS:  # by lot: every nth would fall into step with the rows
            indices = np.random.default_rng(0).choice(indices, MOST_POINTS, replace=False)
        return self.grid.to_lps(indices)

    def holds(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (n, 3) in LPS mm lie in its voxels."""
        index = np.rint(self.grid.to_index(points)).astype(int)
        inside = ((index >= 0) & (index < self.mask.shape)).all(axis=1)
        z, y, x = np.clip(index, 0, np.array(self.mask.shape) - 1).T
        return np.asarray(inside & self.mask[z, y, x])


def lesions_of(labelmap: NDArray[np.unsignedinteger], grid: Grid,
               identities: Mapping[int, Identity]) -> tuple[Lesion, ...]:
    """The lesions of a label map (z, y, x) on `grid` by their numbers; numbers without voxels give none.

    Leave out a finding that several small lesions share: it is nobody. A number whose voxels do not hang together
    is one lesion, and its axes span the gaps.
    """
    if labelmap.shape != grid.shape:
        raise ValueError(f"a label map of {labelmap.shape} does not lie on a grid of {grid.shape}")
    if len({identity.uid for identity in identities.values()}) < len(identities):
        raise ValueError("two lesions of one time point have the same identity")
    boxes = boxes_of(labelmap)
    return tuple(_lesion(labelmap[boxes[number]] == number, boxes[number], grid, identity)
                 for number, identity in sorted(identities.items()) if number in boxes)


def _lesion(mask: NDArray[np.bool_], box: tuple[slice, slice, slice], grid: Grid, identity: Identity) -> Lesion:
    corner = tuple(side.start for side in box)
    axes = in_plane_axes(mask, grid.spacing)
    whole = all(length == 1 or (side.start > 0 and side.stop < length)
                for side, length in zip(box, grid.shape, strict=True))
    size = Size(int(np.count_nonzero(mask)) * grid.voxel_ml, axes.long_mm, axes.short_mm, whole)
    return Lesion(identity, mask, crop_grid(grid, box), place_of(mask, corner, grid).centre, size)
