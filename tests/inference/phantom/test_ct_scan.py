from dataclasses import replace

import numpy as np
import pytest

from inference.phantom.ct_canvas import Box, Canvas, Point
from inference.phantom.ct_scan import SHARP, SOFT, Detail, Scan, draw_scan, expose
from inference.volume import Spacing

SCAN = Scan(Box(Point(-20, -20, 0), Point(19, 19, 18)), matrix=40, slices=7, spacing=Spacing(3.0, 1.0, 1.0),
            kernel=SOFT[0], noise_hu=0.0, prone=False)


def detail_of(scan=SCAN, hu=None):
    canvas = Canvas(scan.box, np.random.default_rng(0), warp_mm=0.0)
    canvas.hu[:] = canvas.x if hu is None else hu
    return Detail(canvas, scan)


def test_thick_slices_are_averaged_over_thin_layers():
    detail = detail_of()
    assert detail.shape == (14, 40, 40)
    layers = np.arange(14, dtype=np.float32)[:, None, None] * np.ones((1, 40, 40), np.float32)
    assert detail.thicken(layers)[:, 0, 0] == pytest.approx(np.arange(0.5, 14, 2))


def test_the_grid_puts_voxels_where_they_were_drawn():
    scan = SCAN
    image = expose(detail_of(scan), np.random.default_rng(0))
    x = scan.grid("1.2").to_lps([[3, 20, i] for i in range(5, 35)])[:, 0]
    assert image[3, 20, 5:35] == pytest.approx(x, abs=0.6)


def test_a_prone_patient_is_the_same_patient_on_another_grid():
    prone = replace(SCAN, prone=True)
    image = expose(detail_of(prone), np.random.default_rng(0))
    grid = prone.grid("1.2")
    assert grid.directions[:, 2].tolist() == [-1, 0, 0]
    assert np.linalg.det(grid.affine[:3, :3][:, ::-1]) > 0
    x = grid.to_lps([[3, 20, i] for i in range(5, 35)])[:, 0]
    assert image[3, 20, 5:35] == pytest.approx(x, abs=0.6)


@pytest.mark.parametrize("kernel", [SOFT[0], SHARP[0]])
def test_noise_has_the_scan_s_sigma_and_grain(kernel):
    image = expose(detail_of(replace(SCAN, kernel=kernel, noise_hu=20.0), 40.0), np.random.default_rng(0)).astype(float)
    assert image.std() == pytest.approx(20, rel=0.1)
    neighbours = np.corrcoef(image[:, :, 1:].ravel(), image[:, :, :-1].ravel())[0, 1]
    assert (neighbours > 0.2) != kernel.sharp


def test_a_window_holds_the_voxels_around_a_point():
    detail = detail_of()
    window, (x, y, z) = detail.around(Point(5, 0, 9), 4.0)
    assert detail.hu[window].shape == (z.size, y.size, x.size)
    assert min(x.min(), y.min(), z.min()) <= -4
    assert max(x.max(), y.max(), z.max()) >= 4
    layers, _, slices = detail.around_slices(Point(5, 0, 9), 4.0)
    assert layers[0] == slice(2 * slices[0].start, 2 * slices[0].stop)


def test_scans_vary_within_what_scanners_do():
    scans = [draw_scan(np.random.default_rng(k), 330.0, (0, 200), 2.5, SOFT) for k in range(40)]
    assert {s.matrix for s in scans} >= {352, 384}
    assert all(0.6 <= s.spacing.x <= 0.96 and 8 <= s.noise_hu <= 35 and s.slices == 80 for s in scans)
    assert any(s.prone for s in scans)
