"""A DICOM file that comes in piece by piece: its head is read, and its data set becomes an offer, stored as sent.

The bytes come from strangers: the head is bounded, the data set is spooled.
"""

from __future__ import annotations

from pydicom.filereader import read_dataset

from dicom_node.network.acceptor.spool import Spool
from dicom_node.network.headers.elements import PARSE_FAULTS, CountedBytes, counted, value_of
from dicom_node.network.receive import Offer
from storage.files.part10 import GROUP_LENGTH, META_AT, PREFIX, PREFIX_AT

LONGEST_HEAD = 64 << 10  # in bytes; some hundred are usual
UIDS = ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")


class IncomingFile:
    """One file (PS3.10 7.1); its data set goes to `spool`."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._start = bytearray()  # until the head is whole
        self._uids: tuple[str, str, str] | None = None

    def write(self, piece: bytes) -> None:
        """Take the next bytes; of what does not begin as a DICOM file little is kept."""
        if self._uids is not None:
            self._spool.write(piece)
        elif len(self._start) <= META_AT + LONGEST_HEAD:
            self._start += piece
            end = _end_of_head(self._start)
            if end is not None and len(self._start) >= end:
                self._uids = _uids_of(bytes(self._start[META_AT:end]))
                self._spool.write(bytes(self._start[end:]))
                self._start.clear()

    def offer(self) -> Offer:
        """What came, once it is through: without a data set where it was no DICOM file."""
        sop_class, sop_instance, syntax = self._uids or ("", "", "")
        return Offer(sop_class, sop_instance, syntax, content=self._spool if self._uids else None)


def _end_of_head(start: bytearray) -> int | None:
    """Where the data set begins; None where that is not known yet, or never will be."""
    if start[PREFIX_AT : META_AT - 4] != PREFIX + GROUP_LENGTH or len(start) < META_AT:
        return None
    length = int.from_bytes(start[META_AT - 4 : META_AT], "little")
    return META_AT + length if length <= LONGEST_HEAD else None


def _uids_of(meta: bytes) -> tuple[str, str, str]:
    """What the file meta information says of the data set; empty texts for what it does not say."""
    try:
        with counted():
            found = read_dataset(CountedBytes(meta), is_implicit_VR=False, is_little_endian=True)
            sop_class, sop_instance, syntax = (str(value_of(found, keyword) or "") for keyword in UIDS)
    except PARSE_FAULTS:
        return "", "", ""
    return sop_class, sop_instance, syntax
