"""A label map as a segmentation's frames (PS3.3 C.8.20): which there are, and the pixels of all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dicom_node.objects.labelmap import Labels

ANY = 0  # in the place of a number: the frame shows all of them as they are

_AT_ONCE = 16  # frames: of eight and their multiples, the bits are whole bytes whatever their size


class Form(NamedTuple):
    """Segmentation Type, Bits Allocated, and what stands for a voxel of a FRACTIONAL segment."""

    type: str
    bits: int
    most: int = 1


def shown_on(labels: Labels) -> list[frozenset[int]]:
    """Of each slice the numbers above 0 that it shows."""
    return [_seen(plane) for start in range(0, len(labels), _AT_ONCE)
            for plane in _read(labels, range(start, min(start + _AT_ONCE, len(labels))))]


def _read(labels: Labels, slices: Sequence[int]) -> Labels:
    """A copy of some slices; of a map in a file by a view of its own, for as much of one as was looked at is held."""
    if isinstance(labels, np.memmap) and labels.filename and labels.flags.c_contiguous:
        labels = np.memmap(labels.filename, labels.dtype, "r", labels.offset, labels.shape)
    return np.array(labels[list(slices)])


def _seen(plane: NDArray[np.unsignedinteger]) -> frozenset[int]:
    if not plane.any():
        return frozenset()
    return frozenset(np.flatnonzero(np.bincount(plane[plane > 0])).tolist())


def small_likeness(shown: Sequence[frozenset[int]], numbers: Sequence[int]) -> NDArray[np.uint16]:
    """A label map (slice, 1, segment) that shows segment 1, 2, … where a label map shows the first of `numbers`, …"""
    like = np.zeros((len(shown), 1, len(numbers)), np.uint16)
    for z, seen in enumerate(shown):
        for segment, number in enumerate(numbers, start=1):
            if number in seen:
                like[z, 0, segment - 1] = segment
    return like


def encoded(labels: Labels, frames: Sequence[tuple[int, int]], form: Form) -> bytes:
    """Pixel Data, uncompressed, of the frames: each a slice and the number in the map that it shows, or ANY.

    BINARY: a bit a voxel, frame after frame without a gap (PS3.5 8.1.1). FRACTIONAL: the most in the segment, 0 beyond.
    """
    pixels = b"".join(_some(labels, frames[start:start + _AT_ONCE], form)
                      for start in range(0, len(frames), _AT_ONCE))
    return pixels + b"\0" * (len(pixels) % 2)


def _some(labels: Labels, frames: Sequence[tuple[int, int]], form: Form) -> bytes:
    planes = _read(labels, [z for z, _ in frames])
    if form.type == "LABELMAP":
        return planes.astype(f"<u{form.bits // 8}", copy=False).tobytes()
    masks = planes == np.array([number for _, number in frames], labels.dtype)[:, None, None]
    if form.type == "BINARY":
        return np.packbits(masks, bitorder="little").tobytes()
    return (masks.view(np.uint8) * np.uint8(form.most)).tobytes()
