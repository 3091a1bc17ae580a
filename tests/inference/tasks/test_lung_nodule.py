import numpy as np
import pytest

from inference import codes
from inference.errors import Unfit
from inference.tasks import LUNG_NODULE
from inference.tasks.lung_nodule import NODULE, postprocess
from inference.volume import Grid, Volume

GRID = Grid((30, 30, 30), np.eye(4))


def test_each_nodule_is_a_finding_of_the_lung():
    (nodule,) = LUNG_NODULE.structures
    assert (nodule.label, nodule.type, nodule.region, nodule.per_lesion) == (1, codes.NODULE, codes.LUNG, True)


def test_what_is_smaller_than_a_sphere_of_3_mm_goes():
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[2:4, 2:4, 2:4] = NODULE  # 8 mm3
    labels[10:13, 10:13, 10:13] = NODULE  # 27 mm3
    out = postprocess(labels, GRID)
    assert not out[:5].any()
    assert np.count_nonzero(out) == 27


def test_nothing_found_stays_nothing():
    assert not postprocess(np.zeros(GRID.shape, np.uint8), GRID).any()


def test_a_ct_without_air_is_not_in_hounsfield_units():
    with pytest.raises(Unfit, match="Hounsfield"):
        LUNG_NODULE.fitness({"CT": Volume(np.full(GRID.shape, 40.0, np.float32), GRID, "HU")})
