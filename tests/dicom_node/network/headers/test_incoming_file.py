"""A file in pieces becomes an offer of its data set, or one without: hostile heads are bounded and never a fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from dicom_node.errors import BadDataset, OutOfResources
from dicom_node.network.acceptor.spool import Spool
from dicom_node.network.headers.incoming_file import LONGEST_HEAD, IncomingFile
from dicom_node.network.receive import Offer
from storage.files.part10 import GROUP_LENGTH, META_AT, PREFIX


def offered(content: bytes, tmp_path: Path, size: int = 1 << 20, limit: int = 1 << 20) -> Offer:
    file = IncomingFile(Spool(limit, tmp_path, lambda: True))
    for start in range(0, len(content), size):
        file.write(content[start : start + size])
    return file.offer()


def head(length: int, meta: bytes = b"") -> bytes:
    return bytes(128) + PREFIX + GROUP_LENGTH + length.to_bytes(4, "little") + meta


@pytest.mark.parametrize("size", [1, 50, 131, META_AT, 500, 1 << 20])
def test_head_and_data_set_are_told_apart_however_the_file_is_cut(
    ct_series: list[Path], tmp_path: Path, size: int
) -> None:
    content = ct_series[0].read_bytes()
    offer = offered(content, tmp_path, size)
    uid = str(dcmread(ct_series[0]).SOPInstanceUID)
    assert (offer.sop_class_uid, offer.sop_instance_uid) == (CTImageStorage, uid)
    assert offer.transfer_syntax_uid == ExplicitVRLittleEndian
    length = int.from_bytes(content[META_AT - 4 : META_AT], "little")
    assert offer.data == content[META_AT + length :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"error": "Doe^Jane"}',
        bytes(1000),
        bytes(128) + PREFIX,
        head(100, b"short"),
        head(LONGEST_HEAD + 1, bytes(2 * LONGEST_HEAD)),
        head(0xFFFFFFFF, bytes(2 * LONGEST_HEAD)),
        bytes(128) + PREFIX + b"\x08\x00\x16\x00UI\x04\x001.2\x00" + bytes(100),
    ],
)
def test_what_begins_as_no_file_brings_no_data_set(content: bytes, tmp_path: Path) -> None:
    for size in (7, 1 << 20):
        with pytest.raises(BadDataset, match="without a data set"):
            _ = offered(content, tmp_path, size).data


def test_of_what_is_no_file_little_is_kept(tmp_path: Path) -> None:
    file = IncomingFile(Spool(1 << 30, tmp_path, lambda: True))
    for _ in range(1000):
        file.write(bytes(10_000))
    assert len(file._start) < META_AT + LONGEST_HEAD + 10_001


@pytest.mark.parametrize("meta", [b"\xff" * 60, bytes(60), b"\x02\x00\x10\x00UI\xff\xff1.2", b""])
def test_a_head_that_says_nothing_names_no_class(meta: bytes, tmp_path: Path) -> None:
    offer = offered(head(len(meta), meta) + b"data", tmp_path)
    assert (offer.sop_class_uid, offer.sop_instance_uid) == ("", "")
    assert offer.data == b"data"


def test_a_data_set_that_is_too_large_is_let_go(ct_series: list[Path], tmp_path: Path) -> None:
    offer = offered(ct_series[0].read_bytes(), tmp_path, limit=1000)
    with pytest.raises(OutOfResources, match="max_object_bytes"):
        _ = offer.data
