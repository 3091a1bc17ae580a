"""NIfTI files as volumes; their RAS frame becomes LPS here and nowhere else."""

from __future__ import annotations

from pathlib import Path

from inference.readers.itk import read_image
from inference.volume import Units, Volume


def read(path: Path, units: Units = "signal") -> Volume:
    """The volume of a .nii or .nii.gz file; a NIfTI does not say whether its values are HU, so `units` does."""
    return read_image(path, "NiftiImageIO", units)
