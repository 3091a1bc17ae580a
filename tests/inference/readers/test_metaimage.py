"""MetaImage files, read by inference.readers.itk like NIfTI."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference.errors import BadGeometry, Unfit
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


@pytest.mark.parametrize("elsewhere", ["/etc/hostname", "../scan.raw", "LIST", "slice%03d.raw 1 3 1", "a\\b.raw"])
def test_voxels_are_read_from_beside_the_header_only(tmp_path, elsewhere):
    folder = tmp_path / "in"
    folder.mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16)), str(folder / "scan.mhd"))
    (folder / "scan.raw").rename(tmp_path / "scan.raw")
    header = (folder / "scan.mhd").read_text().replace("scan.raw", elsewhere)
    (folder / "scan.mhd").write_text(header)
    with pytest.raises(Unfit, match=r"scan\.mhd takes its voxels from elsewhere"):
        read(folder / "scan.mhd")


def test_a_header_without_its_voxels_is_unfit(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16)), str(tmp_path / "scan.mhd"))
    whole = (tmp_path / "scan.raw").read_bytes()
    (tmp_path / "scan.raw").write_bytes(whole[:50])
    with pytest.raises(Unfit, match="cannot be read"):
        read(tmp_path / "scan.mhd")
    (tmp_path / "scan.mhd").unlink()
    with pytest.raises(Unfit, match="cannot be read"):
        read(tmp_path / "scan.mhd")


def test_voxels_of_no_size_are_unfit(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5), np.int16)), str(tmp_path / "scan.mhd"))
    header = (tmp_path / "scan.mhd").read_text().replace("ElementSpacing = 1 1 1", "ElementSpacing = 1e-12 1 1")
    (tmp_path / "scan.mhd").write_text(header)
    with pytest.raises(BadGeometry, match=r"scan\.mhd does not say where its voxels lie"):
        read(tmp_path / "scan.mhd")
