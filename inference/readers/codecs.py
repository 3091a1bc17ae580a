"""Decoders of JPEG 2000, JPEG-LS and RLE that let other threads work, as a plug-in of pydicom's.

pydicom's own hold the interpreter's lock while they decode, and that of RLE in pylibjpeg answers damaged bytes with a
panic, which is no Exception: it is replaced wherever this is imported. The frame's size is looked at before memory is
taken for it: a few bytes may claim billions of pixels.
"""

from __future__ import annotations

import struct

import numpy as np
from imagecodecs import dicomrle_decode, jpeg2k_decode, jpegls_decode
from pydicom.pixels import get_decoder
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEG2000, UID, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless, RLELossless

PLUGIN = "imagecodecs"
_JPEG_LS = (JPEGLSLossless, JPEGLSNearLossless)
DECODER_DEPENDENCIES = dict.fromkeys((JPEG2000, JPEG2000Lossless, *_JPEG_LS, RLELossless), ("imagecodecs",))

_SOF = b"\xff\xf7"  # of JPEG-LS (ISO/IEC 14495-1 C.2.2)
_SOC_SIZ, _BOXES = b"\xff\x4f\xff\x51", 4096  # how JPEG 2000 begins, and how many bytes of a JP2 file may precede it
_EXTENT = struct.Struct(">4I")  # Xsiz, Ysiz, XOsiz, YOsiz (ISO/IEC 15444-1 A.5.1)


def is_available(uid: str) -> bool:
    """Whether it decodes a transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def plugin_for(syntax: UID) -> str:
    """The name of the decoder to ask for first, "" for whichever pydicom has."""
    return PLUGIN if is_available(syntax) else ""


def claimed_size(frame: bytes, syntax: UID) -> tuple[int, int] | None:
    """Rows and columns that a compressed frame says it has, None where it does not."""
    try:
        if syntax not in _JPEG_LS:
            right, bottom, left, top = _EXTENT.unpack_from(frame, frame.index(_SOC_SIZ, 0, _BOXES) + 8)
            return bottom - top, right - left
        place = 2
        while frame[place:place + 2] != _SOF:
            place += 2 + int.from_bytes(frame[place + 2:place + 4] or b"", "big")
            if place >= len(frame):
                return None
        rows, columns = struct.unpack_from(">2H", frame, place + 5)
    except (ValueError, struct.error):
        return None
    return rows, columns


def decode_frame(source: bytes, runner: DecodeRunner) -> bytearray:
    """A frame's stored values, in as many bytes as its precision needs; ValueError where it is of another size."""
    if runner.transfer_syntax == RLELossless:
        return _decode_rle(source, runner)
    shape = (runner.rows, runner.columns)
    if runner.samples_per_pixel != 1 or claimed_size(source, runner.transfer_syntax) != shape:
        raise ValueError("the frame is not of the size that its header says")
    if runner.transfer_syntax in _JPEG_LS:
        wide = runner.get_option("jls_precision", runner.bits_stored) > 8
        values = jpegls_decode(source, out=np.empty(shape, np.uint16 if wide else np.uint8))
    else:
        values = jpeg2k_decode(source)
    if values.shape != shape:
        raise ValueError("the frame has more than one sample a pixel")
    runner.set_option("bits_allocated", 8 * values.dtype.itemsize)
    return bytearray(values.data)


def _decode_rle(source: bytes, runner: DecodeRunner) -> bytearray:
    dtype = np.dtype(f"<u{runner.bits_allocated // 8}")
    size = runner.rows * runner.columns * dtype.itemsize
    values = dicomrle_decode(source, dtype, out=bytearray(size))
    if runner.samples_per_pixel != 1 or len(values) != size:
        raise ValueError("the frame is not of the size that its header says")
    return bytearray(values)


for _others in ("pylibjpeg", "pydicom"):
    get_decoder(RLELossless).remove_plugin(_others)
for _syntax in DECODER_DEPENDENCIES:
    get_decoder(_syntax).add_plugin(PLUGIN, (__name__, "decode_frame"))
