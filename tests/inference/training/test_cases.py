"""Phantoms are drawn once, kept, and cut into patches."""

import os
import resource
import shutil

import numpy as np
import pytest

from inference.errors import DataError
from inference.training.cases import ABANDONED_S, Case, choose_place, cut, draw_cases


@pytest.fixture
def case() -> Case:
    labels = np.zeros((10, 12, 14), np.uint8)
    labels[4, 5, 6] = 2
    image = np.arange(labels.size, dtype=np.float16).reshape(1, *labels.shape)
    everywhere = np.argwhere(labels >= 0).astype(np.int16)
    return Case(1, image, labels, np.ones(labels.shape, bool), {0: everywhere, 2: np.array([[4, 5, 6]], np.int16)})


def test_a_case_is_drawn_once_and_then_read(balls, settings, cache):
    recipe = settings().recipe
    first = draw_cases("lung_nodule", recipe, [1, 2], cache, workers=1)
    again = draw_cases("lung_nodule", recipe, [2, 1, 3], cache, workers=1)
    assert balls == [1, 2, 3]
    assert [case.seed for case in again] == [2, 1, 3]
    assert np.array_equal(again[1].image, first[0].image)
    assert again[0].image.dtype == np.float16


def test_a_case_keeps_no_file_open(balls, settings, cache):
    """A data set has more cases than a process may have files."""
    kept = draw_cases("lung_nodule", settings().recipe, [1, 2], cache, workers=1)
    assert not kept[0].image.flags.writeable
    open_files = {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
    assert not [name for name in open_files if str(cache) in name]


def test_another_recipe_draws_anew(balls, settings, cache):
    recipe = settings().recipe
    for spacing in ((2, 2, 2), (3, 3, 3)):
        draw_cases("lung_nodule", recipe.model_copy(update={"spacing_mm": spacing}), [1], cache, workers=1)
    assert balls == [1, 1]


def test_progress_counts_every_case(balls, settings, cache):
    told = []
    draw_cases("lung_nodule", settings().recipe, [1], cache, workers=1)
    draw_cases("lung_nodule", settings().recipe, [1, 2, 3], cache, workers=1, progress=told.append)
    assert told == [2, 3]


def test_places_lie_on_their_label(balls, settings, cache):
    case, empty = draw_cases("lung_nodule", settings().recipe, [1, 7], cache, workers=1)
    assert set(case.places) == {0, 1}
    assert (case.labels[tuple(case.places[1].T)] == 1).all()
    assert set(empty.places) == {0}


def test_a_patch_lies_around_its_voxel_and_stays_inside(case):
    image, labels = cut(case, np.array([4, 5, 6]), (4, 4, 4))
    assert labels[2, 2, 2] == 2
    assert np.array_equal(image[0], case.image[0, 2:6, 3:7, 4:8])
    at_the_corner, _ = cut(case, np.array([0, 0, 13]), (4, 4, 4))
    assert np.array_equal(at_the_corner[0], case.image[0, :4, :4, 10:])


def test_a_case_smaller_than_the_patch_gets_zeros_beside_it(case):
    image, labels = cut(case, np.array([4, 5, 6]), (16, 12, 14))
    assert image.shape == (1, 16, 12, 14)
    assert image.sum() == pytest.approx(float(case.image.astype(np.float64).sum()), rel=1e-3)
    assert np.count_nonzero(labels) == 1


def test_lesions_are_looked_at_as_often_as_asked(case):
    rng = np.random.default_rng(0)
    hits = sum(np.array_equal(choose_place(case, 0.5, rng), (4, 5, 6)) for _ in range(200))
    assert 70 < hits < 130
    assert {tuple(choose_place(case, 1.0, rng)) for _ in range(5)} == {(4, 5, 6)}


def test_what_a_killed_process_had_begun_is_taken_away(balls, settings, cache):
    recipe = settings().recipe
    draw_cases("lung_nodule", recipe, [1], cache, workers=1)
    (kept,) = cache.iterdir()
    left, going_on = (cache / f".{kept.name}-{number}" for number in (1, 2))
    left.mkdir()
    going_on.mkdir()
    long_ago = left.stat().st_mtime - 2 * ABANDONED_S
    os.utime(left, (long_ago, long_ago))
    shutil.rmtree(kept)
    draw_cases("lung_nodule", recipe, [1], cache, workers=1)
    assert set(cache.iterdir()) == {kept, going_on}


def test_a_full_disk_is_said_and_keeps_no_half_of_a_case(balls, settings, cache):
    """A limit on the size of files stands in for the disk: writing stops in the middle in the same way."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"holds no further prepared case, which takes 0\.1 MB .*: name a --cache"):
            draw_cases("lung_nodule", settings().recipe, [1], cache, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(cache.iterdir()) == []
    draw_cases("lung_nodule", settings().recipe, [1], cache, workers=1)
