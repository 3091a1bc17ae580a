"""DICOM series as volumes: sorted by place, in HU or signal, with the instance of every slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels

from inference.errors import BadGeometry, Unfit
from inference.readers.arrange import Arrangement, arrange
from inference.readers.faults import DICOM_FAULTS
from inference.readers.headers import SliceHeader, header_of, slice_headers
from inference.request import SeriesFiles
from inference.volume import SliceSource, Units, Volume

AIR_HU = -1024.0


@dataclass(frozen=True, eq=False)
class ReadReport:
    """A volume and, in plain words, what was left out or put right on the way."""

    volume: Volume
    notes: tuple[str, ...]


class _Rescale(NamedTuple):
    slope: float
    intercept: float


def read_series(files: SeriesFiles | Sequence[Path]) -> Volume:
    """The volume of a series, float32; Unfit or BadGeometry with the reason where there is none."""
    return read_report(files).volume


def read_report(files: SeriesFiles | Sequence[Path]) -> ReadReport:
    """`read_series` with notes for the result's quality flags."""
    paths = files.paths if isinstance(files, SeriesFiles) else tuple(files)
    if not paths:
        raise Unfit("The series has no images.")
    where: dict[str, Path] = {}
    slices: list[SliceHeader] = []
    modality = ""
    for path in paths:
        ds = _read(path, pixels=False)
        header = header_of(ds)
        where.setdefault(header["SOPInstanceUID"], path)
        modality = modality or str(ds.get("Modality", ""))
        slices += slice_headers(header)
    arrangement = arrange(slices)
    units: Units = "HU" if modality == "CT" else "signal"
    array, dropped = _voxels(arrangement, where, units)
    sources = tuple(SliceSource(s.sop_instance_uid, s.frame) for s in arrangement.slices)
    volume = Volume(array, arrangement.grid, units, sources, arrangement.slices[0].series_instance_uid)
    notes = arrangement.notes
    if dropped:
        notes = (*notes, f"{dropped} images that repeat another pixel by pixel were left out.")
    return ReadReport(volume, notes)


def _voxels(arrangement: Arrangement, where: dict[str, Path], units: Units) -> tuple[NDArray[np.float32], int]:
    """The array (z, y, x), one instance in memory at a time, and how many repeats were equal and dropped."""
    array = np.empty(arrangement.grid.shape, dtype=np.float32)
    targets: dict[str, list[tuple[int, SliceHeader, bool]]] = defaultdict(list)
    index = {id(header): z for z, header in enumerate(arrangement.slices)}
    for z, header in enumerate(arrangement.slices):
        targets[header.sop_instance_uid].append((z, header, False))
    for kept, other in arrangement.repeats:
        targets[other.sop_instance_uid].append((index[id(kept)], other, True))
    # Slices first, repeats after them, so that what a repeat is compared with is there.
    for repeats in (False, True):
        for uid, wanted in targets.items():
            chosen = [(z, header) for z, header, repeat in wanted if repeat is repeats]
            if chosen:
                _fill(array, where[uid], chosen, units, compare=repeats)
    return array, len(arrangement.repeats)


def _fill(array: NDArray[np.float32], path: Path, wanted: list[tuple[int, SliceHeader]], units: Units,
          *, compare: bool) -> None:
    ds = _read(path, pixels=True)
    frames = _frames(ds, wanted)
    if len(frames) != len(wanted):
        raise BadGeometry(f"The instance of {wanted[0][1].name} holds several frames and does not say where they lie.")
    for (z, header), frame in zip(wanted, frames, strict=True):
        values = _physical(ds, header, frame, units)
        if values.shape != array.shape[1:]:
            raise BadGeometry(f"The pixels of {header.name} are not of the size that its header says.")
        if not compare:
            array[z] = values
        elif not np.array_equal(array[z], values):
            raise BadGeometry(f"Different pictures lie at the same place and nothing tells them apart: {header.name} "
                              "and another.")


def _frames(ds: Dataset, wanted: list[tuple[int, SliceHeader]]) -> list[NDArray[np.generic]]:
    """The stored pixels of the wanted frames, decoded."""
    first = wanted[0][1]
    if int(ds.get("SamplesPerPixel", 1)) != 1:
        raise Unfit("The series is in colour: a screen save, no measurement.")
    indices = None if first.frame is None else [(header.frame or 1) - 1 for _, header in wanted]
    try:
        return list(iter_pixels(ds, indices=indices, raw=True))
    except DICOM_FAULTS as fault:
        raise Unfit(f"The pixels of {first.name} cannot be decoded ({type(fault).__name__}).") from fault


def _physical(ds: Dataset, header: SliceHeader, stored: NDArray[np.generic], units: Units) -> NDArray[np.float32]:
    """Stored values as HU or signal: rescaled, padding set to air (CT) or 0 (MR)."""
    rescale = _rescale(ds, header, units)
    values = stored.astype(np.float32)
    if rescale != (1.0, 0.0):
        values *= np.float32(rescale.slope)
        values += np.float32(rescale.intercept)
    padding = _padding(ds, stored)
    if padding is not None:
        values[padding] = AIR_HU if units == "HU" else 0.0
    if units == "HU":
        np.maximum(values, AIR_HU, out=values)  # scanners mark what they did not measure with -2000 or -3024
    return values


def _rescale(ds: Dataset, header: SliceHeader, units: Units) -> _Rescale:
    """Modality transform of a slice (C.11.1, C.7.6.16.2.9); a CT without one is unfit, an MR keeps its values."""
    item: Dataset = ds
    if header.frame is not None:
        groups = (ds.PerFrameFunctionalGroupsSequence[header.frame - 1],
                  *(ds.get("SharedFunctionalGroupsSequence") or []))
        item = next((g.PixelValueTransformationSequence[0] for g in groups
                     if g.get("PixelValueTransformationSequence")), ds)
    slope, intercept = item.get("RescaleSlope"), item.get("RescaleIntercept")
    if slope is None or intercept is None:
        if units == "HU":
            raise Unfit(f"The CT's values cannot be read as Hounsfield units: {header.name} has no rescale.")
        return _Rescale(1.0, 0.0)
    rescale = _Rescale(float(slope), float(intercept))
    if not np.isfinite(rescale).all() or rescale.slope == 0:
        raise Unfit(f"The rescale of {header.name} is not usable.")
    if units == "HU" and str(item.get("RescaleType") or "HU") not in ("HU", "US"):
        raise Unfit("The CT's values are no Hounsfield units but another quantity.")
    return rescale


def _padding(ds: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where pixels are padding (C.7.5.1.1.2); None where the header names none."""
    value = ds.get("PixelPaddingValue")
    if value is None:
        return None
    low = _as_stored(int(value), stored.dtype)
    limit = ds.get("PixelPaddingRangeLimit")
    high = low if limit is None else _as_stored(int(limit), stored.dtype)
    return np.asarray((stored >= min(low, high)) & (stored <= max(low, high)))


def _as_stored(value: int, dtype: np.dtype[Any]) -> int:
    """A padding value read with the wrong sign, put right."""
    if np.issubdtype(dtype, np.signedinteger) and value > np.iinfo(dtype).max:
        return value - 2 ** (8 * dtype.itemsize)
    return value


def _read(path: Path, *, pixels: bool) -> Dataset:
    try:
        return dcmread(path, stop_before_pixels=not pixels, force=True)
    except DICOM_FAULTS as fault:
        raise Unfit(f"An image of the series cannot be read ({type(fault).__name__}).") from fault
