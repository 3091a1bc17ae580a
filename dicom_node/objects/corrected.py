"""Reading a segmentation of any maker (PS3.3 A.51, C.8.20): what its segments are, where its frames lie, what it cites.

It comes from a stranger: its size is bounded before memory is taken, the steps of parsing are counted, and nothing
but `BadSegmentation` is raised, or `Unavailable` where the disk fails. Pixels are decoded by `on_grid.py`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.sr.coding import snomed_mapping
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from dicom_node.errors import NodeError
from dicom_node.network.headers.elements import PARSE_FAULTS, CountedBytes, counted, items_of, value_of
from dicom_node.objects.stored import content_of

MAX_BYTES = 256 * 1024 * 1024
MAX_SEGMENTS = 1000
_BITS = {"BINARY": (1,), "FRACTIONAL": (8,), "LABELMAP": (8, 16)}  # Bits Allocated by Segmentation Type, PS3.3 C.8.20.2
NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
FAULTS = (*PARSE_FAULTS, RuntimeError)  # the latter where pixels cannot be decoded


class BadSegmentation(NodeError):
    """A segmentation that cannot be used; the text says why and names no value that may be a patient's."""


class Coded(NamedTuple):
    """A code's value and its scheme."""

    value: str
    scheme: str

    def __str__(self) -> str:
        return f"{self.value} {self.scheme}"


class Algorithm(NamedTuple):
    """What drew a segment, as it says itself: free texts (PS3.3 table 10-19)."""

    name: str
    version: str
    parameters: str


@dataclass(frozen=True)
class Segment:
    """What one segment says of itself."""

    number: int
    type: Coded
    region: Coded | None = None
    label: str = field(default="", repr=False)  # free text: it is compared, never shown
    tracking_uid: str = ""
    automatic: bool = False
    algorithm: Algorithm | None = field(default=None, repr=False)


