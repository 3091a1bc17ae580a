"""Where a series' slices lie, from its index headers; the same arithmetic as the reader's, so both refuse alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from dicom_node.routing.header import Header
from inference.errors import BadGeometry
from inference.readers.arrange import Arrangement, arrange
from inference.readers.headers import SliceHeader, slice_headers

OBLIQUE_FROM = np.cos(np.radians(30.0))  # brain slices along the skull base lean by up to 25 degrees
SAME_DIRECTION = 0.99


class Plane(StrEnum):
    """Which way most slices lie."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"
    OBLIQUE = "oblique"
    MIXED = "mixed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Geometry:
    """Lengths in mm, None where the headers do not tell; `problem` is why the slices make no volume.

    `sop_instance_uids`: the instances of the one volume in slice order, and after them what lies at the same
    places and only pixels can tell apart. Where they make no volume all of them, so that the reader says why.
    `echo_ms`: the effective echo time of the volume's frames, where frames name their own.
    """

    plane: Plane = Plane.UNKNOWN
    slices: int = 0
    coverage_mm: float | None = None
    spacing_mm: float | None = None
    in_plane_mm: float | None = None
    fov_mm: float | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()
    echo_ms: float | None = None

    @property
    def voxel_mm(self) -> float | None:
        """The longest edge of a voxel."""
        if self.spacing_mm is None or self.in_plane_mm is None:
            return None
        return max(self.spacing_mm, self.in_plane_mm)


def geometry_of(headers: Sequence[Header]) -> Geometry:
    """The geometry of one series; a series that makes no volume still tells its plane and how many slices it has."""
    slices: list[SliceHeader] = []
    try:
        for header in headers:
            slices.extend(slice_headers(header))
        arrangement = arrange(slices)
    except BadGeometry as error:
        known = tuple(dict.fromkeys(str(one["SOPInstanceUID"]) for one in headers if "SOPInstanceUID" in one))
        problem = str(error).rstrip(".")
        return Geometry(plane=_plane(slices), slices=len(slices), problem=problem, sop_instance_uids=known)
    return _of_volume(arrangement, _plane(slices))


def _of_volume(arrangement: Arrangement, plane: Plane) -> Geometry:
    grid = arrangement.grid
    # Coverage counts along the normal: a tilted gantry's slices are closer to each other than their centres are.
    normal = np.cross(grid.directions[:, 2], grid.directions[:, 1])
    spacing = abs(float(grid.affine[:3, 0] @ normal))
    _, rows, columns = grid.shape
    repeats = tuple(other for _, other in arrangement.repeats)
    return Geometry(
        plane=plane,
        slices=grid.shape[0],
        coverage_mm=spacing * grid.shape[0],
        spacing_mm=spacing,
        in_plane_mm=max(grid.spacing.y, grid.spacing.x),
        fov_mm=max(rows * grid.spacing.y, columns * grid.spacing.x),
        notes=arrangement.notes,
        sop_instance_uids=tuple(dict.fromkeys(s.sop_instance_uid for s in arrangement.slices + repeats)),
        echo_ms=arrangement.slices[0].moments.get("EffectiveEchoTime"),
    )


def _plane(slices: Sequence[SliceHeader]) -> Plane:
    """The plane of most slices; mixed where a tenth or more of them lie otherwise."""
    normals = [normal for s in slices if (normal := _normal(s)) is not None]
    if not normals:
        return Plane.UNKNOWN
    stacked = np.array(normals)
    alike = np.abs(stacked @ stacked[len(stacked) // 2]) > SAME_DIRECTION
    if alike.mean() <= 0.9:
        return Plane.MIXED
    normal = np.abs(stacked[len(stacked) // 2])
    axis = int(normal.argmax())
    if normal[axis] < OBLIQUE_FROM:
        return Plane.OBLIQUE
    return (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)[axis]


def _normal(header: SliceHeader) -> NDArray[np.float64] | None:
    if header.orientation is None:
        return None
    orientation = np.array(header.orientation, dtype=np.float64)
    normal = np.cross(orientation[:3], orientation[3:])
    length = float(np.linalg.norm(normal))
    return normal / length if length > 1e-6 else None
