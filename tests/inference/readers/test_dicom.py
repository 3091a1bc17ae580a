"""What was written is read: same voxels, same places, named sources; what is unfit is refused with a reason."""

import copy
import json
import random

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from inference.errors import BadGeometry, Unfit
from inference.readers.arrange import arrange
from inference.readers.dicom import AIR_HU, read_report, read_series
from inference.readers.headers import header_of, slice_headers
from inference.request import SeriesFiles
from inference.volume import Spacing
from inference.writers.dicom_series import Encoding


def edit(path, **changes):
    """Change attributes of a written file; None deletes."""
    ds = dcmread(path)
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.save_as(path)


@pytest.mark.parametrize("units", ["HU", "signal"])
@pytest.mark.parametrize("encoding", [Encoding(), Encoding(reverse=True), Encoding(enhanced=True),
                                      Encoding(enhanced=True, reverse=True)],
                         ids=["plain", "reversed", "enhanced", "enhanced reversed"])
def test_a_written_volume_comes_back(volume_of, write, orientation, encoding, units):
    volume = volume_of(orientation, units=units)
    paths = write(volume, encoding)
    random.Random(1).shuffle(paths)
    read = read_series(paths)
    assert read.grid.matches(volume.grid, 1e-6)
    assert np.array_equal(read.array, volume.array)
    assert read.array.dtype == np.float32
    assert read.units == units
    assert read.grid.frame_of_reference_uid == volume.grid.frame_of_reference_uid


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless,
                                    RLELossless])
@pytest.mark.parametrize("enhanced", [False, True])
def test_every_lossless_transfer_syntax_is_decoded(volume_of, write, syntax, enhanced):
    volume = volume_of("oblique", shape=(4, 64, 72))
    read = read_series(write(volume, Encoding(enhanced=enhanced, transfer_syntax=syntax)))
    assert np.array_equal(read.array, volume.array)


def test_each_slice_names_its_instance(volume_of, write):
    volume = volume_of()
    paths = write(volume, Encoding(reverse=True))
    read = read_series(paths)
    for k, source in enumerate(read.sources):
        ds = dcmread(paths[volume.grid.shape[0] - 1 - k])
        assert source.sop_instance_uid == ds.SOPInstanceUID
        assert source.frame is None
        assert read.grid.to_lps((k, 0, 0)) == pytest.approx([float(v) for v in ds.ImagePositionPatient])


def test_each_frame_is_named_where_an_instance_has_several(volume_of, write):
    read = read_series(write(volume_of(), Encoding(enhanced=True, reverse=True)))
    assert [source.frame for source in read.sources] == [6, 5, 4, 3, 2, 1]
    assert len({source.sop_instance_uid for source in read.sources}) == 1


