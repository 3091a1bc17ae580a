"""A slice as a single-frame image, wherever its geometry stands."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicom_node.errors import ResultInvalid
from dicom_node.objects.planes import corners, plane_of, share_geometry
from inference.volume import SliceSource


def item(**attributes: object) -> Dataset:
    ds = Dataset()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def single(**attributes: object) -> Dataset:
    base = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.3", "SOPInstanceUID": "1.4", "Modality": "MR", "Rows": 4,
            "Columns": 6, "ImagePositionPatient": [1, 2, 3], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [2, 0.5], "SliceThickness": 3}
    return item(**(base | attributes))


def multi_frame(where: str) -> Dataset:
    """Two frames whose orientation and spacing are shared, or stand at each frame."""
    own = [item(PlanePositionSequence=[item(ImagePositionPatient=[0, 0, z])]) for z in (10, 20)]
    shared = item()
    for group in [shared] if where == "shared" else own:
        group.PlaneOrientationSequence = [item(ImageOrientationPatient=[0, 1, 0, 0, 0, -1])]
        group.PixelMeasuresSequence = [item(PixelSpacing=[1, 1], SliceThickness=10)]
    return item(StudyInstanceUID="1.2", SeriesInstanceUID="1.3", SOPInstanceUID="1.4", Modality="CT", Rows=4, Columns=6,
                SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=own)


def test_a_single_frame_keeps_its_numbers_as_written() -> None:
    plane = plane_of(single(ImagePositionPatient=["1.50", "-2.0", "3e1"]), SliceSource("1.4"), 1.0)
    assert [str(v) for v in plane.ImagePositionPatient] == ["1.50", "-2.0", "3e1"]
    assert plane.SOPInstanceUID == "1.4"


@pytest.mark.parametrize("where", ["shared", "each frame"])
def test_a_frame_finds_its_geometry_in_functional_groups(where: str) -> None:
    image = multi_frame(where)
    first, second = (plane_of(image, SliceSource("1.4", frame), 1.0) for frame in (1, 2))
    assert list(second.ImagePositionPatient) == [0, 0, 20]
    assert list(second.ImageOrientationPatient) == [0, 1, 0, 0, 0, -1]
    assert first.SOPInstanceUID != second.SOPInstanceUID


def test_frames_that_share_nothing_need_no_shared_groups() -> None:
    image = multi_frame("each frame")
    del image.SharedFunctionalGroupsSequence
    assert list(plane_of(image, SliceSource("1.4", 2), 1.0).ImagePositionPatient) == [0, 0, 20]


def test_a_thickness_that_is_missing_or_no_number_is_the_distance_of_slices() -> None:
    assert plane_of(single(SliceThickness=None), SliceSource("1.4"), 2.5).SliceThickness == 2.5
    image = single()
    image["SliceThickness"] = DataElement("SliceThickness", "LO", "1.25 mm")
    assert plane_of(image, SliceSource("1.4"), 2.5).SliceThickness == 2.5


def test_a_missing_place_is_named() -> None:
    with pytest.raises(ResultInvalid, match="ImagePositionPatient"):
        plane_of(single(ImagePositionPatient=None), SliceSource("1.4"), 1.0)


def test_other_modalities_are_refused() -> None:
    with pytest.raises(ResultInvalid, match="PT images"):
        plane_of(single(Modality="PT"), SliceSource("1.4"), 1.0)


def test_planes_that_are_turned_against_each_other_are_refused() -> None:
    planes = [plane_of(single(ImageOrientationPatient=o), SliceSource("1.4"), 1.0)
              for o in ([1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0.99, 0.1])]
    with pytest.raises(ResultInvalid, match="ImageOrientationPatient"):
        share_geometry(planes, "1.9")


def test_corners_are_the_centres_of_the_first_and_last_pixel() -> None:
    plane = plane_of(single(), SliceSource("1.4"), 1.0)
    assert np.allclose(corners(plane), [[1, 2, 3], [1 + 5 * 0.5, 2 + 3 * 2, 3]])
