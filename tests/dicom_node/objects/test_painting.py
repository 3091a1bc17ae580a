"""Paint lies where the mask is, and words where they hide least."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from dicom_node.objects.painting import (
    AMBER,
    Lettering,
    Segment,
    Words,
    paint_segments,
    sides,
    write_numbers,
    write_words,
)

LESION = Segment(2, "Tumour", (255, 0, 200), lesion=True, in_lung=False)


def painted(rim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    grey = np.random.default_rng(1).integers(60, 120, (40, 50), dtype=np.uint8)
    mask = np.zeros(grey.shape, bool)
    mask[10:20, 30:45] = True
    return grey, mask, paint_segments(grey, {2: mask}, {2: LESION}, rim)


@pytest.mark.parametrize("rim", [1, 2])
def test_pixels_that_are_not_grey_are_the_masks(rim: int) -> None:
    grey, mask, picture = painted(rim)
    assert picture.shape == (40, 50, 3)
    assert np.array_equal((picture != grey[..., None]).any(axis=2), mask)


@pytest.mark.parametrize("rim", [1, 2])
def test_the_rim_is_opaque_and_inside_the_anatomy_shows_through(rim: int) -> None:
    grey, _, picture = painted(rim)
    opaque = (picture == LESION.rgb).all(axis=2)
    assert opaque.sum() == 10 * 15 - (10 - 2 * rim) * (15 - 2 * rim)
    inside = picture[10 + rim:20 - rim, 30 + rim:45 - rim, 1].astype(int)
    assert np.corrcoef(inside.ravel(), grey[10 + rim:20 - rim, 30 + rim:45 - rim].ravel())[0, 1] > 0.99


def plane(*orientation: float) -> Dataset:
    made = Dataset()
    made.ImageOrientationPatient = list(orientation)
    return made


@pytest.mark.parametrize(("orientation", "expected"), [
    ((1, 0, 0, 0, 1, 0), ("R", "L", "A", "P")),
    ((-1, 0, 0, 0, 1, 0), ("L", "R", "A", "P")),
    ((1, 0, 0, 0, 0, -1), ("R", "L", "H", "F")),
    ((0, 0.98, -0.2, 0, -0.2, -0.98), ("A", "P", "H", "F")),
    ((0.6, 0.71, 0.36, -0.77, 0.64, 0.01), ("ARF", "PLH", "LA", "RP")),  # by one letter P would be right and below
])
def test_sides_are_named_from_the_patient(orientation: tuple, expected: tuple) -> None:
    assert sides(plane(*orientation)) == expected


def test_lines_stand_above_the_legend_below_and_letters_at_the_edges() -> None:
    picture = Image.new("RGB", (200, 160))
    words = Words([("A line", AMBER)], [("Tumour", LESION.rgb), ("and 3 more", None)])
    write_words(picture, plane(1, 0, 0, 0, 1, 0), words, Lettering(text=10, letters=12, margin=6, stroke=1))
    pixels = np.asarray(picture)
    lit = pixels.max(axis=2) > 100
    assert lit[:20, :60].any()
    assert lit[-45:, :80].any()
    assert lit[70:90, :20].any()
    assert lit[70:90, -20:].any()
    assert lit[-20:, 90:110].any()
    assert not lit[50:110, 40:160].any()
    patches = np.argwhere((pixels == LESION.rgb).all(axis=2))
    assert len(patches)
    assert patches[:, 1].max() < 20


LETTERING = Lettering(text=10, letters=12, margin=6, stroke=1)
SQUARES = {"left": np.s_[40:60, 30:50], "right": np.s_[40:60, 120:140], "corner": np.s_[0:12, 188:200]}


def numbered(*named: tuple[str, str, tuple[int, int, int]]) -> np.ndarray:
    """Where something is written of lesions at a square, by label, in a colour; nothing else is on the picture."""
    picture, found, segments = Image.new("RGB", (200, 160)), {}, {}
    for number, (square, label, rgb) in enumerate(named, start=1):
        found[number] = np.zeros((160, 200), bool)
        found[number][SQUARES[square]] = True
        segments[number] = Segment(number, label, rgb, lesion=True, in_lung=True)
    write_numbers(picture, found, segments, LETTERING)
    return np.asarray(picture).max(axis=2) > 100


YELLOW, RED, BLUE = (255, 255, 0), (255, 0, 0), (0, 0, 255)


def test_lesions_of_one_colour_are_told_apart_by_their_numbers_beside_them() -> None:
    lit = numbered(("left", "Nodule 1", YELLOW), ("right", "Nodule 12", YELLOW))
    one, twelve = lit[:, :90], lit[:, 110:]
    assert one.any()
    assert twelve.sum() > one.sum()
    assert not lit[SQUARES["left"]].any(), "what is found stays free"
    assert not lit[SQUARES["right"]].any()


def test_a_number_stays_on_the_picture() -> None:
    lit = numbered(("left", "Nodule 1", YELLOW), ("corner", "Nodule 2", YELLOW))
    assert lit[:40, 160:].any()
    assert not lit[SQUARES["corner"]].any()


@pytest.mark.parametrize("named", [
    [("left", "Nodule 1", YELLOW)],
    [("left", "Lesion 1 oedema", BLUE), ("right", "Lesion 1 enhancing tumour", RED)],
    [("left", "Nodule", YELLOW), ("right", "Nodule, 11 small ones", YELLOW)],
])
def test_what_its_colour_tells_or_has_no_number_gets_none(named: list) -> None:
    assert not numbered(*named).any()


def test_regions_of_a_lesion_have_its_number_once() -> None:
    oedemas = [("left", "Lesion 1 oedema", BLUE), ("right", "Lesion 2 oedema", BLUE)]
    assert np.array_equal(numbered(*oedemas, ("right", "Lesion 2 core", RED)), numbered(*oedemas))
