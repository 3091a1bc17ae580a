"""From a label map to findings: lesions split and numbered, volumes, diameters, voxel statistics, places.

Every finding of a result gets the same quantities in the same order, so that tables made of them line up; but what
several lesions share has no length and no side.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference import codes
from inference.diameters import Diameters, in_plane_axes, largest_diameter
from inference.findings import Finding, Measurement, Place, Structure
from inference.fitness import lung_midline_mm
from inference.place import GAP, flags_of, leads_across_a_gap, place_of
from inference.tasks.postprocess import Box, bounding_box, boxes_of, components, moved
from inference.volume import Grid, Volume

MAX_LESIONS = 60


class Measured(NamedTuple):
    """`labelmap` (z, y, x), uint8 or uint16: n marks the voxels of `findings[n - 1]`. `notes` in plain words."""

    labelmap: NDArray[np.uint8] | NDArray[np.uint16]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]


class _Part(NamedTuple):
    """Voxels that become one finding: its name, what it is, of which lesion (0: none). Its id is its place, from 1.

    `sharing` lesions are in it: more than one where it is the last and the small ones are many.
    """

    name: str
    structure: Structure
    lesion: int = 0
    sharing: int = 1

    @property
    def several(self) -> bool:
        """Whether it is no lesion of its own."""
        return self.sharing > 1


def measure_findings(labels: NDArray[np.uint8], structures: Sequence[Structure], volume: Volume,
                     regions: Collection[int] = ()) -> Measured:
    """Findings of a label map that lies on `volume`, whose voxels are the ones measured.

    Structures come in their given order; lesions of a `per_lesion` structure one by one, the largest first.
    Connected voxels with any of the labels `regions` are one lesion; each of its regions is a finding.
    Absent structures give no finding. Beyond MAX_LESIONS the smallest lesions share the last finding.
    """
    if labels.shape != volume.grid.shape:
        raise ValueError(f"labels {labels.shape} do not lie on a volume of {volume.grid.shape}")
    around = bounding_box(labels > 0)  # the rest of the map is not looked at again
    if around is None:
        return Measured(np.zeros(labels.shape, dtype=np.uint8), (), ())
    numbers, parts, notes = _parts(labels[around], structures, regions)
    midline = _midline(structures, volume) if parts else None
    findings = tuple(_finding(number, parts[number - 1], numbers[box] == number, moved(box, around), volume, midline)
                     for number, box in boxes_of(numbers).items())
    labelmap = np.zeros(labels.shape, dtype=np.uint8 if len(parts) <= 255 else np.uint16)
    labelmap[around] = numbers
    return Measured(labelmap, findings, tuple(notes))


def with_confidence(measured: Measured, probability: NDArray[np.floating]) -> Measured:
    """Each finding with the mean probability (z, y, x) of its voxels as its confidence, 0..1."""
    sums = np.zeros(len(measured.findings) + 1)
    for labels, chances in zip(measured.labelmap, probability, strict=True):
        found = labels > 0
        sums += np.bincount(labels[found], weights=chances[found], minlength=sums.size)
    findings = tuple(replace(f, confidence=min(1.0, float(sums[f.number] / f.voxels))) for f in measured.findings)
    return measured._replace(findings=findings)


def measure_totals(labels: NDArray[np.uint8], totals: Sequence[tuple[str, tuple[int, ...]]],
                   grid: Grid) -> tuple[tuple[str, Measurement], ...]:
    """Volumes of unions of labels (whole tumour, tumour core), also where they are empty."""
    counts = {label: int(np.count_nonzero(labels == label)) for _, union in totals for label in union}
    return tuple((name, _volume(sum(counts[label] for label in union) * grid.voxel_ml)) for name, union in totals)


def shared_by_several(label: str) -> bool:
    """Whether a finding of this name holds several small lesions: it is nobody."""
    return re.search(r", \d+ small ones$|^Lesions \d+ ", label, re.ASCII) is not None


def _parts(labels: NDArray[np.uint8], structures: Sequence[Structure],
           regions: Collection[int]) -> tuple[NDArray[np.uint16], list[_Part], list[str]]:
    """A map whose n marks the voxels of the n-th part, the parts, and notes."""
    part_of = np.zeros(labels.shape, dtype=np.uint16)
    parts: list[_Part] = []
    notes: list[str] = []
    for structure in structures:
        if structure.label in regions:
            continue
        mask = labels == structure.label
        box = bounding_box(mask)
        if box is not None:
            numbers, found = _numbered(mask[box], structure, notes)
            part_of[box] += np.where(numbers > 0, numbers + len(parts), 0).astype(np.uint16)
            parts += found
    for voxels, part in _regions(labels, [s for s in structures if s.label in regions], notes):
        parts.append(part)
        part_of[voxels] = len(parts)
    return part_of, parts, notes


def _numbered(mask: NDArray[np.bool_], structure: Structure,
              notes: list[str]) -> tuple[NDArray[np.int32], list[_Part]]:
    """The voxels of one structure, numbered 1..n by the finding that they become, and those findings."""
    if not structure.per_lesion:
        return mask.astype(np.int32), [_Part(structure.name, structure)]
    lesions, counts = components(mask)
    parts = [_Part(f"{structure.name} {number}", structure, number) for number in range(1, len(counts) + 1)]
    if len(parts) > MAX_LESIONS:
        rest = len(parts) - MAX_LESIONS + 1
        notes.append(f"{len(parts)} lesions were found; the {rest} smallest are given as one finding.")
        name = f"{structure.name}, {rest} small ones"
        parts = [*parts[:MAX_LESIONS - 1], _Part(name, structure, MAX_LESIONS, rest)]
        np.minimum(lesions, MAX_LESIONS, out=lesions)
    return lesions, parts


def _regions(labels: NDArray[np.uint8], structures: Sequence[Structure], notes: list[str],
             ) -> Iterator[tuple[tuple[NDArray[np.intp], ...], _Part]]:
    """Indices of the voxels of each region of each lesion, the largest lesion first, and what they become."""
    union = np.isin(labels, [structure.label for structure in structures])
    box = bounding_box(union)
    if box is None:
        return
    lesions, counts = components(union[box])
    most = MAX_LESIONS // len(structures)
    if len(counts) > most:
        notes.append(f"{len(counts)} lesions were found; the {len(counts) - most + 1} smallest are given as one.")
        np.minimum(lesions, most, out=lesions)
    corner = np.array([[side.start] for side in box])
    for number in range(1, min(len(counts), most) + 1):
        shared = len(counts) - most + 1 if number == most else 1
        for structure in structures:
            found = np.nonzero((lesions == number) & (labels[box] == structure.label))
            if found[0].size:
                name = f"Lesion{'s' if shared > 1 else ''} {number} {structure.name.lower()}"
                yield tuple(np.array(found) + corner), _Part(name, structure, number, shared)


def _finding(number: int, part: _Part, mask: NDArray[np.bool_], box: Box, volume: Volume,
             midline: float | None) -> Finding:
    corner = tuple(int(side.start) for side in box)
    voxels = int(np.count_nonzero(mask))
    volume_ml = voxels * volume.grid.voxel_ml
    diameters = None if part.several else in_plane_axes(mask, volume.grid.spacing)  # from lesion to lesion is no length
    lengths = _lengths(diameters, largest_diameter(mask, volume.grid)) if diameters else ()
    measurements = (_volume(volume_ml), *lengths, *_statistics(volume.array[box][mask], volume.units))
    place = place_of(mask, corner, volume.grid)
    on_a_side = part.structure.region == codes.LUNG and not part.several
    flags = flags_of(mask, corner, volume.grid.shape, several=part.several)
    if (diameters and part.structure.category == codes.ABNORMAL_STRUCTURE
            and leads_across_a_gap(mask[diameters.axes.slice], diameters.axes.long)):
        flags += (GAP,)
    return Finding(
        number, part.name[:64], part.structure, measurements, voxels, volume_ml,
        laterality=_laterality(place, midline) if on_a_side else None,
        axes=diameters.axes.moved(*corner) if diameters else None,
        place=place,
        flags=flags,
        lesion=part.lesion,
        count=part.sharing,
    )


def _volume(millilitres: float) -> Measurement:
    return Measurement(codes.VOLUME, millilitres, codes.MILLILITRE, method=codes.VOXEL_SUM)


def _lengths(in_plane: Diameters, largest_mm: float) -> Iterator[Measurement]:
    yield Measurement(codes.LONG_AXIS, in_plane.long_mm, codes.MILLIMETRE)
    yield Measurement(codes.SHORT_AXIS, in_plane.short_mm, codes.MILLIMETRE)
    yield Measurement(codes.DIAMETER, largest_mm, codes.MILLIMETRE, derivation=codes.MAXIMUM)


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


def _laterality(place: Place, midline: float | None) -> codes.Code | None:
    """The side by the centre of gravity; x runs to the patient's left."""
    if midline is None:
        return None
    return codes.LEFT if place.centre[0] > midline else codes.RIGHT
