"""One DICOM file: its header now, its pixels when they are wanted; no data set is kept between the two."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames, get_frame
from pydicom.pixels import get_decoder, iter_pixels
from pydicom.uid import UID, ImplicitVRLittleEndian

from inference.errors import Unfit
from inference.readers.codecs import claimed_size, plugin_for
from inference.readers.deflated import check_inflated
from inference.readers.faults import DICOM_FAULTS
from inference.readers.headers import KEYWORDS, SliceHeader, header_of, slice_headers
from inference.readers.scan import COMPRESSED, IMAGE_PIXEL, SYNTAXES, Scan
from inference.readers.values import Meaning, meaning_of

_IMPLICIT, _EXPLICIT = struct.Struct("<HHI"), struct.Struct("<HH2s2xI")
_UNDEFINED = 0xFFFFFFFF
_PIXEL_DATA = (0x7FE0, 0x0010)
_GREY = ("MONOCHROME1", "MONOCHROME2")

Values: TypeAlias = Dataset | Mapping[str, Any]  # both give values by keyword


class Pixels(NamedTuple):
    """Where pixel data begin in a file, and how they are stored (PS3.5 8).

    `dtype` is that of uncompressed ones, None where they are compressed; `options` are what pydicom's decoders want.
    """

    syntax: UID
    offset: int
    dtype: np.dtype[Any] | None
    options: Mapping[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        return self.options["rows"], self.options["columns"]


@dataclass(frozen=True, eq=False)
class Instance:
    """A few numbers of a file: `pixels` is None where they lie in no usual way; pydicom then reads all of it.

    `meaning` is None where the header cannot be made sense of.
    """

    path: Path
    uid: str
    modality: str
    slices: tuple[SliceHeader, ...]
    meaning: Meaning | None = None
    samples: int = 1
    pixels: Pixels | None = None

    @classmethod
    def open(cls, path: Path, scan: Scan) -> Instance:
        """Read a file up to its pixels, by the scan of its series; Unfit where it is no DICOM."""
        with _unfit("An image of the series cannot be read"), path.open("rb") as file:
            values = scan.read(file)
            if values is not None:
                return cls._of(path, _header(values), values, file)
            file.seek(0)
            check_inflated(file)
            ds = dcmread(file, stop_before_pixels=True, force=True)
            return cls._of(path, header_of(ds), ds, file)

    @classmethod
    def _of(cls, path: Path, header: Mapping[str, Any], values: Values, file: BinaryIO) -> Instance:
        """What is needed of an image that is used is left out where it is damaged, since this one may not be used."""
        known = cls(path, header["SOPInstanceUID"], str(values.get("Modality", "")), tuple(slice_headers(header)))
        try:
            return replace(known, meaning=meaning_of(values), samples=int(values.get("SamplesPerPixel", 1)),
                           pixels=_pixels(file, values))
        except DICOM_FAULTS:
            return known

    def stored(self, wanted: Sequence[SliceHeader]) -> list[NDArray[Any]]:
        """The stored values of some of its slices; where it names no frames, of the first two that it holds."""
        name = wanted[0].name
        if self.meaning is None:
            raise Unfit(f"The pixels of {name} cannot be decoded: its header is damaged.")
        if self.samples != 1:
            raise Unfit("The series is in colour: a screen save, no measurement.")
        frames = None if wanted[0].frame is None else [(header.frame or 1) - 1 for header in wanted]
        with _unfit(f"The pixels of {name} cannot be decoded"):
            if self.pixels is None:
                every = iter_pixels(dcmread(self.path, force=True), indices=frames, raw=True)
                return list(islice(every, _most(frames)))
            if self.pixels.dtype is None:
                return _decoded(self.path, self.pixels, frames)
            some = frames or range(min(_most(frames), self.pixels.options["number_of_frames"]))
            return [_plain(self.path, self.pixels, frame) for frame in some]


@contextmanager
def _unfit(sentence: str) -> Iterator[None]:
    """Says so where data inside make no sense; what the disk refuses stays as it is."""
    try:
        yield
    except (*DICOM_FAULTS, OSError) as fault:
        if isinstance(fault, OSError) and fault.errno is not None:
            raise
        raise Unfit(f"{sentence} ({type(fault).__name__}).") from fault


def _header(values: Mapping[str, Any]) -> dict[str, Any]:
    uid = values.get("SOPInstanceUID") or values.get("MediaStorageSOPInstanceUID", "")  # anonymisers empty the first
    return {**{keyword: values[keyword] for keyword in KEYWORDS if keyword in values}, "SOPInstanceUID": str(uid)}


def _pixels(file: BinaryIO, values: Values) -> Pixels | None:
    """Of a file that is read up to its pixel data."""
    meta: Values = getattr(values, "file_meta", values)
    syntax = meta.get("TransferSyntaxUID")
    if syntax not in SYNTAXES:
        return None
    head = _IMPLICIT if syntax == ImplicitVRLittleEndian else _EXPLICIT
    begin = file.read(head.size)
    if len(begin) < head.size:
        return None
    group, element, *_, length = head.unpack(begin)
    if (group, element) != _PIXEL_DATA:
        return None
    options = _options(values)
    if syntax in COMPRESSED:
        return Pixels(syntax, file.tell(), None, options) if length == _UNDEFINED else None
    dtype = _plain_dtype(options)
    whole = _frame_bytes(options, dtype) * options["number_of_frames"] if dtype else 0
    held = min(length, os.fstat(file.fileno()).st_size - file.tell())
    return Pixels(syntax, file.tell(), dtype, options) if dtype and held == whole + whole % 2 else None


def _options(values: Values) -> dict[str, Any]:
    options = {name: value for keyword, name in IMAGE_PIXEL.items() if (value := values.get(keyword)) is not None}
    options["number_of_frames"] = int(options.get("number_of_frames") or 1)
    if values.get("ExtendedOffsetTable") and values.get("ExtendedOffsetTableLengths"):
        options["extended_offsets"] = (values["ExtendedOffsetTable"], values["ExtendedOffsetTableLengths"])
    return {**options, "pixel_keyword": "PixelData"}


def _plain_dtype(options: Mapping[str, Any]) -> np.dtype[Any] | None:
    """The type of uncompressed grey values in whole bytes, None where they are anything else."""
    bits, stored, signed = (options.get(key, -1) for key in ("bits_allocated", "bits_stored", "pixel_representation"))
    whole = bits in (8, 16) and isinstance(stored, int) and 1 <= stored <= bits and signed in (0, 1)
    grey = options.get("samples_per_pixel") == 1 and options.get("photometric_interpretation") in _GREY
    sized = all(isinstance(options.get(key), int) and options[key] > 0 for key in ("rows", "columns",
                                                                                   "number_of_frames"))
    return np.dtype(f"<{'iu'[signed == 0]}{bits // 8}") if whole and grey and sized else None


def _frame_bytes(options: Mapping[str, Any], dtype: np.dtype[Any]) -> int:
    return int(options["rows"] * options["columns"] * dtype.itemsize)


def _plain(path: Path, pixels: Pixels, frame: int) -> NDArray[Any]:
    """An uncompressed frame."""
    assert pixels.dtype is not None
    offset = pixels.offset + frame * _frame_bytes(pixels.options, pixels.dtype)
    values = np.fromfile(path, pixels.dtype, pixels.shape[0] * pixels.shape[1], offset=offset).reshape(pixels.shape)
    return _cut_off(values, pixels.options["bits_stored"])


def _cut_off(values: NDArray[Any], stored: int) -> NDArray[Any]:
    """The bits beyond those that are stored tell nothing, not even the sign (PS3.5 8.1.1)."""
    unused = 8 * values.dtype.itemsize - stored
    if unused:
        values <<= unused
        values >>= unused
    return values


def _decoded(path: Path, pixels: Pixels, frames: Sequence[int] | None) -> list[NDArray[Any]]:
    """Compressed frames; by the fastest decoder, and where that fails by any other."""
    plugin = plugin_for(pixels.syntax)
    try:
        return _decoded_by(plugin, path, pixels, frames)
    except RuntimeError:
        if not plugin or not _of_their_size(path, pixels, frames):
            raise
        return _decoded_by("", path, pixels, frames)


def _decoded_by(plugin: str, path: Path, pixels: Pixels, frames: Sequence[int] | None) -> list[NDArray[Any]]:
    with path.open("rb") as file:
        file.seek(pixels.offset)
        decoder = get_decoder(pixels.syntax)
        decoded = decoder.iter_array(file, indices=frames, raw=True, decoding_plugin=plugin, **pixels.options)
        some = [frame for frame, _ in islice(decoded, _most(frames))]
    if not pixels.options.get("pixel_representation"):
        return some
    return [_cut_off(frame, pixels.options["bits_stored"]) for frame in some]  # some encoders extend no sign


def _most(frames: Sequence[int] | None) -> int:
    """How many frames are decoded: where none are named there should be one, and a second tells that it is not so."""
    return len(frames) if frames else 2


def _of_their_size(path: Path, pixels: Pixels, frames: Sequence[int] | None) -> bool:
    """Whether compressed frames claim the size that the header says; other decoders take memory for what is claimed."""
    with path.open("rb") as file:
        file.seek(pixels.offset)
        of = {key: pixels.options.get(key) for key in ("number_of_frames", "extended_offsets")}
        encoded = (get_frame(file, frame, **of) for frame in frames) if frames else generate_frames(file, **of)
        return all(claimed_size(frame, pixels.syntax) == pixels.shape for frame in encoded)
