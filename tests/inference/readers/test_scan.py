"""A scan says what the data set says, or leaves the file to be read as a whole."""

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless

from inference.readers.headers import KEYWORDS
from inference.readers.scan import IMAGE_PIXEL, Scan, elements_of
from inference.writers.dicom_series import Encoding

ALSO = ("Modality", "RescaleSlope", "RescaleIntercept", "TransferSyntaxUID")


def scanned(path, scan=None):
    with path.open("rb") as file:
        return (scan or Scan()).read(file)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLSLossless])
def test_it_says_what_the_data_set_says(volume_of, write, syntax):
    scan = Scan()
    for path in write(volume_of(), Encoding(transfer_syntax=syntax)):
        ds, found = dcmread(path), scanned(path, scan)
        ds.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
        for keyword in (*KEYWORDS, *IMAGE_PIXEL, *ALSO):
            assert found.get(keyword) == ds.get(keyword), keyword


def test_it_leaves_the_file_at_its_pixel_data(volume_of, write):
    with write(volume_of())[0].open("rb") as file:
        Scan().read(file)
        assert file.read(4) == b"\xe0\x7f\x10\x00"


def test_frames_with_groups_of_their_own_are_read_as_a_whole(volume_of, write):
    assert scanned(write(volume_of(), Encoding(enhanced=True))[0]) is None


def test_another_encoding_is_read_as_a_whole(volume_of, write):
    path = write(volume_of())[0]
    ds = dcmread(path)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    ds.save_as(path)
    assert scanned(path) is None


def test_others_get_the_elements_that_they_want_as_they_lie_there(volume_of, write):
    with write(volume_of())[0].open("rb") as file:
        found = {element.tag: element.value for element in elements_of(file, [0x00080060, 0x00280010])}
    assert found == {0x00020010: b"1.2.840.10008.1.2.1\0", 0x00080060: b"CT", 0x00280010: b"\x14\0",
                     0x00080005: b"ISO_IR 192"}


@pytest.mark.parametrize("keep", [0, 100, 300, 700])
def test_what_ends_before_its_pixels_is_read_as_a_whole(volume_of, write, keep):
    path = write(volume_of())[0]
    path.write_bytes(path.read_bytes()[:keep])
    assert scanned(path) is None


def test_long_values_are_not_remembered(volume_of, write):
    path = write(volume_of())[0]
    ds = dcmread(path)
    ds.ImageType = ["ORIGINAL", "PRIMARY", *["X" * 16] * 20]
    ds.save_as(path)
    scan = Scan()
    assert scanned(path, scan)["ImageType"] == ds.ImageType
    assert all(len(value) <= 128 for _, _, value in scan._known)
