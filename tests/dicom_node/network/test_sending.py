"""Files on their way out: their own bytes, a piece at a time, and never of odd length."""

import pytest
from pydicom import dcmread
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicom_node.errors import Refused
from dicom_node.network import sending
from dicom_node.network.headers.file_meta import file_head
from dicom_node.network.sending import Outgoing


def test_a_file_goes_as_it_lies_in_pieces(ct_series, monkeypatch):
    monkeypatch.setattr(sending, "PIECE", 1000)
    item = Outgoing.of(ct_series[0])
    pieces = list(item.pieces(ExplicitVRLittleEndian))
    content = ct_series[0].read_bytes()
    assert b"".join(pieces) == content[144 + int.from_bytes(content[140:144], "little") :]
    assert {len(piece) for piece in pieces[:-1]} == {1000}


def test_a_plain_file_can_be_written_anew_in_the_other_plain_syntax(ct_series):
    item = Outgoing.of(ct_series[0])
    assert item.syntaxes == (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
    (anew,) = item.pieces(ImplicitVRLittleEndian)
    assert anew[:8] != next(item.pieces(ExplicitVRLittleEndian))[:8]
    assert len(anew) % 2 == 0
    assert dcmread(ct_series[0]).PixelData in anew


@pytest.mark.parametrize(("syntax", "ends"), [(DeflatedExplicitVRLittleEndian, b"\1\0"), (RLELossless, b"\1")])
def test_a_deflated_data_set_of_odd_length_is_padded(tmp_path, syntax, ends):
    path = tmp_path / "odd.dcm"
    path.write_bytes(file_head(CTImageStorage, "1.2.3", syntax, "SCANNER") + b"abcdefghijkl\1")
    assert list(Outgoing.of(path).pieces(syntax)) == [b"abcdefghijkl" + ends]


def test_what_is_no_dicom_file_is_refused(tmp_path):
    path = tmp_path / "notes"
    path.write_bytes(b"DICM" * 100)
    with pytest.raises(Refused):
        Outgoing.of(path)
