import numpy as np
import pytest

from inference import codes
from inference.errors import Unfit
from inference.tasks import BRAIN_TUMOUR
from inference.tasks.brain_tumour import ENHANCING, NECROTIC_CORE, OEDEMA, postprocess
from inference.volume import Grid, Volume

GRID = Grid((30, 30, 30), np.eye(4))


@pytest.fixture
def labels() -> np.ndarray:
    out = np.zeros(GRID.shape, dtype=np.uint8)
    out[5:20, 5:20, 5:20] = OEDEMA
    out[8:16, 8:16, 8:16] = ENHANCING
    out[10:14, 10:14, 10:14] = NECROTIC_CORE
    return out


def test_inputs_and_labels_are_those_of_brats_2023():
    assert [role.name for role in BRAIN_TUMOUR.roles] == ["T1", "T1ce", "T2", "FLAIR"]
    assert BRAIN_TUMOUR.primary == "T1ce"
    assert {s.label: s.type for s in BRAIN_TUMOUR.structures} == {
        1: codes.NECROSIS, 2: codes.EDEMA, 3: codes.ENHANCING_LESION}
    assert dict(BRAIN_TUMOUR.totals) == {"Whole tumour": (1, 2, 3), "Tumour core": (1, 3)}


def test_a_clean_tumour_stays_as_it_is(labels):
    before = labels.copy()
    assert np.array_equal(postprocess(labels, GRID), before)
    assert np.array_equal(labels, before)


def test_crumbs_go(labels):
    labels[28:, 28:, 28:] = OEDEMA
    assert not postprocess(labels, GRID)[28:, 28:, 28:].any()


def test_a_speck_of_enhancement_is_no_enhancing_tumour(labels):
    labels[labels == ENHANCING] = NECROTIC_CORE
    labels[9, 9, 9] = ENHANCING
    assert not (postprocess(labels, GRID) == ENHANCING).any()


def test_a_hole_in_the_core_belongs_to_the_core(labels):
    labels[11:13, 11:13, 11:13] = 0
    assert (postprocess(labels, GRID)[11:13, 11:13, 11:13] == NECROTIC_CORE).all()


def test_nothing_found_stays_nothing():
    assert not postprocess(np.zeros(GRID.shape, np.uint8), GRID).any()


def test_every_series_must_show_a_head():
    blank = Volume(np.zeros(GRID.shape, np.float32), GRID)
    with pytest.raises(Unfit, match="T2 series"):
        BRAIN_TUMOUR.fitness({"T2": blank})
