"""Pictures of a case: the right slice, both outlines, the true proportions."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from inference.evaluation.overlays import FOUND_COLOUR, TRUTH_COLOUR, picture
from inference.volume import Spacing

SHAPE = (5, 40, 40)
SPACING = Spacing(5.0, 1.0, 1.0)


def box(z: slice, y: slice, x: slice) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[z, y, x] = True
    return mask


def pixels(png: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(png))))


def coloured(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (image == colour).all(axis=-1)


def image() -> np.ndarray:
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def test_the_slice_with_most_truth_is_shown_and_where_there_is_none_most_found():
    truth = box(slice(1, 3), slice(5, 9), slice(5, 9)) | box(slice(2, 3), slice(5, 20), slice(5, 20))
    found = box(slice(4, 5), slice(5, 30), slice(5, 30))
    assert picture(image(), found, truth, SPACING)[1:] == (3, 5)
    assert picture(image(), found, np.zeros(SHAPE, bool), SPACING).slice_number == 5


def test_both_outlines_show_also_where_they_coincide():
    mask = box(slice(1, 3), slice(5, 25), slice(5, 25))
    shown = pixels(picture(image(), mask, mask, SPACING).png)
    truth, found = coloured(shown, TRUTH_COLOUR), coloured(shown, FOUND_COLOUR)
    assert truth.any()
    assert found.any()
    assert max(truth.sum(), found.sum()) < 2 * min(truth.sum(), found.sum())
    assert not (truth | found).all(axis=-1).any()


def test_only_an_outline_is_drawn_and_the_lesion_stays_in_sight():
    mask = box(slice(1, 3), slice(5, 25), slice(5, 25))
    shown = pixels(picture(image(), np.zeros(SHAPE, bool), mask, SPACING).png)
    assert coloured(shown, TRUTH_COLOUR).mean() < 0.05
    assert not coloured(shown, FOUND_COLOUR).any()


@pytest.mark.parametrize(("y", "x"), [(1.0, 1.0), (1.0, 2.0), (2.0, 1.0)])
def test_a_picture_has_the_proportions_of_the_patient(y, x):
    everything = np.ones(SHAPE, bool)
    height, width, _ = pixels(picture(image(), everything, everything, Spacing(5.0, y, x)).png).shape
    assert width / height == pytest.approx(x / y, rel=0.01)


def test_an_image_of_one_grey_is_no_trouble():
    assert pixels(picture(np.zeros(SHAPE), box(slice(1), slice(3), slice(3)), np.zeros(SHAPE, bool), SPACING).png).any()


def test_a_small_lesion_in_a_large_slice_is_seen_close():
    shape = (1, 300, 300)
    small = np.zeros(shape, bool)
    small[0, 100:106, 200:206] = True
    shown = pixels(picture(np.zeros(shape), small, small, Spacing(1.0, 1.0, 1.0)).png)
    lines = coloured(shown, TRUTH_COLOUR) | coloured(shown, FOUND_COLOUR)
    assert np.ptp(np.flatnonzero(lines.any(axis=0))) > 0.05 * shown.shape[1]
