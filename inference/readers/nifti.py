"""NIfTI files as volumes; their RAS frame becomes LPS here and nowhere else."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from inference.errors import Unfit
from inference.readers.itk import read_image
from inference.volume import Units, Volume

_CHUNK_BYTES = 2**24
_FLOATS = {16: "f4", 64: "f8"}  # datatype codes of NIfTI-1


class _Stored(NamedTuple):
    """How a file holds its voxels: where they begin, how many bytes they take, and their type if it is a float."""

    offset: int
    size: int
    dtype: np.dtype[np.floating] | None


def read(path: Path, units: Units = "signal", placed_as: Path | None = None) -> Volume:
    """The volume of a .nii or .nii.gz file; a NIfTI does not say whether its values are HU, so `units` does.

    `placed_as` is a NIfTI file that says where the voxels lie, in place of a header that does not. Unfit where voxels
    are missing or no numbers.
    """
    volume = read_image(path, "NiftiImageIO", units, placed_as)
    _check_voxels(path)
    return volume


def _check_voxels(path: Path) -> None:
    """Looks at the stored bytes, for the library makes zeros of missing voxels and of NaN, and does not say so."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            stored = _header(file)
            file.seek(stored.offset)
            left = stored.size
            while left > 0:
                chunk = file.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    raise Unfit(f"{path.name} is cut short: {left} bytes of its voxels are missing.")
                left -= len(chunk)
                if stored.dtype is not None and not np.isfinite(np.frombuffer(chunk, stored.dtype)).all():
                    raise Unfit(f"{path.name} holds voxels that are no numbers (NaN or infinite).")
    except (OSError, EOFError, zlib.error, struct.error, ValueError) as fault:
        raise Unfit(f"{path.name} is cut short or damaged ({type(fault).__name__}).") from fault


def _header(file: BinaryIO | gzip.GzipFile) -> _Stored:
    """From a header of NIfTI-1, in either byte order; SimpleITK reads no NIfTI-2."""
    header = file.read(348)
    order = "<" if struct.unpack_from("<i", header)[0] == 348 else ">"
    dimensions = struct.unpack_from(f"{order}8h", header, 40)
    datatype, bits = struct.unpack_from(f"{order}2h", header, 70)
    (offset,) = struct.unpack_from(f"{order}f", header, 108)
    size = math.prod(dimensions[1:dimensions[0] + 1]) * bits // 8
    dtype = np.dtype(order + _FLOATS[datatype]) if datatype in _FLOATS else None
    return _Stored(int(offset), size, dtype)
