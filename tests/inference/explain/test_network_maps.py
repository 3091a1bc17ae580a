"""Maps come back on the source's own voxels, whichever way it was scanned."""

import numpy as np
import pytest

from inference import sliding
from inference.backends.base import Target
from inference.errors import ModelError
from inference.explain.network_maps import gate_maps, grad_cam_map, on_working_grid
from inference.recipe import Output, Region
from inference.sliding import Sliding
from inference.volume import Grid

OUTPUT = Output(activation="sigmoid", regions=[
    Region(name="organ", label=1, members=[1]), Region(name="tumour", label=2, members=[2])])
WINDOW = Sliding((16, 16, 16))


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    monkeypatch.setattr(sliding, "cpu_has_bfloat16", lambda: False)


def quiet(fraction: float, step: str) -> None:
    """Progress that nobody asks for."""


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth))


def off_mm(found: np.ndarray, truth: np.ndarray, grid: Grid) -> float:
    """How far their centres lie apart; half a deep voxel would be 1.4 mm and more."""
    here, there = (grid.to_lps(np.argwhere(mask).mean(axis=0)) for mask in (found, truth))
    return float(np.abs(here - there).max())


def test_gates_are_open_where_the_ball_is(balls, gated, orientation):
    volume, inside, prepared = balls(orientation)
    maps = gate_maps(gated, prepared, WINDOW, quiet)
    assert list(maps) == ["attention-gate-1"]
    found = maps["attention-gate-1"]
    assert found.shape == volume.grid.shape
    assert found.dtype == np.float16
    assert overlap(found > 0.5, inside) > 0.8  # the gate sees blocks of two voxels, which begin where windows do
    assert off_mm(found > 0.5, inside, volume.grid) < 0.7


def test_grad_cam_lights_where_the_ball_is(balls, pooled, orientation):
    volume, inside, prepared = balls(orientation, channels=2)
    (found,) = grad_cam_map(pooled(), prepared, OUTPUT, Target(inside, 2), WINDOW).values()
    assert found.shape == volume.grid.shape
    assert overlap(found > 0.5, inside) > 0.85
    assert off_mm(found > 0.5, inside, volume.grid) < 0.7


def test_a_finding_of_one_voxel_keeps_one_at_its_place(balls, orientation):
    volume, _, prepared = balls(orientation)
    mask = np.zeros(volume.grid.shape, bool)
    mask[7, 11, 5] = True
    (at,) = np.argwhere(on_working_grid(mask, prepared))
    off = prepared.grid.to_index(volume.grid.to_lps((7, 11, 5))) - at
    assert np.abs(off).max() <= 0.5


def test_what_cannot_be_asked_is_told(balls, pooled):
    _, inside, prepared = balls("axial", channels=2)
    with pytest.raises(ModelError, match="no channel for label 7"):
        grad_cam_map(pooled(), prepared, OUTPUT, Target(inside, 7), WINDOW)
    with pytest.raises(ModelError, match="is none of a source of"):
        grad_cam_map(pooled(), prepared, OUTPUT, Target(inside[1:], 1), WINDOW)
    with pytest.raises(ModelError, match="outside of what the network looked at"):
        grad_cam_map(pooled(), prepared, OUTPUT, Target(np.zeros_like(inside), 1), WINDOW)


def test_a_network_without_gates_has_no_maps_of_them(balls, pooled):
    _, _, prepared = balls("axial", channels=2)
    assert gate_maps(pooled(), prepared, WINDOW, quiet) == {}
