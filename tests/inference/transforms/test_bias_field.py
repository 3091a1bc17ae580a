import numpy as np
import pytest

from inference.transforms.bias_field import correct_bias
from inference.volume import Spacing, Volume


@pytest.fixture
def ball(volume_of) -> Volume:
    """Two tissues in a ball of 160 mm in air."""
    volume = volume_of("sagittal", Spacing(4.0, 4.0, 4.0), (50, 50, 50), "signal")
    z, y, x = np.indices(volume.grid.shape)
    radius = np.sqrt((z - 25) ** 2 + (y - 25) ** 2 + (x - 25) ** 2)
    array = np.where(radius < 20, 600.0, 0.0) + np.where(radius < 12, 300.0, 0.0)
    noise = np.random.default_rng(0).normal(0, 5, array.shape)
    return volume.with_array((array + noise).clip(0).astype(np.float32))


def spread(volume: Volume, mask: np.ndarray) -> float:
    return float(volume.array[mask].std() / volume.array[mask].mean())


def test_shading_is_divided_out(ball):
    z = np.linspace(-1, 1, ball.grid.shape[0])[:, None, None]
    shaded = ball.with_array((ball.array * np.exp(0.5 * z)).astype(np.float32))
    tissue = (ball.array > 500) & (ball.array < 700)
    assert spread(correct_bias(shaded), tissue) < 0.4 * spread(shaded, tissue)


def test_place_and_shape_stay(ball):
    out = correct_bias(ball)
    assert out.grid is ball.grid
    assert out.array.shape == ball.array.shape
    assert np.isfinite(out.array).all()


def test_an_empty_image_stays_empty(volume_of):
    volume = volume_of(units="signal")
    assert not correct_bias(volume.with_array(np.zeros_like(volume.array))).array.any()
