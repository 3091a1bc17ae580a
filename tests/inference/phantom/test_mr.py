import numpy as np
import pytest

from inference.phantom.mr import PLANES, Protocol, acquire, sample
from inference.volume import Grid, Spacing, regular_affine


@pytest.mark.parametrize("plane", PLANES)
def test_every_plane_is_right_handed_along_row_times_column(plane):
    slices, rows, columns = PLANES[plane].T
    assert np.allclose(np.cross(columns, rows), slices)


def test_radiologists_see_the_head_upright_and_the_nose_where_it_belongs():
    assert PLANES["axial"][:, 1].tolist() == [0, 1, 0]  # rows run to the back
    assert PLANES["sagittal"][:, 1].tolist() == [0, 0, -1]  # rows run to the feet
    assert PLANES["coronal"][:, 2].tolist() == [1, 0, 0]  # columns run to the patient's left


def test_a_protocol_lays_its_grid_about_the_centre():
    protocol = Protocol("sagittal", Spacing(4, 1, 1), 4, (80, 100, 120), False, centre=(3.0, 4.0, 5.0))
    grid = protocol.grid(np.eye(3), "1.2.3")
    assert grid.shape == (20, 100, 120)
    assert grid.frame_of_reference_uid == "1.2.3"
    assert np.allclose(grid.to_lps([9.5, 49.5, 59.5]), (3, 4, 5))


def cube(shape, spacing):
    return Grid(shape, regular_affine((0, 0, 0), PLANES["axial"], Spacing(*spacing)))


def test_sampling_the_canvas_on_its_own_grid_changes_nothing():
    canvas = np.random.default_rng(0).random((8, 9, 10), dtype=np.float32)
    grid = cube((8, 9, 10), (1, 1, 1))
    assert np.allclose(sample(canvas, grid.affine, grid, 1.0), canvas)


def test_thick_slices_average_along_the_slice_axis_only():
    canvas = np.zeros((20, 20, 20), np.float32)
    canvas[10, 10, 10] = 1.0
    grid = cube((20, 20, 20), (1, 1, 1))
    thick = sample(canvas, grid.affine, grid, 5.0)
    assert thick[:, 10, 10].sum() == pytest.approx(1)
    assert thick[10, 10, 10] == pytest.approx(0.2)
    assert thick[10, 11, 10] == 0


def test_an_acquired_image_holds_whole_numbers_that_fit_stored_pixels():
    signal = np.linspace(0, 1.3, 4000, dtype=np.float32).reshape(10, 20, 20)
    image = acquire(signal, Spacing(3, 1, 1), np.random.default_rng(1))
    assert image.dtype == np.float32
    assert np.array_equal(image, np.round(image))
    assert image.min() >= 0
    assert image.max() < 32768
