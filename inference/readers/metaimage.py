"""MetaImage files (.mhd with .raw, .mha) as volumes, as LUNA16 distributes its CTs."""

from __future__ import annotations

from pathlib import Path

from inference.readers.itk import read_image
from inference.volume import Units, Volume


def read(path: Path, units: Units = "HU") -> Volume:
    """The volume of a .mhd or .mha file, HU unless said otherwise."""
    return read_image(path, "MetaImageIO", units)
