import numpy as np
import pytest

from inference.phantom.ct_canvas import STEP_MM, Box, Canvas, Point, cut, join, largest_part, spread, weights

BOX = Box(Point(-20, -30, -40), Point(20, 30, 40))


@pytest.fixture
def canvas():
    return Canvas(BOX, np.random.default_rng(0), warp_mm=0.0)


@pytest.mark.parametrize("smooth", [False, True])
def test_interpolation_weights_add_up_and_meet_the_sources(smooth):
    sources = np.arange(0, 11, 2.0)
    matrix = weights(sources, np.array([0, 1, 4, 9.5, 10, 12]), smooth=smooth)
    assert matrix.sum(axis=1) == pytest.approx(1)
    assert (matrix @ sources)[[0, 2, 4]] == pytest.approx([0, 4, 10])
    assert (matrix @ sources)[-1] == pytest.approx(10), "beyond the last source the last one counts"


def test_a_ramp_stays_a_ramp_on_another_lattice():
    coarse = np.arange(4.0)[:, None, None] * np.ones((4, 3, 3), np.float32)
    fine = np.linspace(0, 3, 7)
    identity = np.eye(3, dtype=np.float32)
    assert spread(coarse, weights(np.arange(4.0), fine), identity, identity)[:, 1, 1] == pytest.approx(fine)


def test_the_canvas_begins_as_air_and_covers_its_box(canvas):
    assert np.all(canvas.hu == -1000)
    for axis, low, high in zip((canvas.xs, canvas.ys, canvas.zs), BOX.low, BOX.high, strict=True):
        assert axis[0] == low
        assert axis[-1] >= high
        assert np.ptp(axis[:2]) == STEP_MM


def test_depth_is_millimetres_below_the_surface(canvas):
    depth = canvas.ellipsoid(Point(0, 0, 0), Point(10, 10, 10))
    distance = np.sqrt(canvas.x**2 + canvas.y**2 + canvas.z**2)
    assert depth[distance > 0.1] == pytest.approx((10 - distance)[distance > 0.1], abs=1e-3)


def test_painting_covers_the_volume_of_the_shape(canvas):
    cover = canvas.paint(canvas.ellipsoid(Point(0, 0, 0), Point(12, 15, 20)), 100.0)
    assert cover.sum() * STEP_MM**3 == pytest.approx(4 / 3 * np.pi * 12 * 15 * 20, rel=0.05)
    assert canvas.hu.max() == pytest.approx(100)


def test_shapes_are_joined_and_cut(canvas):
    left, right = canvas.column(-6, 0, 8, 8), canvas.column(6, 0, 8, 8)
    assert np.all(join(left, right, 2) >= np.maximum(left, right) - 1e-4)
    assert not np.any((cut(left, right) > 0) & (right > 0))


def test_only_the_largest_part_stays(canvas):
    large = canvas.ellipsoid(Point(0, -15, 0), Point(12, 12, 12))
    two = np.maximum(large, canvas.ellipsoid(Point(0, 20, 0), Point(5, 5, 5)))
    left = largest_part(two)
    assert np.any(left[canvas.y < 0] > 0)
    assert not np.any(left[np.broadcast_to(canvas.y > 10, left.shape)] > 0)


def test_places_are_drawn_where_the_shape_is_deep_enough(canvas):
    ball = canvas.ellipsoid(Point(4, 0, -10), Point(10, 10, 10))
    place = canvas.place_within(ball, 6.0)
    assert np.linalg.norm(np.subtract(place, (4, 0, -10))) <= 4.5
    assert canvas.place_within(ball, 11.0) is None
    assert canvas.within(ball, 0.0)(np.array([place, (4, 28, -10), (400, 0, 0)])).tolist() == [True, False, False]


def test_noise_has_unit_variance_and_follows_the_seed():
    first, again = (Canvas(BOX, np.random.default_rng(5)).noise(12.0) for _ in range(2))
    assert first.std() == pytest.approx(1, abs=1e-3)
    assert np.array_equal(first, again)