class Frame(NamedTuple):
    """Whose mask a frame is (0: a LABELMAP's, of all) and where: as in PS3.3 C.7.6.2, spacing of rows first."""

    segment: int
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A segmentation's header; `cites` holds UIDs of series and instances, `pixels` what decoders need.

    `form` is its Segmentation Type, `most` the value of a voxel that is all within (1 where it is BINARY).
    """

    segments: tuple[Segment, ...]
    frames: tuple[Frame, ...]
    cites: frozenset[str]
    frame_of_reference_uid: str
    form: str
    most: int
    pixels: Dataset = field(repr=False)

    @property
    def tracking_uids(self) -> frozenset[str]:
        return frozenset(s.tracking_uid for s in self.segments if s.tracking_uid)

    @property
    def automatic(self) -> bool:
        """Whether no person had a hand in it, as it says itself (Segment Algorithm Type)."""
        return all(segment.automatic for segment in self.segments)


def read_segmentation(path: Path) -> Segmentation:
    """The segmentation in a stored file; BadSegmentation, Unavailable."""
    data, syntax = content_of(path, MAX_BYTES, (*NATIVE, RLELossless), BadSegmentation)
    content = CountedBytes(data)
    try:
        with counted(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydicom quotes the values that it complains about
            return _parsed(read_dataset(content, syntax.is_implicit_VR, is_little_endian=True), syntax)
    except FAULTS as fault:
        raise BadSegmentation(f"it cannot be parsed ({type(fault).__name__})") from None


def _parsed(ds: Dataset, syntax: UID) -> Segmentation:
    kind = value_of(ds, "SegmentationType")
    if kind not in _BITS:
        raise BadSegmentation("it is neither BINARY nor LABELMAP nor FRACTIONAL")
    items = items_of(ds, "SegmentSequence")
    if len(items) > MAX_SEGMENTS:
        raise BadSegmentation(f"it has more than {MAX_SEGMENTS} segments")
    described = [_segment(item) for item in items]
    segments = tuple(s for s in described if s.number)  # a LABELMAP describes its background too
    if len({s.number for s in segments}) < len(segments) or not segments:
        raise BadSegmentation("its segments have no numbers of their own")
    groups = items_of(ds, "PerFrameFunctionalGroupsSequence")
    shared = next(iter(items_of(ds, "SharedFunctionalGroupsSequence")), Dataset())
    placed = tuple(_frame(group, shared, labelmap=kind == "LABELMAP") for group in groups)
    return Segmentation(
        segments=segments,
        frames=placed,
        cites=frozenset(_cited(ds) or _cited_by_frames(groups)),
        frame_of_reference_uid=str(value_of(ds, "FrameOfReferenceUID") or ""),
        form=kind,
        most=int(value_of(ds, "MaximumFractionalValue") or 0) if kind == "FRACTIONAL" else 1,
        pixels=_pixels(ds, syntax, len(placed), kind),
    )


def _segment(item: Dataset) -> Segment:
    algorithms = items_of(item, "SegmentationAlgorithmIdentificationSequence")
    return Segment(
        number=int(value_of(item, "SegmentNumber") or 0),
        type=_code(item, "SegmentedPropertyTypeCodeSequence") or Coded("?", "?"),
        region=_code(item, "AnatomicRegionSequence"),
        label=str(value_of(item, "SegmentLabel") or ""),
        tracking_uid=str(value_of(item, "TrackingUID") or ""),
        automatic=value_of(item, "SegmentAlgorithmType") == "AUTOMATIC",
        algorithm=_algorithm(algorithms[0]) if algorithms else None,
    )


def _algorithm(item: Dataset) -> Algorithm:
    keywords = ("AlgorithmName", "AlgorithmVersion", "AlgorithmParameters")
    return Algorithm(*(str(value_of(item, keyword) or "") for keyword in keywords))


def _code(item: Dataset, keyword: str) -> Coded | None:
    """The first code of a sequence, of harmless characters only: it is journalled where it is unknown.

    Of SNOMED's old scheme, which older viewers write, the number that took its place (PS3.16 8.1).
    """
    for code in items_of(item, keyword):
        texts = (value_of(code, "CodeValue"), value_of(code, "CodingSchemeDesignator"))
        value, scheme = (re.sub(r"[^\w.-]", "", str(text or "?"), flags=re.ASCII)[:16] for text in texts)
        if scheme == "SRT" and value in snomed_mapping["SRT"]:
            return Coded(snomed_mapping["SRT"][value], "SCT")
        return Coded(value, scheme)
    return None


def _frame(group: Dataset, shared: Dataset, *, labelmap: bool) -> Frame:
    def said(sequence: str, keyword: str) -> Any:
        for source in (group, shared):
            for item in items_of(source, sequence):
                return value_of(item, keyword)
        return None

    def numbers(sequence: str, keyword: str, count: int) -> NDArray[np.float64]:
        array = np.array(said(sequence, keyword), dtype=np.float64)
        if array.shape != (count,):
            raise BadSegmentation(f"a frame has no {keyword}")
        return array

    return Frame(
        0 if labelmap else int(said("SegmentIdentificationSequence", "ReferencedSegmentNumber")),
        numbers("PlanePositionSequence", "ImagePositionPatient", 3),
        numbers("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        numbers("PixelMeasuresSequence", "PixelSpacing", 2),
    )


def _cited(ds: Dataset) -> Iterator[str]:
    """What it refers to as a whole: series, their instances, source images."""
    references = [*items_of(ds, "SourceImageSequence")]
    for series in items_of(ds, "ReferencedSeriesSequence"):
        yield str(value_of(series, "SeriesInstanceUID"))
        references += items_of(series, "ReferencedInstanceSequence")
    yield from _instances(references)


def _cited_by_frames(groups: Iterable[Dataset]) -> Iterator[str]:
    for group in groups:
        for derivation in items_of(group, "DerivationImageSequence"):
            yield from _instances(items_of(derivation, "SourceImageSequence"))


def _instances(references: Iterable[Dataset]) -> Iterator[str]:
    return (str(value_of(item, "ReferencedSOPInstanceUID")) for item in references)


def _pixels(ds: Dataset, syntax: UID, count: int, form: str) -> Dataset:
    """What decoders need, and nothing that a stranger may mislead them with."""
    pixels = Dataset()
    pixels.file_meta = FileMetaDataset()
    pixels.file_meta.TransferSyntaxUID = syntax if syntax.is_encapsulated else ExplicitVRLittleEndian
    pixels.Rows, pixels.Columns = int(value_of(ds, "Rows") or 0), int(value_of(ds, "Columns") or 0)
    bits = int(value_of(ds, "BitsAllocated") or 0)
    if bits not in _BITS[form] or (value_of(ds, "SamplesPerPixel") or 1) != 1:
        raise BadSegmentation("its pixels are not of a form that a segmentation may have")
    if not count or count != value_of(ds, "NumberOfFrames"):
        raise BadSegmentation("it does not describe each of its frames")
    pixels.NumberOfFrames, pixels.SamplesPerPixel, pixels.PixelRepresentation = count, 1, 0
    pixels.BitsAllocated = pixels.BitsStored = bits
    pixels.HighBit, pixels.PhotometricInterpretation = bits - 1, "MONOCHROME2"
    data = ds.get_item("PixelData")
    content = data.value if data is not None else b""
    if not isinstance(content, bytes):
        raise BadSegmentation("it has no pixels")
    least = pixels.Rows * pixels.Columns * count * bits
    if not least or (not syntax.is_encapsulated and len(content) * 8 < least):
        raise BadSegmentation("it has fewer pixels than it says")
    if syntax.is_encapsulated and bits == 1:
        raise BadSegmentation("its bits are compressed")
    pixels.add_new("PixelData", "OB" if syntax.is_encapsulated or bits <= 8 else "OW", content)
    pixels["PixelData"].is_undefined_length = syntax.is_encapsulated
    return pixels
