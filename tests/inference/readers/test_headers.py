"""Headers from an index and from data sets say the same."""

import json

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from inference.errors import BadGeometry
from inference.readers.arrange import arrange
from inference.readers.headers import MAX_FRAMES, SliceHeader, frames_of, header_of, slice_headers
from inference.writers.dicom_series import Encoding

INDEX = {
    "SOPInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2", "FrameOfReferenceUID": "1.9", "InstanceNumber": 7,
    "Rows": 512, "Columns": 256, "ImagePositionPatient": [-1.5, 2, 3], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "PixelSpacing": [0.5, 0.6], "SliceThickness": 3, "AcquisitionNumber": 2, "ImageType": ["ORIGINAL", "PRIMARY"],
}


def test_reads_an_index_header():
    header = SliceHeader.from_index(INDEX)
    assert header.position == (-1.5, 2.0, 3.0)
    assert header.spacing == (0.5, 0.6)
    assert (header.rows, header.columns, header.number) == (512, 256, 7)
    assert header.moments == {"AcquisitionNumber": 2, "ImageType": ("ORIGINAL", "PRIMARY")}
    assert header.name == "image 7"


@pytest.mark.parametrize("value", [None, [], [1, 2], [1, 2, "x"], [1, 2, float("nan")], "1\\2\\3", 4])
def test_a_position_that_is_none_stays_none(value):
    assert SliceHeader.from_index({**INDEX, "ImagePositionPatient": value}).position is None


@pytest.mark.parametrize(("thickness", "distance", "expected"), [
    (3, 0.5, 3.0), (3, -3, 3.0), (None, 4, 4.0), (0, 4, 4.0), (-3, None, None), (None, 0, None),
])
def test_a_slice_is_as_thick_as_it_says_else_as_far_from_the_next(thickness, distance, expected):
    measures = Dataset()
    measures.SliceThickness, measures.SpacingBetweenSlices = thickness, distance
    enhanced = Dataset()
    enhanced.PerFrameFunctionalGroupsSequence = [Dataset()]
    enhanced.PerFrameFunctionalGroupsSequence[0].PixelMeasuresSequence = [measures]
    enhanced.NumberOfFrames = 1
    of_index = SliceHeader.from_index({**INDEX, "SliceThickness": thickness, "SpacingBetweenSlices": distance})
    of_frames, = slice_headers(header_of(enhanced))
    assert (of_index.thickness, of_frames.thickness) == (expected, expected)


def test_frames_of_an_index_header_become_slices():
    frames = [{"position": [0, 0, z], "orientation": [1, 0, 0, 0, 1, 0], "spacing": [1, 1], "temporal": 2, "stack": "1"}
              for z in range(3)]
    headers = slice_headers({**INDEX, "Frames": frames})
    assert [h.frame for h in headers] == [1, 2, 3]
    assert headers[2].position == (0.0, 0.0, 2.0)
    assert headers[2].moments["TemporalPositionIdentifier"] == 2
    assert headers[2].name == "frame 3"


def test_too_many_frames_are_refused():
    with pytest.raises(BadGeometry, match="at most"):
        slice_headers({**INDEX, "Frames": [{}] * (MAX_FRAMES + 1)})


@pytest.mark.parametrize("enhanced", [False, True])
def test_a_data_set_gives_a_header_that_json_keeps(volume_of, write, enhanced):
    """What routing decides by the index and what the reader decides by the files is one decision."""
    volume = volume_of("doubly oblique")
    headers = [header_of(dcmread(path, stop_before_pixels=True)) for path in write(volume, Encoding(enhanced=enhanced))]
    kept = json.loads(json.dumps(headers, default=list))
    slices = [s for header in kept for s in slice_headers(header)]
    assert arrange(slices).grid.matches(volume.grid, 1e-6)


def test_an_emptied_uid_is_taken_from_the_file_meta_information(volume_of, write):
    ds = dcmread(write(volume_of())[0])
    uid = str(ds.SOPInstanceUID)
    ds.SOPInstanceUID = ""
    assert header_of(ds)["SOPInstanceUID"] == uid


def test_frames_that_are_announced_but_not_described_are_refused():
    ds = Dataset()
    ds.NumberOfFrames = 5
    ds.PerFrameFunctionalGroupsSequence = [Dataset()]
    with pytest.raises(BadGeometry, match="5 frames and describes 1"):
        frames_of(ds)