def two_echoes(path, times):
    """Make the written enhanced instance one that shows each of its places at two echo times, in ms, the later darker.

    Its frames are those of the first echo, then of the second.
    """
    ds = dcmread(path)
    first = ds.pixel_array
    groups = [copy.deepcopy(group) for _ in times for group in ds.PerFrameFunctionalGroupsSequence]
    for number, group in enumerate(groups):
        group.MREchoSequence = [Dataset()]
        group.MREchoSequence[0].EffectiveEchoTime = times[number // len(first)]
    ds.PerFrameFunctionalGroupsSequence, ds.NumberOfFrames = groups, len(groups)
    ds.PixelData = np.concatenate([first, first // 2]).tobytes()
    ds.save_as(path)


def test_echoes_of_one_instance_are_told_apart_and_the_last_is_used(volume_of, write):
    volume = volume_of(units="signal")
    path, = write(volume, Encoding(enhanced=True))
    two_echoes(path, [10.5, 90.0])
    report = read_report([path])
    assert np.array_equal(report.volume.array, volume.array // 2)
    assert [source.frame for source in report.volume.sources] == [7, 8, 9, 10, 11, 12]
    assert "told apart by EffectiveEchoTime" in report.notes[0]
    header = json.loads(json.dumps(header_of(dcmread(path, stop_before_pixels=True)), default=list))
    assert [s.frame for s in arrange(slice_headers(header)).slices] == [7, 8, 9, 10, 11, 12], "by the index as well"


@pytest.mark.parametrize(("keyword", "values", "told"), [
    ("EchoTime", (10.5, 90), "EffectiveEchoTime"), ("TemporalPositionIdentifier", (1, 2), "TemporalPositionIdentifier"),
])
def test_frames_of_a_legacy_conversion_are_told_apart_as_their_sources_were(volume_of, write, keyword, values, told):
    path, = write(volume_of(units="signal"), Encoding(enhanced=True))
    two_echoes(path, [2.5, 2.5])
    ds = dcmread(path)
    for number, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        del group.MREchoSequence
        group.UnassignedPerFrameConvertedAttributesSequence = [Dataset()]
        setattr(group.UnassignedPerFrameConvertedAttributesSequence[0], keyword, values[number // 6])
    ds.save_as(path)
    report = read_report([path])
    assert [source.frame for source in report.volume.sources] == [7, 8, 9, 10, 11, 12]
    assert f"told apart by {told}" in report.notes[0]


@pytest.mark.parametrize(("keyword", "values", "told"), [
    ("FrameAcquisitionNumber", (1, 2), "AcquisitionNumber"),
    ("FrameAcquisitionDateTime", ("20250401235959", "20250402000100.5"), "AcquisitionDateTime"),
])
def test_acquisitions_in_one_instance_are_told_apart_and_the_last_is_used(volume_of, write, keyword, values, told):
    volume = volume_of(units="signal")
    path, = write(volume, Encoding(enhanced=True))
    two_echoes(path, [2.5, 2.5])
    ds = dcmread(path)
    for number, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        setattr(group.FrameContentSequence[0], keyword, values[number // 6])
    ds.save_as(path)
    report = read_report([path])
    assert np.array_equal(report.volume.array, volume.array // 2)
    assert f"told apart by {told}" in report.notes[0]


def test_pictures_at_one_place_without_a_difference_that_is_known_are_refused(volume_of, write):
    path, = write(volume_of(units="signal"), Encoding(enhanced=True))
    two_echoes(path, [90.0, 90.0])
    with pytest.raises(BadGeometry, match="no attribute that is looked at tells them apart: frame 7"):
        read_series([path])


@pytest.mark.parametrize(("keyword", "values"), [
    ("FrameType", (["DERIVED", "PRIMARY", "W", "NONE"], ["DERIVED", "PRIMARY", "F", "NONE"])),
    ("ComplexImageComponent", ("MAGNITUDE", "PHASE")),
])
def test_frames_of_several_kinds_at_the_same_places_are_refused_by_their_headers(volume_of, write, keyword, values):
    path, = write(volume_of(units="signal"), Encoding(enhanced=True))
    two_echoes(path, [2.5, 2.5])
    ds = dcmread(path)
    for number, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        group.MRImageFrameTypeSequence = [Dataset()]
        setattr(group.MRImageFrameTypeSequence[0], keyword, values[number // 6])
    header = json.loads(json.dumps(header_of(ds), default=list))
    with pytest.raises(BadGeometry, match="2 different kinds of image"):
        arrange(slice_headers(header))


def test_takes_the_files_of_a_request(volume_of, write):
    paths = tuple(write(volume_of()))
    files = SeriesFiles("1.2", paths, tuple(str(dcmread(p).SOPInstanceUID) for p in paths))
    assert read_series(files).array.shape == (6, 20, 24)


def test_slices_are_rescaled_each_by_its_own_values(volume_of, write):
    volume = volume_of()
    paths = write(volume)
    edit(paths[2], RescaleSlope="2", RescaleIntercept="-500")
    read = read_series(paths)
    assert np.array_equal(read.array[2], (volume.array[2] + 1024) * 2 - 500)
    assert np.array_equal(read.array[3], volume.array[3])


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_padding_becomes_air(volume_of, write, syntax):
    volume = volume_of()
    array = volume.array.copy()
    array[:, :5] = 1976  # stored as 3000
    paths = write(volume.with_array(array), Encoding(transfer_syntax=syntax))
    for path in paths:
        ds = dcmread(path)
        ds.add_new("PixelPaddingValue", "US", 3000)
        ds.save_as(path)
    assert np.all(read_series(paths).array[:, :5] == AIR_HU)


def test_values_below_air_become_air(volume_of, write):
    paths = write(volume_of())
    for path in paths:
        edit(path, RescaleIntercept="-3024")
    assert read_series(paths).array.min() == AIR_HU


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_negative_padding_read_as_unsigned_is_recognised(volume_of, write, syntax):
    paths = write(volume_of(), Encoding(transfer_syntax=syntax))
    for path in paths:
        ds = dcmread(path)
        pixels = (ds.pixel_array.astype(np.int32) - 1024).astype(np.int16)
        pixels[:3] = -2000
        ds.PixelRepresentation, ds.RescaleIntercept, ds.PixelData = 1, "0", pixels.tobytes()
        ds.add_new("PixelPaddingValue", "US", 65536 - 2000)
        ds.save_as(path)
    assert np.all(read_series(paths).array[:, :3] == AIR_HU)


def test_a_ct_without_rescale_is_no_ct_in_hounsfield_units(volume_of, write):
    paths = write(volume_of())
    edit(paths[3], RescaleSlope=None)
    with pytest.raises(Unfit, match="image 4 has no rescale"):
        read_series(paths)


@pytest.mark.parametrize("changes", [{"RescaleSlope": "0"}, {"RescaleType": "HU_MOD"}])
def test_a_ct_of_another_quantity_is_refused(volume_of, write, changes):
    paths = write(volume_of())
    edit(paths[0], **changes)
    with pytest.raises(Unfit):
        read_series(paths)


def test_an_mr_needs_no_rescale(volume_of, write):
    volume = volume_of(units="signal")
    assert np.array_equal(read_series(write(volume)).array, volume.array)


def test_time_points_are_separated(volume_of, write):
    volume = volume_of(units="signal")
    paths = []
    for point in (1, 2):
        paths += write(volume.with_array(volume.array + point), folder=str(point), temporal_position=point,
                       first_instance_number=1 + 10 * point)
    report = read_report(paths)
    assert np.array_equal(report.volume.array, volume.array + 2)
    assert "2 sets of images at the same places" in report.notes[0]


def test_an_image_sent_twice_under_two_uids_is_dropped_with_a_note(volume_of, write):
    paths = write(volume_of())
    again = write(volume_of(), folder="again", first_instance_number=50)
    report = read_report([*paths, again[2]])
    assert report.volume.array.shape == (6, 20, 24)
    assert "repeat another pixel by pixel" in report.notes[-1]


def test_different_pictures_at_one_place_are_refused(volume_of, write):
    volume = volume_of()
    paths = write(volume)
    other = write(volume.with_array(volume.array + 1), folder="other", first_instance_number=50)
    with pytest.raises(BadGeometry, match="same place"):
        read_series([*paths, other[2]])


def test_missing_slices_are_refused_before_pixels_are_decoded(volume_of, write):
    paths = write(volume_of())
    edit(paths[4], PixelData=b"")
    with pytest.raises(BadGeometry, match="between image 1 and image 3"):
        read_series([paths[0], *paths[2:]])


def test_gantry_tilt_keeps_every_voxel_in_place(volume_of, write):
    volume = volume_of()
    paths = write(volume)
    for k, path in enumerate(paths):
        x, y, z = dcmread(path).ImagePositionPatient
        edit(path, ImagePositionPatient=[float(x), float(y) + 0.8 * k, float(z)])
    report = read_report(paths)
    assert np.array_equal(report.volume.array, volume.array)
    assert report.volume.grid.to_lps((5, 0, 0)) - volume.grid.to_lps((5, 0, 0)) == pytest.approx((0, 4, 0), abs=1e-6)
    assert "gantry tilt" in report.notes[0]


def test_anisotropic_voxels_keep_their_proportions(volume_of, write):
    read = read_series(write(volume_of("sagittal", Spacing(5.0, 0.4, 1.3))))
    assert read.grid.spacing == pytest.approx((5.0, 0.4, 1.3))


@pytest.mark.parametrize("damage", [
    {"PixelData": b"\0" * 10},
    {"Rows": 9000},
    {"SamplesPerPixel": 3},
    {"BitsAllocated": 12},
    {"NumberOfFrames": 3},
    {"PixelData": None},
])
def test_pixels_that_cannot_be_decoded_are_unfit(volume_of, write, damage):
    paths = write(volume_of())
    for path in paths:
        edit(path, **damage)
    with pytest.raises(Unfit):
        read_series(paths)


def test_what_is_no_dicom_is_unfit(tmp_path):
    path = tmp_path / "letter.dcm"
    path.write_bytes(b"Dear colleague, " * 40)
    with pytest.raises(Unfit):
        read_series([path])


def test_no_files_are_unfit():
    with pytest.raises(Unfit, match="no images"):
        read_series([])


def test_reasons_name_no_patient(volume_of, write):
    paths = write(volume_of())
    for path in paths:
        edit(path, PixelData=b"", PatientName="Secret^Person")
    with pytest.raises(Unfit) as refusal:
        read_series(paths)
    assert "Secret" not in str(refusal.value)
