"""A model's score stands beside the best that one band of intensities could do."""

import numpy as np
import pytest

from inference.backends import build
from inference.evaluation import score as module
from inference.evaluation.score import REGIONS, score
from inference.phantom import PhantomCase
from inference.tasks import TASKS
from inference.volume import Grid, Spacing, Volume, regular_affine


def boxes(task, seed):
    """A box of 100 HU that is the nodule, one of 100 HU that is none, in lung of -800 HU."""
    array = np.full((20, 30, 30), -800.0, np.float32)
    array[5:12, 5:15, 5 + seed % 3:15] = array[5:12, 20:26, 5:15] = 100
    truth = np.zeros(array.shape, np.uint8)
    truth[5:12, 5:15, 5 + seed % 3:15] = 1
    grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(2, 2, 2)))
    return PhantomCase(task, seed, "CT", {"CT": Volume(array, grid, "HU")}, truth, (), {})


@pytest.fixture(autouse=True)
def phantoms(monkeypatch):
    monkeypatch.setattr(module, "make_case", boxes)


def threshold(lower, upper):
    return build({"kind": "threshold", "lower": lower, "upper": upper})


def test_a_row_a_region_with_the_models_and_the_bands_dice():
    (row,) = score("lung_nodule", [0, 1, 2], threshold(0, 200))
    assert (row["task"], row["region"], row["cases"]) == ("lung_nodule", "nodule", 3)
    assert row["worst_dice"] <= row["dice"]
    assert row["threshold_dice"] == pytest.approx(row["dice"]), "here the model is the best band"
    assert row["threshold"].startswith("CT 100")
    assert row["volume_error"] > 0.5


def test_a_model_that_finds_nothing_scores_nothing():
    (row,) = score("lung_nodule", [0], threshold(5000, 6000))
    assert (row["dice"], row["volume_error"]) == (0.0, 1.0)
    assert row["threshold_dice"] > 0.5


def test_bands_are_cleaned_as_the_task_cleans():
    """Noise specks below the task's least volume do not count against the band."""
    def speckled(task, seed):
        case = boxes(task, seed)
        case.volumes["CT"].array[19, ::4, ::4] = 100
        return case

    specks = module._answer(speckled("lung_nodule", 0), TASKS["lung_nodule"], threshold(0, 200).load("cpu"))
    small = Grid(specks.case.grid.shape, specks.case.grid.affine @ np.diag([0.5, 0.5, 0.5, 1]))
    case = PhantomCase("lung_nodule", 0, "CT", {"CT": Volume(specks.images["CT"], small, "HU")}, specks.case.truth,
                       (), {})
    answer = module.Answered(case, specks.found, specks.images)
    band = module.Band("CT", 0, 200)
    region = REGIONS["lung_nodule"][0]
    raw, cleaned = module._within(band, region, answer), module._cleaned(band, region, answer, TASKS["lung_nodule"])
    assert raw[19].any()
    assert not cleaned[19].any()


@pytest.mark.parametrize("task", sorted(REGIONS))
def test_every_task_is_scored_by_its_own_labels(task):
    labels = {structure.label for structure in TASKS[task].structures}
    assert {region.label for region in REGIONS[task]} == labels
    assert all(set(region.members) <= labels for region in REGIONS[task])
