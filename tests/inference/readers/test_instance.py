"""A file is opened once for its header, and its pixels are found again where they lie."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless

from inference.errors import BadGeometry, Unfit
from inference.readers.dicom import read_series
from inference.readers.instance import Instance
from inference.readers.scan import Scan
from inference.writers.dicom_series import Encoding

PLAIN = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]


def stored(instance):
    return np.stack(instance.stored(instance.slices))


@pytest.mark.parametrize("enhanced", [False, True])
@pytest.mark.parametrize("syntax", [*PLAIN, JPEGLSLossless], ids=lambda syntax: syntax.name)
def test_its_pixels_are_those_that_pydicom_reads(volume_of, write, syntax, enhanced):
    path = write(volume_of(), Encoding(enhanced=enhanced, transfer_syntax=syntax))[0]
    instance = Instance.open(path, Scan())
    assert (instance.pixels.dtype is None) == (syntax == JPEGLSLossless)
    assert np.array_equal(stored(instance), dcmread(path).pixel_array.reshape(-1, 20, 24))


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("syntax", PLAIN, ids=lambda syntax: syntax.name)
def test_bits_beyond_those_stored_are_cut_off(volume_of, write, syntax, signed):
    path = write(volume_of(), Encoding(transfer_syntax=syntax))[0]
    ds = dcmread(path)
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, signed
    ds.PixelData = np.arange(480, dtype=np.uint16).tobytes()[::-1]  # something in every bit
    ds.save_as(path)
    instance = Instance.open(path, Scan())
    assert instance.pixels.dtype is not None
    assert np.array_equal(stored(instance)[0], dcmread(path).pixel_array)


def test_whole_bytes_of_an_odd_number_have_one_more(volume_of, write):
    path = write(volume_of(shape=(6, 21, 25)))[0]
    ds = dcmread(path)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.PixelData = bytes(range(251)) + bytes(range(251)) + bytes(23) + b"\0"
    ds["PixelData"].VR = "OB"
    ds.save_as(path)
    instance = Instance.open(path, Scan())
    assert instance.pixels.dtype == np.uint8
    assert np.array_equal(stored(instance)[0], dcmread(path).pixel_array)


@pytest.mark.parametrize("unusual", ["deflated", "four bytes"])
def test_what_lies_in_no_usual_way_is_read_by_pydicom(volume_of, write, unusual):
    path = write(volume_of())[0]
    ds = dcmread(path)
    if unusual == "deflated":
        ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    else:
        ds.BitsAllocated = 32
        ds.PixelData = np.frombuffer(ds.PixelData, np.uint16).astype(np.uint32).tobytes()
    ds.save_as(path)
    instance = Instance.open(path, Scan())
    assert instance.pixels is None
    assert np.array_equal(stored(instance)[0], np.arange(480).reshape(20, 24) + 24)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGLSLossless], ids=lambda syntax: syntax.name)
def test_of_frames_that_nobody_names_two_are_decoded(volume_of, write, syntax):
    """A small file may hold thousands."""
    path = write(volume_of(), Encoding(enhanced=True, transfer_syntax=syntax))[0]
    ds = dcmread(path)
    del ds.PerFrameFunctionalGroupsSequence
    ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing = [0, 0, 0], [1, 0, 0, 0, 1, 0], [1, 1]
    ds.save_as(path)
    instance = Instance.open(path, Scan())
    assert len(instance.slices) == 1
    assert len(instance.stored(instance.slices)) == 2
    with pytest.raises(BadGeometry, match="holds several frames and does not say where they lie"):
        read_series([path])


def test_what_the_disk_refuses_is_no_fault_of_the_images(volume_of, write):
    path = write(volume_of())[0]
    instance = Instance.open(path, Scan())
    path.unlink()
    with pytest.raises(FileNotFoundError):
        Instance.open(path, Scan())
    with pytest.raises(FileNotFoundError):
        instance.stored(instance.slices)


def test_a_file_that_shrinks_meanwhile_is_unfit(volume_of, write):
    path = write(volume_of())[0]
    instance = Instance.open(path, Scan())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Unfit, match="image 1 cannot be decoded"):
        stored(instance)


@pytest.mark.parametrize(("keyword", "value"), [("SamplesPerPixel", None), ("NumberOfFrames", "many")])
def test_a_header_that_is_damaged_behind_its_place_still_has_one(volume_of, write, keyword, value):
    """For an image that is left out may be damaged; one that is used may not."""
    path = write(volume_of())[0]
    ds = dcmread(path)
    setattr(ds, keyword, 1)
    ds[keyword]._value = value
    ds.save_as(path)
    instance = Instance.open(path, Scan())
    assert instance.slices[0].position is not None
    with pytest.raises(Unfit):
        instance.stored(instance.slices)
