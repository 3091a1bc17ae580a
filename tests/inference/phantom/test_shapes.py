import numpy as np
import pytest

from inference.phantom.shapes import axes, box_around, ellipsoid, lumpy_ellipsoid, rician, rotation, smooth_noise, tube


def rng():
    return np.random.default_rng(7)


def test_axes_are_centred_millimetres():
    z, _, x = axes((3, 5, 7), 2.0)
    assert z.ravel().tolist() == [-2.0, 0.0, 2.0]
    assert x.shape == (1, 1, 7)
    assert x.ravel()[0] == -6.0


def test_smooth_noise_is_repeatable_unit_and_smooth_over_its_wavelength():
    coarse, fine = (smooth_noise((40, 40, 40), w, rng()) for w in (30, 6))
    assert np.array_equal(coarse, smooth_noise((40, 40, 40), 30, rng()))
    assert coarse.mean() == pytest.approx(0, abs=1e-4)
    assert coarse.std() == pytest.approx(1, abs=1e-4)
    assert np.abs(np.diff(coarse, axis=0)).mean() < 0.4 * np.abs(np.diff(fine, axis=0)).mean()


def test_smooth_noise_fills_shapes_smaller_than_its_wavelength():
    assert smooth_noise((1, 3, 50), 20, rng()).shape == (1, 3, 50)


def test_an_ellipsoid_is_one_on_its_surface():
    points = axes((21, 21, 21), 1.0)
    radius = ellipsoid(points, (0, 0, 0), (4, 6, 8))
    assert radius[14, 10, 10] == pytest.approx(1)
    assert radius[10, 16, 10] == pytest.approx(1)
    assert radius[10, 10, 18] == pytest.approx(1)


def test_a_lumpy_ellipsoid_stays_within_its_irregularity():
    points = axes((31, 31, 31), 1.0)
    smooth = ellipsoid(points, (0, 0, 0), (8, 8, 8))
    lumpy = lumpy_ellipsoid(points, (0, 0, 0), (8, 8, 8), smooth_noise((31, 31, 31), 8, rng()), 0.3)
    assert (np.abs(lumpy - smooth) <= 0.3 * smooth + 1e-5).all()
    assert (lumpy < 1).sum() != (smooth < 1).sum()


def test_a_tube_measures_the_distance_to_its_wall():
    distance = tube(axes((21, 21, 21), 1.0), [(-5, 0, 0), (5, 0, 0)], [2, 2])
    assert distance[10, 10, 10] == pytest.approx(-2)
    assert distance[10, 10, 15] == pytest.approx(3)
    assert distance[20, 10, 10] == pytest.approx(3)


def test_a_tube_of_one_node_is_refused():
    with pytest.raises(ValueError, match="two nodes"):
        tube(axes((3, 3, 3), 1.0), [(0, 0, 0)], [1])


def test_a_box_holds_what_lies_between_and_never_is_empty():
    mesh = axes((11, 11, 11), 1.0)
    assert box_around(mesh, (-2, -9, 0), (2.5, 9, 1.5)) == (slice(3, 8), slice(0, 11), slice(5, 7))
    outside = box_around(mesh, (90, 90, 90), (99, 99, 99))
    assert all(s.stop - s.start == 1 for s in outside)


def test_rotations_are_rigid():
    turn = rotation((10, -20, 30))
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)
    assert np.allclose(rotation((90, 0, 0)) @ [0, 1, 0], [0, 0, 1])


def test_rician_noise_lifts_the_background_and_leaves_bright_signal():
    dark, bright = (rician(np.full((20, 20, 20), s, np.float32), 0.1, rng()) for s in (0.0, 5.0))
    assert dark.min() >= 0
    assert dark.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.05)
    assert bright.mean() == pytest.approx(5, rel=0.01)
