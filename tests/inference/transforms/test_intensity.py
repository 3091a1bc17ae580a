import numpy as np
import pytest

from inference.transforms.intensity import window, zscore


def test_a_window_runs_from_zero_to_one():
    assert window(np.array([-2000, -100, 50, 200, 3000]), -100, 200).tolist() == [0, 0, 0.5, 1, 1]
    assert window(np.zeros(2), 0, 1).dtype == np.float32


def test_a_window_leaves_its_input_alone():
    values = np.array([5.0, 7.0], dtype=np.float32)
    window(values, 0, 10)
    assert values.tolist() == [5, 7]


def test_a_window_without_width_is_refused():
    with pytest.raises(ValueError, match="window"):
        window(np.zeros(1), 5, 5)


def test_zscore_counts_only_what_lies_inside_the_mask():
    values = np.array([1000.0, 1, 2, 3, -1000])
    mask = np.array([False, True, True, True, False])
    out = zscore(values, mask)
    assert out[mask].mean() == pytest.approx(0, abs=1e-6)
    assert out[mask].std() == pytest.approx(1, abs=1e-6)
    assert out[~mask].tolist() == [0, 0]


def test_zscore_can_be_clipped():
    assert np.abs(zscore(np.array([0.0] * 99 + [100.0]), clip=3.0)).max() == pytest.approx(3)


@pytest.mark.parametrize("mask", [None, np.zeros(4, bool)])
def test_nothing_to_scale_gives_zeros(mask):
    assert zscore(np.full(4, 7.0), mask).tolist() == [0, 0, 0, 0]
