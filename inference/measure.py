"""From a label map to findings: lesions split and numbered, volumes, diameters, voxel statistics.

Every finding of a result gets the same quantities in the same order, so that tables made of them line up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference import codes
from inference.diameters import in_plane_axes, largest_diameter
from inference.findings import Finding, Measurement, Structure
from inference.fitness import lung_midline_mm
from inference.tasks.postprocess import bounding_box, components
from inference.volume import Grid, Volume

MAX_LESIONS = 60


class Measured(NamedTuple):
    """`labelmap` (z, y, x), uint8 or uint16: n marks the voxels of `findings[n - 1]`. `notes` in plain words."""

    labelmap: NDArray[np.uint8] | NDArray[np.uint16]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


class _Part(NamedTuple):
    """Voxels that become one finding: its name and what it is. Its id is its place in the list of parts, from 1."""

    name: str
    structure: Structure


def measure_findings(labels: NDArray[np.uint8], structures: Sequence[Structure], volume: Volume) -> Measured:
    """Findings of a label map that lies on `volume`, whose voxels are the ones measured.

    Structures come in their given order; lesions of a `per_lesion` structure one by one, the largest first.
    Absent structures give no finding. Beyond MAX_LESIONS the smallest lesions share the last finding.
    """
    if labels.shape != volume.grid.shape:
        raise ValueError(f"labels {labels.shape} do not lie on a volume of {volume.grid.shape}")
    parts_map = np.zeros(labels.shape, dtype=np.uint16)
    parts: list[_Part] = []
    notes: list[str] = []
    for structure in structures:
        mask = labels == structure.label
        box = bounding_box(mask)
        if box is not None:
            numbers, names = _numbered(mask[box], structure, notes)
            parts_map[box] += np.where(numbers > 0, numbers + len(parts), 0).astype(np.uint16)
            parts += [_Part(name, structure) for name in names]
    midline = _midline(structures, volume) if parts else None
    boxes = ndimage.find_objects(parts_map, max_label=len(parts))
    findings = tuple(_finding(number, part, parts_map, volume, boxes[number - 1], midline)
                     for number, part in enumerate(parts, start=1))
    labelmap = parts_map.astype(np.uint8) if len(parts) <= 255 else parts_map
    return Measured(labelmap, findings, tuple(notes))


def measure_totals(labels: NDArray[np.uint8], totals: Sequence[tuple[str, tuple[int, ...]]],
                   grid: Grid) -> tuple[tuple[str, Measurement], ...]:
    """Volumes of unions of labels (whole tumour, tumour core), also where they are empty."""
    counts = np.bincount(labels.ravel(), minlength=256)
    return tuple((name, _volume(int(sum(counts[label] for label in union)) * grid.voxel_ml))
                 for name, union in totals)


def _numbered(mask: NDArray[np.bool_], structure: Structure,
              notes: list[str]) -> tuple[NDArray[np.int32], list[str]]:
    """The voxels of one structure, numbered 1..n by the finding that they become, and the findings' names."""
    if not structure.per_lesion:
        return mask.astype(np.int32), [structure.name]
    lesions, counts = components(mask)
    names = [f"{structure.name} {number}" for number in range(1, len(counts) + 1)]
    if len(names) > MAX_LESIONS:
        rest = len(names) - MAX_LESIONS + 1
        notes.append(f"{len(names)} lesions were found; the {rest} smallest are given as one finding.")
        names = [*names[:MAX_LESIONS - 1], f"{structure.name}, {rest} small ones"]
        np.minimum(lesions, MAX_LESIONS, out=lesions)
    return lesions, names


def _finding(number: int, part: _Part, parts_map: NDArray[np.uint16], volume: Volume, box: tuple[slice, ...],
             midline: float | None) -> Finding:
    mask = parts_map[box] == number
    voxels = int(np.count_nonzero(mask))
    volume_ml = voxels * volume.grid.voxel_ml
    measurements = (_volume(volume_ml), *_diameters(mask, volume.grid),
                    *_statistics(volume.array[box][mask], volume.units))
    side = _laterality(mask, box, volume.grid, midline) if part.structure.region == codes.LUNG else None
    return Finding(number, part.name[:64], part.structure, measurements, voxels, volume_ml, side)


def _volume(millilitres: float) -> Measurement:
    return Measurement(codes.VOLUME, millilitres, codes.MILLILITRE, method=codes.VOXEL_SUM)


def _diameters(mask: NDArray[np.bool_], grid: Grid) -> Iterator[Measurement]:
    long_axis, short_axis = in_plane_axes(mask, grid.spacing)
    yield Measurement(codes.LONG_AXIS, long_axis, codes.MILLIMETRE)
    yield Measurement(codes.SHORT_AXIS, short_axis, codes.MILLIMETRE)
    yield Measurement(codes.DIAMETER, largest_diameter(mask, grid), codes.MILLIMETRE, derivation=codes.MAXIMUM)


def _statistics(voxels: NDArray[np.generic], units: str) -> Iterator[Measurement]:
    quantity, unit = (codes.ATTENUATION, codes.HOUNSFIELD) if units == "HU" else (codes.MR_SIGNAL, codes.NO_UNITS)
    values = np.asarray(voxels, dtype=np.float64)
    for derivation, number in ((codes.MEAN, values.mean()), (codes.STANDARD_DEVIATION, values.std()),
                               (codes.MINIMUM, values.min()), (codes.MAXIMUM, values.max()),
                               (codes.MEDIAN, np.median(values))):
        yield Measurement(quantity, float(number), unit, derivation=derivation)


def _midline(structures: Sequence[Structure], volume: Volume) -> float | None:
    paired = any(structure.region == codes.LUNG for structure in structures)
    return lung_midline_mm(volume) if paired and volume.units == "HU" else None


def _laterality(mask: NDArray[np.bool_], box: tuple[slice, ...], grid: Grid,
                midline: float | None) -> codes.Code | None:
    """The side by the centre of gravity; x runs to the patient's left."""
    if midline is None:
        return None
    centre = np.argwhere(mask).mean(axis=0) + [part.start for part in box]
    return codes.LEFT if grid.to_lps(centre)[0] > midline else codes.RIGHT
