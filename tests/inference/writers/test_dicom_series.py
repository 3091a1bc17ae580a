"""Written series are valid DICOM and say what their acquisition says."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless

from inference.volume import Grid, Spacing, Volume
from inference.writers.dicom_series import (
    Acquisition,
    Encoding,
    StudyDetails,
    write_localizer,
    write_secondary_capture,
    write_series,
)

STUDY = StudyDetails.of("writer")
ACQUISITIONS = {
    "CT": Acquisition.ct(STUDY),
    "CT chest with contrast": Acquisition.ct(STUDY, body_part="CHEST", contrast_agent="Iohexol"),
    "T1": Acquisition.mr(STUDY, "T1"),
    "T1ce": Acquisition.mr(STUDY, "T1ce"),
    "T2": Acquisition.mr(STUDY, "T2"),
    "FLAIR": Acquisition.mr(STUDY, "FLAIR"),
    "derived": Acquisition.ct(STUDY, image_type=("DERIVED", "SECONDARY", "REFORMATTED"), series_number=9),
    "second time point": Acquisition.mr(STUDY, "T1", temporal_position=2, first_instance_number=101),
}


def errors_in(path: Path) -> list[str]:
    if shutil.which("dciodvfy") is None:
        pytest.fail("dciodvfy is missing: install Debian's package dicom3tools")
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    return [line for line in (said.stdout + said.stderr).splitlines() if line.startswith("Error")]


def voxels(volume: Volume, acquisition: Acquisition) -> Volume:
    """The volume with values that this modality can store."""
    return volume if acquisition.modality == "CT" else Volume(volume.array + 1000, volume.grid)


@pytest.mark.peer
@pytest.mark.parametrize("enhanced", [False, True], ids=["single", "enhanced"])
@pytest.mark.parametrize("name", ACQUISITIONS)
def test_series_are_valid(volume_of, tmp_path, name, enhanced):
    acquisition = ACQUISITIONS[name]
    volume = voxels(volume_of("doubly oblique"), acquisition)
    paths = write_series(volume, acquisition, tmp_path, Encoding(enhanced=enhanced))
    assert len(paths) == (1 if enhanced else 6)
    assert errors_in(paths[0]) == errors_in(paths[-1]) == []


@pytest.mark.peer
def test_compressed_series_are_valid(volume_of, tmp_path):
    volume = volume_of(shape=(2, 64, 64))
    paths = write_series(volume, ACQUISITIONS["CT"], tmp_path, Encoding(transfer_syntax=JPEG2000Lossless))
    assert dcmread(paths[0]).file_meta.TransferSyntaxUID == JPEG2000Lossless
    assert errors_in(paths[0]) == []


@pytest.mark.peer
@pytest.mark.parametrize("name", ["CT", "T1"])
def test_localizers_are_valid_and_lie_across_the_volume(volume_of, tmp_path, name):
    volume = voxels(volume_of(shape=(10, 20, 24)), ACQUISITIONS[name])
    coronal, sagittal = (dcmread(p) for p in write_localizer(volume, ACQUISITIONS[name], tmp_path))
    assert "LOCALIZER" in coronal.ImageType
    assert [round(float(v)) for v in coronal.ImageOrientationPatient] == [1, 0, 0, 0, 0, -1]
    assert [round(float(v)) for v in sagittal.ImageOrientationPatient] == [0, 1, 0, 0, 0, -1]
    first = volume.grid.to_lps((9, 9.5, 0))
    assert [float(v) for v in coronal.ImagePositionPatient] == pytest.approx(first, abs=1e-6)
    assert [errors_in(p) for p in sorted(tmp_path.iterdir())] == [[], []]


@pytest.mark.peer
def test_screen_saves_are_valid_and_have_no_place(tmp_path):
    (path,) = write_secondary_capture(Acquisition.ct(STUDY, "capture", series_number=99), tmp_path)
    ds = dcmread(path)
    assert "ImagePositionPatient" not in ds
    assert ds.StudyInstanceUID == STUDY.study_instance_uid
    assert errors_in(path) == []


def test_the_same_call_writes_the_same_bytes(volume_of, tmp_path):
    a = write_series(volume_of(), ACQUISITIONS["CT"], tmp_path / "a")
    b = write_series(volume_of(), ACQUISITIONS["CT"], tmp_path / "b")
    assert [p.read_bytes() for p in a] == [p.read_bytes() for p in b]


def test_uids_are_unique_within_and_shared_as_they_should_be(volume_of, tmp_path):
    ct = [dcmread(p) for p in write_series(volume_of(), ACQUISITIONS["CT"], tmp_path / "ct")]
    mr = [dcmread(p) for p in write_series(volume_of(units="signal"), ACQUISITIONS["T1"], tmp_path / "mr")]
    assert len({ds.SOPInstanceUID for ds in ct + mr}) == 12
    assert len({ds.SeriesInstanceUID for ds in ct + mr}) == 2
    assert len({ds.StudyInstanceUID for ds in ct + mr}) == 1


def test_frame_of_reference_is_the_grids_and_else_the_acquisitions(volume_of, tmp_path):
    volume = volume_of()
    (own, *_) = write_series(volume, ACQUISITIONS["CT"], tmp_path / "own")
    nameless = Volume(volume.array, Grid(volume.grid.shape, volume.grid.affine), "HU")
    (given, *_) = write_series(nameless, ACQUISITIONS["CT"], tmp_path / "given")
    assert dcmread(own).FrameOfReferenceUID == volume.grid.frame_of_reference_uid
    assert dcmread(given).FrameOfReferenceUID == ACQUISITIONS["CT"].frame_of_reference_uid


def test_headers_say_how_it_was_acquired(volume_of, tmp_path):
    volume = volume_of(units="signal")
    flair = dcmread(write_series(volume, ACQUISITIONS["FLAIR"], tmp_path / "flair")[0])
    contrast = dcmread(write_series(volume, ACQUISITIONS["T1ce"], tmp_path / "t1ce")[0])
    assert (flair.InversionTime, flair.RepetitionTime, flair.EchoTime) == (2500, 9000, 90)
    assert "ContrastBolusAgent" not in flair
    assert contrast.ContrastBolusAgent == "Gadobutrol"
    assert list(contrast.ScanningSequence) == ["GR", "IR"]


def test_reversed_series_number_their_slices_against_the_axis(volume_of, tmp_path):
    paths = write_series(volume_of(), ACQUISITIONS["CT"], tmp_path, Encoding(reverse=True))
    heights = [float(dcmread(p).ImagePositionPatient[2]) for p in paths]
    assert heights == sorted(heights, reverse=True)
    assert [dcmread(p).InstanceNumber for p in paths] == [1, 2, 3, 4, 5, 6]


def test_further_attributes_are_set_last(volume_of, tmp_path):
    acquisition = Acquisition.ct(STUDY, extra={"StationName": "CT7", "InstanceNumber": 44})
    ds = dcmread(write_series(volume_of(shape=(1, 4, 4)), acquisition, tmp_path)[0])
    assert (ds.StationName, ds.InstanceNumber) == ("CT7", 44)


def test_slice_thickness_may_differ_from_the_spacing(volume_of, tmp_path):
    acquisition = Acquisition.ct(STUDY, slice_thickness=5.0)
    ds = dcmread(write_series(volume_of(spacing=Spacing(2.5, 1, 1)), acquisition, tmp_path)[0])
    assert ds.SliceThickness == 5


def test_values_are_rounded_and_clipped_not_wrapped(volume_of, tmp_path):
    volume = volume_of(shape=(1, 2, 2))
    ds = dcmread(write_series(volume.with_array(np.array([[[-5000.0, 0.4], [0.6, 90000.0]]])), ACQUISITIONS["CT"],
                              tmp_path)[0])
    assert ds.pixel_array.tolist() == [[0, 1024], [1025, 65535]]


def test_file_names_hold_numbers_only(volume_of, tmp_path):
    paths = write_series(volume_of(), ACQUISITIONS["derived"], tmp_path)
    assert [p.name for p in paths][:2] == ["009-00001.dcm", "009-00002.dcm"]


def test_a_grid_that_no_image_plane_has_is_refused(volume_of, tmp_path):
    volume = volume_of()
    affine = volume.grid.affine.copy()
    affine[:3, 2] += 0.2 * affine[:3, 1]
    with pytest.raises(ValueError, match="perpendicular"):
        write_series(Volume(volume.array, Grid(volume.grid.shape, affine), "HU"), ACQUISITIONS["CT"], tmp_path)
