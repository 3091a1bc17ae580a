"""Labelled cases become the cases that training cuts patches from, as phantoms do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import SPACING, draw, grid_of, write_brats, write_data_set, write_image

from inference.errors import BadCase
from inference.phantom import PhantomCase
from inference.recipe import Channel, Recipe
from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR
from inference.training import cases
from inference.training.cases import draw_cases
from inference.training.datasets import phantoms
from inference.training.datasets.base import LabelledCase
from inference.training.datasets.brats import Brats
from inference.training.datasets.lits import Lits
from inference.training.datasets.phantoms import Phantoms
from inference.training.datasets.prepared import cached_case, prepared_case
from inference.transforms.geometry import crop

CT = Recipe.model_validate({"primary": "CT", "spacing_mm": SPACING,
                            "channels": [{"role": "CT", "scale": "window", "low": -200, "high": 300}]})
# The paper's three series (Table 1): none of them is the task's primary one.
WITHOUT_CONTRAST = Recipe.model_validate({
    "primary": "FLAIR", "spacing_mm": SPACING, "register_roles": True,
    "channels": [{"role": role, "scale": "zscore"} for role in ("T1", "T2", "FLAIR")]})


def test_a_case_is_read_once_and_then_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = write_data_set("lits", tmp_path / "data", 1)[0]
    data, read = Lits(tmp_path / "data"), []
    monkeypatch.setattr(data, "read", lambda ref: read.append(ref) or Lits.read(data, ref))
    (ref,) = data.cases()
    first, again = (cached_case(data, ref, CT, tmp_path / "cache") for _ in range(2))
    assert len(read) == 1
    np.testing.assert_array_equal(again.image, first.image)
    assert sorted(first.places) == [0, 1, 2]
    assert [np.count_nonzero(first.labels == n) for n in (1, 2)] == pytest.approx(
        [np.count_nonzero(drawn.truth == n) for n in (1, 2)], rel=0.2)  # fmt: skip
    coarser = CT.model_copy(update={"spacing_mm": (3.0, 3.0, 3.0)})
    assert cached_case(data, ref, coarser, tmp_path / "cache").labels.shape != first.labels.shape
    write_image(np.minimum(drawn.truth, 1), drawn.grid, ref.truth)
    assert sorted(cached_case(data, ref, CT, tmp_path / "cache").places) == [0, 1]
    assert len(read) == 3


def test_a_phantom_behind_the_seam_is_the_phantom_that_training_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = draw(LIVER_TUMOUR, 1)
    for module in (cases, phantoms):
        monkeypatch.setattr(module, "make_case", lambda task, seed: PhantomCase(
            task, seed, "CT", drawn.volumes, drawn.truth, (), {}))
    (before,) = draw_cases("liver_tumour", CT, [7], tmp_path, workers=1)
    data = Phantoms("liver_tumour", 7, 1)
    case = cached_case(data, data.cases()[0], CT, tmp_path)
    np.testing.assert_array_equal(case.image, before.image)
    np.testing.assert_array_equal(case.labels, before.labels)
    np.testing.assert_array_equal(case.foreground, before.foreground)


def test_the_truth_follows_a_recipe_without_the_tasks_primary_series(tmp_path: Path) -> None:
    drawn = draw(BRAIN_TUMOUR, 1, grid_of("axial"))
    write_brats(tmp_path, {0: drawn})
    data = Brats(tmp_path)
    prepared, labels = prepared_case(data.read(data.cases()[0]), WITHOUT_CONTRAST)
    np.testing.assert_array_equal(labels, drawn.truth)
    assert prepared.array.shape == (3, *drawn.truth.shape)
    assert prepared.notes == (), "what is published registered is not registered again"
    # A series that begins two slices later: the truth comes to lie on it.
    volumes = drawn.volumes | {"FLAIR": crop(drawn.volumes["FLAIR"], (slice(2, None), slice(None), slice(None)))}
    case = LabelledCase("a", "a", BRAIN_TUMOUR, volumes, drawn.truth, registered=True)
    np.testing.assert_array_equal(prepared_case(case, WITHOUT_CONTRAST)[1], drawn.truth[2:])


def test_a_case_that_the_recipe_does_not_fit_is_named(tmp_path: Path) -> None:
    write_data_set("lits", tmp_path, 1)
    data = Lits(tmp_path)
    with pytest.raises(BadCase, match="volume-0: "):
        cached_case(data, data.cases()[0], CT.model_copy(update={"roi": "lungs"}), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize(("brightest", "fits"), [(65504, True), (66000, False)])
def test_voxels_beyond_what_a_case_is_kept_in_are_refused(tmp_path: Path, brightest: int, fits: bool) -> None:
    """Half precision would make them infinite, and the training's loss with them."""
    write_brats(tmp_path, {0: draw(BRAIN_TUMOUR, 1, grid_of("axial"))})
    data, recipe = Brats(tmp_path), WITHOUT_CONTRAST.model_copy(update={
        "channels": (Channel(role="T1", scale="zscore"), Channel(role="T2", scale="none"))})
    (ref,) = data.cases()
    case = data.read(ref)
    signal = case.volumes["T2"].array.copy()
    signal[6, 12, 11] = brightest
    write_image(signal, case.grid, ref.images["T2"])
    if fits:
        assert cached_case(data, ref, recipe, tmp_path / "cache").image.max() == 65504
        return
    said = f"channel T2 of {ref.images['T2'].name}.* reaches 66000.*65504.*zscore or window"
    with pytest.raises(BadCase, match=f"{ref.case_id}: {said}"):
        cached_case(data, ref, recipe, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))
