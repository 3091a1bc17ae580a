"""MetaImage files, read by inference.readers.itk like NIfTI."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference.readers.metaimage import read


@pytest.mark.parametrize("name", ["scan.mhd", "scan.mha"])
def test_reads_voxels_and_place(tmp_path, name):
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-100.0, -50.0, 20.0))
    sitk.WriteImage(image, str(tmp_path / name))
    volume = read(tmp_path / name)
    assert volume.units == "HU"
    assert volume.array[2, 1, 3] == 48
    assert volume.grid.to_lps((2, 1, 3)) == pytest.approx((-97.9, -49.2, 25.0))
