"""Arrays on a grid as research files (NIfTI, MetaImage) through SimpleITK: the mirror of `inference.readers.itk`.

Files hold voxels and geometry, nothing that names anybody.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from inference.errors import Unfit
from inference.volume import Grid


def write_image(array: NDArray[np.generic], grid: Grid, path: Path) -> None:
    """Write an array (z, y, x) in the format that the path's ending names; Unfit as `check_writable`, OSError.

    SimpleITK speaks LPS as a grid does, and turns it to RAS where the format asks for that.
    """
    check_writable(grid)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin.tolist())
    image.SetDirection(grid.directions[:, ::-1].ravel().tolist())
    try:
        sitk.WriteImage(image, str(path), useCompression=path.suffix == ".gz")
    except RuntimeError as fault:
        raise OSError(f"{path.name} cannot be written") from fault


def check_writable(grid: Grid) -> None:
    """Unfit where a grid's axes are not at right angles: these formats know nothing else."""
    if np.abs(grid.directions.T @ grid.directions - np.eye(3)).max() > 1e-4:
        raise Unfit("Its slices lean (gantry tilt), which these formats cannot hold.")
