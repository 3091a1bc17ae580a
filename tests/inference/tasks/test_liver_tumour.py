import numpy as np
import pytest

from inference import codes
from inference.errors import Unfit
from inference.tasks import LIVER_TUMOUR
from inference.tasks.liver_tumour import LIVER, TUMOUR, postprocess
from inference.volume import Grid, Volume

GRID = Grid((40, 40, 40), np.diag([2.0, 2, 2, 1]))


@pytest.fixture
def labels() -> np.ndarray:
    out = np.zeros(GRID.shape, dtype=np.uint8)
    out[5:25, 5:25, 5:25] = LIVER
    out[10:14, 10:14, 10:14] = TUMOUR
    return out


def test_labels_are_those_of_lits():
    assert [(s.label, s.type, s.per_lesion) for s in LIVER_TUMOUR.structures] == [
        (1, codes.LIVER, False), (2, codes.NEOPLASM, True)]
    assert [role.units for role in LIVER_TUMOUR.roles] == ["HU"]


def test_a_clean_liver_stays_as_it_is(labels):
    assert np.array_equal(postprocess(labels, GRID), labels)


def test_what_lies_apart_from_the_liver_goes(labels):
    labels[32:36, 32:36, 32:36] = LIVER
    labels[36:39, 5:9, 5:9] = TUMOUR
    assert not postprocess(labels, GRID)[30:].any()


def test_a_tumour_at_the_surface_stays(labels):
    labels[25:28, 10:14, 10:14] = TUMOUR
    assert (postprocess(labels, GRID)[25:28, 10:14, 10:14] == TUMOUR).all()


def test_specks_of_tumour_are_liver(labels):
    labels[20, 20, 20] = TUMOUR
    assert postprocess(labels, GRID)[20, 20, 20] == LIVER


def test_holes_are_liver(labels):
    labels[18:20, 18:20, 18:20] = 0
    assert (postprocess(labels, GRID)[18:20, 18:20, 18:20] == LIVER).all()


def test_signal_is_no_ct():
    with pytest.raises(Unfit, match="Hounsfield"):
        LIVER_TUMOUR.fitness({"CT": Volume(np.zeros(GRID.shape, np.float32), GRID, "signal")})


def test_tumours_of_a_model_without_liver_stand_for_themselves():
    labels = np.zeros(GRID.shape, dtype=np.uint8)
    labels[5:9, 5:9, 5:9] = labels[20:30, 20:30, 20:30] = TUMOUR
    labels[35, 35, 35] = TUMOUR
    cleaned = postprocess(labels, GRID)
    assert (cleaned[5:9, 5:9, 5:9] == TUMOUR).all()
    assert (cleaned[20:30, 20:30, 20:30] == TUMOUR).all()
    assert cleaned[35, 35, 35] == 0
