"""DICOM series as volumes: sorted by place, in HU or signal, with the instance of every slice."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadGeometry, Unfit
from inference.readers.arrange import Arrangement, arrange
from inference.readers.headers import SliceHeader
from inference.readers.instance import Instance
from inference.readers.scan import Scan
from inference.readers.values import AIR_HU, write_physical
from inference.request import SeriesFiles
from inference.volume import SliceSource, Units, Volume

__all__ = ["AIR_HU", "ReadReport", "read_report", "read_series"]

_THREADS = min(8, os.cpu_count() or 1)
_FRAMES_AT_ONCE = 8  # of a multi-frame instance, that one thread decodes before it takes the next ones


@dataclass(frozen=True, eq=False)
class ReadReport:
    """A volume and, in plain words, what was left out or put right on the way."""

    volume: Volume
    notes: tuple[str, ...]


class _Piece(NamedTuple):
    """Slices of one instance and where (z) they go, or what they are compared with."""

    instance: Instance
    slices: Sequence[tuple[int, SliceHeader]]


def read_series(files: SeriesFiles | Sequence[Path]) -> Volume:
    """The volume of a series, float32; Unfit or BadGeometry with the reason where there is none."""
    return read_report(files).volume


def read_report(files: SeriesFiles | Sequence[Path]) -> ReadReport:
    """`read_series` with notes for the result's quality flags."""
    paths = files.paths if isinstance(files, SeriesFiles) else tuple(files)
    if not paths:
        raise Unfit("The series has no images.")
    instances: dict[str, Instance] = {}
    slices: list[SliceHeader] = []
    modality, scan = "", Scan()
    for path in paths:
        instance = Instance.open(path, scan)
        instances.setdefault(instance.uid, instance)
        modality = modality or instance.modality
        slices += instance.slices
    arrangement = arrange(slices)
    units: Units = "HU" if modality == "CT" else "signal"
    array = _voxels(arrangement, instances, units)
    sources = tuple(SliceSource(s.sop_instance_uid, s.frame) for s in arrangement.slices)
    volume = Volume(array, arrangement.grid, units, sources, arrangement.slices[0].series_instance_uid)
    notes = arrangement.notes
    if arrangement.repeats:
        notes = (*notes, f"{len(arrangement.repeats)} images that repeat another pixel by pixel were left out.")
    return ReadReport(volume, notes)


def _voxels(arrangement: Arrangement, instances: dict[str, Instance], units: Units) -> NDArray[np.float32]:
    """The array (z, y, x), a few frames in memory beside it; BadGeometry where a repeat is none."""
    array = np.empty(arrangement.grid.shape, dtype=np.float32)
    index = {id(header): z for z, header in enumerate(arrangement.slices)}
    repeats = [(index[id(kept)], other) for kept, other in arrangement.repeats]
    with ThreadPoolExecutor(_THREADS) as pool:
        # Slices first, repeats after them, so that what a repeat is compared with is there.
        list(pool.map(lambda piece: _fill(array, piece, units), _pieces(enumerate(arrangement.slices), instances)))
        list(pool.map(lambda piece: _compare(array, piece, units), _pieces(repeats, instances)))
    return array


def _pieces(wanted: Iterable[tuple[int, SliceHeader]], instances: dict[str, Instance]) -> Iterator[_Piece]:
    """Instance by instance, and those of many frames in several pieces."""
    of: dict[str, list[tuple[int, SliceHeader]]] = defaultdict(list)
    for z, header in wanted:
        of[header.sop_instance_uid].append((z, header))
    for uid, slices in of.items():
        for start in range(0, len(slices), _FRAMES_AT_ONCE):
            yield _Piece(instances[uid], slices[start:start + _FRAMES_AT_ONCE])


def _fill(array: NDArray[np.float32], piece: _Piece, units: Units) -> None:
    stored = piece.instance.stored([header for _, header in piece.slices])
    if len(stored) != len(piece.slices):
        raise BadGeometry(f"The instance of {piece.slices[0][1].name} holds several frames and does not say where they "
                          "lie.")
    for (z, header), values in zip(piece.slices, stored, strict=True):
        if values.shape != array.shape[1:]:
            raise BadGeometry(f"The pixels of {header.name} are not of the size that its header says.")
        assert piece.instance.meaning is not None  # what has none is not decoded
        write_physical(values, piece.instance.meaning, (header.frame or 1) - 1, units, array[z], header.name)


def _compare(array: NDArray[np.float32], piece: _Piece, units: Units) -> None:
    """BadGeometry unless the slices are those that the array holds."""
    again = np.empty((len(piece.slices), *array.shape[1:]), np.float32)
    _fill(again, _Piece(piece.instance, [(n, header) for n, (_, header) in enumerate(piece.slices)]), units)
    for (z, header), values in zip(piece.slices, again, strict=True):
        if not np.array_equal(array[z], values):
            raise BadGeometry(f"Different pictures lie at the same place and no attribute that is looked at tells "
                              f"them apart: {header.name} and another.")
