"""Slices in, one regular grid out, or the reason why not. Pure: headers only, no pixels.

The reader uses it on files, routing uses it on the index; so both refuse the same series for the same reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadGeometry
from inference.readers.headers import DISCRIMINATORS, SliceHeader
from inference.volume import Grid, unit_axes

TOLERANCE_MM = 0.1  # how far a slice may lie off its place on the grid: one-decimal rounding passes
SAME_PLACE_MM = 0.01
MAX_VOXELS = 2**29  # 512 x 512 x 2048

# Images at one place that differ in these are different pictures, not repeats.
_KINDS = ("ImageType", "ComplexImageComponent")


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The slices of one volume in z order, their grid, and what was done to get there.

    `repeats`: pairs (used, other) of slices at the same place that no attribute tells apart. The caller who
    has the pixels drops the other where it is the same picture, and refuses the series where it is not.
    """

    grid: Grid
    slices: tuple[SliceHeader, ...]
    repeats: tuple[tuple[SliceHeader, SliceHeader], ...] = ()
    notes: tuple[str, ...] = ()


def arrange(slices: Sequence[SliceHeader]) -> Arrangement:
    """Order slices along their normal and find their grid; BadGeometry names the slices at fault."""
    notes: list[str] = []
    placed = _placed(_once(slices, notes), notes)
    alike = _one_geometry(placed, notes)
    moment = _one_moment(alike, notes)
    ordered, repeats = _by_place(moment)
    rows, columns = ordered[0].rows, ordered[0].columns
    if rows * columns * len(ordered) > MAX_VOXELS:
        raise BadGeometry(f"The series is too large: {len(ordered)} slices of {rows} x {columns}.")
    return Arrangement(_grid(ordered, notes), tuple(ordered), tuple(repeats), tuple(notes))


def _once(slices: Sequence[SliceHeader], notes: list[str]) -> list[SliceHeader]:
    """Each instance and frame once; a second copy of a UID says nothing new."""
    unique = {(s.sop_instance_uid, s.frame): s for s in reversed(slices)}
    if len(unique) < len(slices):
        notes.append(f"{len(slices) - len(unique)} images came twice under the same UID; one of each was used.")
    return list(reversed(unique.values()))


def _placed(slices: list[SliceHeader], notes: list[str]) -> list[SliceHeader]:
    placed = [s for s in slices if s.position and s.orientation and s.spacing and s.rows > 0 and s.columns > 0
              and min(s.spacing) > 0 and _right_angled(s)]
    if not placed:
        raise BadGeometry("No image of the series says where it lies in the patient.")
    if len(placed) < len(slices):
        if len(placed) * 2 < len(slices):
            raise BadGeometry(f"{len(slices) - len(placed)} of {len(slices)} images have no usable position.")
        notes.append(f"{len(slices) - len(placed)} images without a position were left out.")
    return placed


def _right_angled(header: SliceHeader) -> bool:
    row, column = _axes(header)
    lengths = np.array([np.linalg.norm(row), np.linalg.norm(column)])
    return bool(np.abs(lengths - 1).max() < 1e-2 and abs(row @ column) < 1e-3)


def _one_geometry(slices: list[SliceHeader], notes: list[str]) -> list[SliceHeader]:
    """The images that share orientation, matrix, pixel spacing and frame of reference, if they are the majority."""
    groups: list[list[SliceHeader]] = []
    for header in slices:
        for group in groups:
            if _same_plane(group[0], header):
                group.append(header)
                break
        else:
            groups.append([header])
    main = max(groups, key=len)
    if len(main) * 2 <= len(slices) and len(groups) > 1:
        raise BadGeometry(f"The series mixes {len(groups)} orientations or image sizes; none holds most of its "
                          f"{len(slices)} images.")
    if len(groups) > 1:
        notes.append(f"{len(slices) - len(main)} images of another orientation or size were left out.")
    return main


def _same_plane(a: SliceHeader, b: SliceHeader) -> bool:
    if (a.rows, a.columns, a.frame_of_reference_uid) != (b.rows, b.columns, b.frame_of_reference_uid):
        return False
    same_direction = np.abs(np.subtract(a.orientation, b.orientation)).max() < 1e-3  # type: ignore[arg-type]
    return bool(same_direction and np.abs(np.subtract(a.spacing, b.spacing)).max() < 1e-3)  # type: ignore[arg-type]


def _one_moment(slices: list[SliceHeader], notes: list[str]) -> list[SliceHeader]:
    """One image a place: where places repeat, the most complete of what an attribute tells apart, then the last."""
    places = _places(slices)
    if len(set(places)) == len(slices):
        return slices
    for keyword in DISCRIMINATORS:
        groups = _split(slices, lambda s, key=keyword: s.moments.get(key))  # type: ignore[misc]
        if len(groups) < 2:
            continue
        best = max(groups, key=lambda g: (len(g), _last(g, keyword)))
        if not _complete(best, slices):
            continue
        if keyword in _KINDS:
            raise BadGeometry(f"The series holds {len(groups)} different kinds of image at the same places "
                              f"({keyword}).")
        notes.append(f"The series holds {len(groups)} sets of images at the same places, told apart by {keyword}; "
                     f"the last of the most complete ones was used ({len(best)} of {len(slices)} images).")
        return best
    return slices


