"""A deflated file is refused by what it inflates to, before memory is taken for that."""

import tracemalloc

import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from inference.errors import Unfit
from inference.readers import deflated
from inference.readers.deflated import check_inflated
from inference.readers.instance import Instance
from inference.readers.scan import Scan

MIB = 2**20


@pytest.fixture
def deflate(volume_of, write):
    """`deflate(more)` writes an image with so many bytes behind its pixels, and gives its path."""

    def make(more=0):
        path = write(volume_of())[0]
        ds = dcmread(path)
        ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        if more:
            ds.add_new(0xFFFCFFFC, "OB", bytes(more))  # Data Set Trailing Padding
        ds.save_as(path)
        return path

    return make


def test_an_image_that_inflates_to_too_much_is_unfit(deflate, monkeypatch):
    monkeypatch.setattr(deflated, "MOST_BYTES", 8 * MIB)
    path = deflate(64 * MIB)
    assert path.stat().st_size < MIB
    tracemalloc.start()
    with pytest.raises(Unfit, match="inflates to more than 8388608 bytes"):
        Instance.open(path, Scan())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 * MIB


def test_one_that_does_not_is_read_from_where_the_file_stood(deflate, monkeypatch):
    monkeypatch.setattr(deflated, "MOST_BYTES", 8 * MIB)
    path = deflate(4 * MIB)
    with path.open("rb") as file:
        check_inflated(file)
        assert file.tell() == 0
    assert Instance.open(path, Scan()).modality == dcmread(path).Modality


def test_what_is_not_deflated_is_of_any_size(volume_of, write, monkeypatch):
    monkeypatch.setattr(deflated, "MOST_BYTES", 10)
    path = write(volume_of())[0]
    with path.open("rb") as file:
        check_inflated(file)
        assert file.tell() == 0


def test_one_that_is_cut_off_is_unfit(deflate):
    path = deflate()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Unfit, match="cannot be read"):
        Instance.open(path, Scan())
