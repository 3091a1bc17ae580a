"""What is written is read back on the same voxels, whichever way they lie; what a format cannot hold is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.errors import Unfit
from inference.readers import metaimage, nifti
from inference.volume import Grid
from inference.writers.image_file import check_writable, write_image


@pytest.mark.parametrize("name", ["map.nii.gz", "map.nii", "map.mhd"])
def test_it_comes_back(name: str, orientation: str, volume_of, tmp_path: Path) -> None:
    volume = volume_of(orientation, units="signal")
    write_image(volume.array, volume.grid, tmp_path / name)
    back = (metaimage if name.endswith("mhd") else nifti).read(tmp_path / name)
    assert back.grid.matches(volume.grid, 1e-3)
    assert np.array_equal(back.array, volume.array)


def test_leaning_slices_cannot_be_held(volume_of, tmp_path: Path) -> None:
    volume = volume_of()
    affine = volume.grid.affine.copy()
    affine[1, 0] += 0.5
    leaning = Grid(volume.grid.shape, affine)
    check_writable(volume.grid)
    with pytest.raises(Unfit, match="gantry tilt"):
        write_image(volume.array, leaning, tmp_path / "map.nii")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_an_error_of_the_system(volume_of, tmp_path: Path) -> None:
    volume = volume_of()
    with pytest.raises(OSError, match=r"map\.nii cannot be written"):
        write_image(volume.array, volume.grid, tmp_path / "nowhere" / "map.nii")