def _split(slices: list[SliceHeader], key: Callable[[SliceHeader], object]) -> list[list[SliceHeader]]:
    groups: dict[object, list[SliceHeader]] = defaultdict(list)
    for header in slices:
        groups[key(header)].append(header)
    return list(groups.values())


def _last(group: list[SliceHeader], keyword: str) -> tuple[bool, float, str, int]:
    """Sorts groups by their attribute, numbers before text, then by instance number."""
    value = group[0].moments.get(keyword)
    number = float(value) if isinstance(value, int | float) else 0.0
    return (value is not None, number, str(value), max(s.number for s in group))


def _complete(group: list[SliceHeader], everything: list[SliceHeader]) -> bool:
    """True where the group has exactly one image at every place that the series has within its extent.

    And two of three places of the whole series: a part that is taken for the whole hides what the rest shows.
    """
    places = _places(everything)
    by_header = {id(header): place for header, place in zip(everything, places, strict=True)}
    own = sorted(by_header[id(header)] for header in group)
    between = {place for place in places if own[0] <= place <= own[-1]}
    return len(set(own)) == len(own) == len(between) and 3 * len(between) >= 2 * len(set(places))


def _places(slices: list[SliceHeader]) -> list[int]:
    """The rank of each slice along the normal; slices closer than SAME_PLACE_MM share one."""
    along = _along_normal(slices)
    order = np.argsort(along, kind="stable")
    ranks = np.zeros(len(slices), dtype=int)
    ranks[order[1:]] = np.cumsum(np.diff(along[order]) > SAME_PLACE_MM)
    return [int(r) for r in ranks]


def _by_place(slices: list[SliceHeader]) -> tuple[list[SliceHeader], list[tuple[SliceHeader, SliceHeader]]]:
    """Slices sorted along the normal, and those that share a place with the one that is kept."""
    kept: dict[int, SliceHeader] = {}
    repeats = []
    numbered = sorted(zip(_places(slices), slices, strict=True), key=lambda pair: (pair[0], pair[1].number))
    for place, header in numbered:
        if place in kept:
            repeats.append((kept[place], header))
        else:
            kept[place] = header
    return list(kept.values()), repeats


def _grid(ordered: list[SliceHeader], notes: list[str]) -> Grid:
    first = ordered[0]
    row, column = unit_axes(_axes(first))
    normal = np.cross(row, column)
    positions = np.array([s.position for s in ordered])
    if len(ordered) == 1:
        step = normal * (first.thickness or 1.0)
        notes.append("The series is a single slice.")
    else:
        step = (positions[-1] - positions[0]) / (len(ordered) - 1)
        _check_even(ordered, positions, normal, step)
        _note_shear(step, normal, notes)
    spacing = first.spacing or (1.0, 1.0)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack([step, column * spacing[0], row * spacing[1]])
    affine[:3, 3] = positions[0]
    try:
        return Grid((len(ordered), first.rows, first.columns), affine, first.frame_of_reference_uid)
    except ValueError:
        size = " x ".join(f"{edge:.3g}" for edge in np.linalg.norm(affine[:3, :3], axis=0))
        raise BadGeometry(f"Its voxels of {size} mm make no volume; perhaps they are not given in mm.") from None


def _check_even(ordered: list[SliceHeader], positions: NDArray[np.float64], normal: NDArray[np.float64],
                step: NDArray[np.float64]) -> None:
    """BadGeometry unless every slice lies at its place on the regular grid."""
    expected = positions[0] + np.arange(len(ordered))[:, None] * step
    if np.linalg.norm(positions - expected, axis=1).max() <= TOLERANCE_MM:
        return
    steps = np.diff(positions @ normal)
    usual = float(np.median(steps))
    off = [i for i, s in enumerate(steps) if abs(s - usual) > max(0.01 * usual, TOLERANCE_MM)]
    if not off:
        raise BadGeometry("The slices do not lie in a straight row: their positions wander sideways or drift.")
    missing = [i for i in off if steps[i] > 1.5 * usual]
    what = "Slices are missing" if missing else "The slices are unevenly spaced"
    places = ", ".join(f"between {ordered[i].name} and {ordered[i + 1].name} ({steps[i]:.2f} mm)"
                       for i in (missing or off)[:5])
    raise BadGeometry(f"{what}: {places}; the usual distance is {usual:.2f} mm.")


def _note_shear(step: NDArray[np.float64], normal: NDArray[np.float64], notes: list[str]) -> None:
    lean = np.degrees(np.arccos(np.clip(step @ normal / np.linalg.norm(step), -1, 1)))
    if lean > 0.1:
        notes.append(f"The slices lean by {lean:.1f} degrees against their row (gantry tilt); "
                     "voxels keep their true places.")


def _axes(header: SliceHeader) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    orientation = np.array(header.orientation, dtype=np.float64)
    return orientation[:3], orientation[3:]


def _along_normal(slices: list[SliceHeader]) -> NDArray[np.float64]:
    row, column = _axes(slices[0])
    return np.array([s.position for s in slices]) @ np.cross(row, column)
