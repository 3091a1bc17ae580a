"""Paint on a grey slice: segments in their colours, the letters of orientation, words and a legend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from dicom_node.objects.places import DIRECTIONS
from inference.measure import shared_by_several

RGB: TypeAlias = tuple[int, int, int]

WHITE: RGB = (235, 235, 235)
AMBER: RGB = (255, 190, 60)
_BLACK: RGB = (0, 0, 0)
_OBLIQUE = 0.3  # share of a direction along a second axis from which on that is named, too
_FILL = 0.22


@dataclass(frozen=True)
class Segment:
    """How one segment is drawn and named."""

    number: int
    label: str
    rgb: RGB
    lesion: bool
    in_lung: bool


@dataclass(frozen=True)
class Lettering:
    """Sizes in pixels of what is written on a picture."""

    text: int
    letters: int  # of orientation
    margin: int
    stroke: int  # the dark rim that keeps words readable on white
    foot: int = 0  # kept free below the legend, for the letter at the lower edge

    @property
    def pitch(self) -> int:
        """From one line of text to the next."""
        return self.text * 4 // 3

    @property
    def legend_pitch(self) -> int:
        """From one row of the legend to the next."""
        return self.pitch + 2

    @property
    def indent(self) -> int:
        """Where the words of the legend begin: right of the patches of colour."""
        return self.margin + 2 * self.half_patch + round(self.text * 5 / 9)

    @property
    def half_patch(self) -> int:
        """Half the side of a legend's patch of colour."""
        return round(self.text * 4 / 9)


@dataclass(frozen=True)
class Words:
    """Lines for the upper left corner, and the legend for the lower left; an entry without colour has no patch."""

    lines: Sequence[tuple[str, RGB]]
    legend: Sequence[tuple[str, RGB | None]]


def paint_segments(grey: NDArray[np.uint8], found: Mapping[int, NDArray[np.bool_]], segments: Mapping[int, Segment],
                   rim: int) -> NDArray[np.uint8]:
    """RGB, shape (rows, columns, 3), of a grey slice and the masks found on it, all of one size."""
    canvas = np.repeat(grey[..., None], 3, axis=2).astype(np.float32)
    for number, mask in found.items():
        canvas = _tint(canvas, mask, segments[number].rgb, rim)
    return canvas.astype(np.uint8)


def _tint(canvas: NDArray[np.float32], mask: NDArray[np.bool_], rgb: RGB, rim: int) -> NDArray[np.float32]:
    """A see-through fill with an opaque rim, `rim` pixels wide, inside the mask."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-rim, rim):
            inner &= np.roll(mask, step, axis)
    colour = np.array(rgb, dtype=np.float32)
    out = canvas.copy()
    out[mask] = (1 - _FILL) * canvas[mask] + _FILL * colour
    out[mask & ~inner] = colour
    return out


def write_words(picture: Image.Image, plane: Dataset, words: Words, lettering: Lettering) -> None:
    """The letters of orientation at the edges, the words in their corners."""
    draw = ImageDraw.Draw(picture)
    text, letters = ImageFont.load_default(lettering.text), ImageFont.load_default(lettering.letters)
    width, height = picture.size
    margin, edge = lettering.margin, max(1, lettering.margin - 2)

    def write(place: tuple[float, float], what: str, colour: RGB, font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
              anchor: str) -> None:
        draw.text(place, what, fill=colour, font=font, anchor=anchor, stroke_width=lettering.stroke,
                  stroke_fill=_BLACK)

    left, right, top, bottom = sides(plane)
    below_lines = margin + lettering.pitch * len(words.lines) + 4
    for letter, place, anchor in ((left, (edge, height / 2), "lm"), (right, (width - edge, height / 2), "rm"),
                                  (top, (width / 2, below_lines), "ma"), (bottom, (width / 2, height - edge), "md")):
        write(place, letter, WHITE, letters, anchor)
    for row, (line, colour) in enumerate(words.lines):
        write((margin, margin + lettering.pitch * row), line, colour, text, "la")
    for row, (label, rgb) in enumerate(reversed(words.legend)):
        y = height - lettering.foot - 2 * margin - lettering.legend_pitch * row
        if rgb is not None:
            half = lettering.half_patch
            draw.rectangle((margin, y - half, margin + 2 * half, y + half), fill=rgb, outline=_BLACK)
        write((lettering.indent, y), label, WHITE, text, "lm")


def write_numbers(picture: Image.Image, found: Mapping[int, NDArray[np.bool_]], segments: Mapping[int, Segment],
                  lettering: Lettering) -> None:
    """Beside each lesion its number, where several have one colour and the legend tells nobody which is which.

    `found`: masks (rows, columns) of the picture's size. Regions of a lesion have its number once.
    """
    shown = [segments[number].rgb for number in found]
    if len(set(shown)) == len(shown):
        return
    lesions: dict[str, NDArray[np.bool_]] = {}
    for number, mask in found.items():
        segment = segments[number]
        named = re.search(r"\d+", segment.label) if not shared_by_several(segment.label) else None
        if named and segment.lesion and mask.any():
            lesions[named[0]] = lesions.get(named[0], False) | mask
    draw, font, gap = ImageDraw.Draw(picture), ImageFont.load_default(lettering.text), lettering.stroke + 2
    for name, mask in lesions.items():
        rows, columns = np.nonzero(mask)
        on_right = columns.max() + gap + font.getlength(name) < picture.width
        x, anchor = (columns.max() + gap, "lm") if on_right else (columns.min() - gap, "rm")
        y = min(max(rows.mean(), lettering.text), picture.height - lettering.text)
        draw.text((float(x), float(y)), name, fill=WHITE, font=font, anchor=anchor, stroke_width=lettering.stroke,
                  stroke_fill=_BLACK)


def sides(plane: Dataset) -> tuple[str, str, str, str]:
    """What lies left, right, top and bottom of a picture: R, L, A, P, H or F (PS3.3 C.7.6.1.1.1).

    Several letters where a picture is oblique, the nearest side first: so no two sides of one are called alike.
    """
    row, column = np.array(plane.ImageOrientationPatient, dtype=float).reshape(2, 3)
    (left, right), (top, bottom) = (_ends(direction) for direction in (row, column))
    return left, right, top, bottom


def _ends(direction: NDArray[np.float64]) -> tuple[str, str]:
    axes = [axis for axis in np.argsort(-np.abs(direction)) if abs(direction[axis]) > _OBLIQUE]
    minus, plus = ("".join(DIRECTIONS[axis][int(direction[axis] * way > 0)] for axis in axes) for way in (-1, 1))
    return minus, plus
