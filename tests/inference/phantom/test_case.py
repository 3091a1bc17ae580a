import numpy as np
import pytest

from inference.phantom import PhantomCase
from inference.volume import Grid, Volume


def case(truth_shape):
    grid = Grid((2, 3, 4), np.eye(4))
    return PhantomCase("brain_tumour", 0, "T1ce", {"T1ce": Volume(np.zeros((2, 3, 4), np.float32), grid)},
                       np.zeros(truth_shape, np.uint8), (), {})


def test_a_case_knows_the_grid_of_its_truth():
    assert case((2, 3, 4)).grid.shape == (2, 3, 4)


def test_truth_off_the_primary_grid_is_refused():
    with pytest.raises(ValueError, match="primary grid"):
        case((2, 3, 5))
