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


def test_aligned_volumes_lie_where_the_patient_lay_during_the_primary_series(brain_case):
    aligned = brain_case.aligned()
    assert aligned["T1ce"].grid.matches(brain_case.grid)
    for role, moved in brain_case.motion.items():
        index = np.array([3.0, 40.0, 50.0])
        place = np.append(aligned[role].grid.to_lps(index), 1)
        assert np.allclose((moved @ place)[:3], brain_case.volumes[role].grid.to_lps(index))
        assert aligned[role].array is brain_case.volumes[role].array


def test_registration_that_is_not_perfect_leaves_every_moved_role_a_little_off(brain_case):
    exact, slack = brain_case.aligned(), brain_case.aligned(slack_mm=0.7)
    assert slack["T1ce"].grid.matches(brain_case.grid)
    for role in brain_case.motion:
        off = np.abs(slack[role].grid.origin - exact[role].grid.origin)
        assert 0 < off.max() <= 0.7
