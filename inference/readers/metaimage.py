"""MetaImage files (.mhd with .raw, .mha) as volumes, as LUNA16 distributes its CTs."""

from __future__ import annotations

import re
from pathlib import Path

from inference.errors import Unfit
from inference.readers.itk import read_image
from inference.volume import Units, Volume

_HEADER_BYTES = 64 * 2**10
_VOXELS = re.compile(rb"^[ \t]*ElementDataFile[ \t]*[=:][ \t]*(.*?)[ \t]*\r?$", re.MULTILINE)


def read(path: Path, units: Units = "HU") -> Volume:
    """The volume of a .mhd or .mha file, HU unless said otherwise; its voxels lie in it or in one file beside it."""
    _check_where_voxels_lie(path)
    return read_image(path, "MetaImageIO", units)


def _check_where_voxels_lie(path: Path) -> None:
    """Unfit where the header names several files, or one in another folder: what it names would be read."""
    try:
        with path.open("rb") as file:
            named = _VOXELS.search(file.read(_HEADER_BYTES))
    except OSError as fault:
        raise Unfit(f"{path.name} cannot be read: {fault.strerror}.") from fault
    name = named[1].decode(errors="replace") if named else "LOCAL"
    if name.startswith("LIST") or "%" in name or Path(name).name != name or "\\" in name:
        raise Unfit(f"{path.name} takes its voxels from elsewhere than from itself or one file beside it.")
