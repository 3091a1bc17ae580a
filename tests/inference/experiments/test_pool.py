"""Cases of several tasks become cases of one: one label, each part as often as the other."""

from collections import Counter

import numpy as np
import pytest

from inference.errors import DataError, ModelError
from inference.evaluation.results import DatasetResult
from inference.experiments.pool import as_one, as_part, check_parts, evenly, gather_parts, joined, relabelled
from inference.experiments.settings import load_experiment, runs
from inference.training.cases import Case


@pytest.fixture
def parts(pool, lits):
    """The settings of MR and CT."""
    _, both, _ = runs(load_experiment(pool), lits)
    return both.trainings[0]


def case(seed=0, *labels):
    """A row of voxels with these labels, all of it the region."""
    array = np.array(labels, dtype=np.uint8).reshape(1, 1, -1)
    places = {label: np.argwhere(array == label).astype(np.int16) for label in {*labels} - {0}}
    places[0] = np.argwhere(array >= 0).astype(np.int16)
    return Case(seed, array[None].astype(np.float16), array, array >= 0, places)


def test_members_become_one_label_in_the_map_and_among_the_places():
    found = relabelled(case(0, 0, 1, 2, 3, 0), members=(2, 3), label=7)
    assert found.labels.ravel().tolist() == [0, 0, 7, 7, 0]
    assert found.labels.dtype == np.uint8
    assert set(found.places) == {0, 7}
    assert found.places[7][:, 2].tolist() == [2, 3]
    assert len(found.places[0]) == 5


def test_a_case_without_the_region_has_no_places_of_it():
    assert set(relabelled(case(0, 1, 1), members=(2,), label=2).places) == {0}


def test_a_case_drawn_at_random_is_of_each_part_as_often_with_the_label_and_without():
    few = [case(seed, 2) for seed in (10, 11)] + [case(12, 0)]
    many = [case(seed, 2) for seed in (20, 21, 22)] + [case(23, 0), case(24, 0)]
    drawn = evenly([few, many], label=2)
    ill, well = (Counter(one.seed for one in drawn if (2 in one.places) == has) for has in (True, False))
    assert ill == {10: 3, 11: 3, 20: 2, 21: 2, 22: 2}
    assert well == {12: 2, 23: 1, 24: 1}


def test_one_part_alone_is_what_it_is():
    alone = [case(1, 2), case(2, 2)]
    assert evenly([alone], label=2) == alone


def test_the_material_of_a_pool_is_told_in_the_first_part_s_label(parts, lits):
    material = gather_parts(parts, lits / "cache", workers=1, beside=lits)
    label = as_one(parts).output.regions[0].label
    assert as_one(parts).task == "brain_tumour"
    assert as_one(parts).output.regions[0].members == (label,)
    for side in (material.training, material.validation):
        assert {int(value) for one in side for value in np.unique(one.labels)} == {0, label}
    assert len(material.validation) == 2
    assert "MR: BraTS" in material.origin
    assert "CT: LiTS" in material.origin


def test_a_part_without_the_region_teaches_nothing_of_it_and_is_refused(parts, lits):
    ct = parts["CT"]
    region = ct.output.regions[0].model_copy(update={"members": (9,)})
    ct = ct.model_copy(update={"output": ct.output.model_copy(update={"regions": (region,)})})
    with pytest.raises(DataError, match="none of the 5 training cases of CT has the tumour"):
        gather_parts({**parts, "CT": ct}, lits / "cache", workers=1, beside=lits)


def test_a_pool_and_its_first_part_alone_are_different_material(parts, lits):
    alone = {"MR": parts["MR"]}
    assert as_one(alone) == as_one(parts)  # so nothing else tells their checkpoints apart
    both, one = (gather_parts(some, lits / "cache", workers=1, beside=lits) for some in (parts, alone))
    assert both.split != one.split


def test_a_part_is_judged_by_its_own_labels_and_the_threshold_that_was_chosen(parts):
    chosen = as_one(parts)
    region = chosen.output.regions[0].model_copy(update={"threshold": 0.3, "peak": 0.9, "temperature": 2.0})
    chosen = chosen.model_copy(update={"output": chosen.output.model_copy(update={"regions": (region,)})})
    own = as_part(chosen, parts["CT"])
    [found] = own.output.regions
    assert (own.task, own.recipe) == ("liver_tumour", parts["CT"].recipe)
    assert (found.label, found.members) == (2, (2,))
    assert (found.threshold, found.peak, found.temperature) == (0.3, 0.9, 2.0)


@pytest.mark.parametrize(("change", "reason"), [
    ({"output": {"activation": "softmax"}}, "share the activation"),
    ({"recipe": {"spacing_mm": (3.0, 2.0, 2.0)}}, "share the spacing_mm: CT has"),
    ({"epochs": 3}, "counted in `steps`"),
])  # fmt: skip
def test_parts_that_one_network_cannot_learn_alike_are_refused(parts, change, reason):
    check_parts(parts)
    ct = parts["CT"]
    update = {key: getattr(ct, key).model_copy(update=value) if isinstance(value, dict) else value
              for key, value in change.items()}  # fmt: skip
    with pytest.raises(ModelError, match=reason):
        check_parts({**parts, "CT": ct.model_copy(update=update)})


def test_results_are_joined_and_one_alone_is_as_it_was():
    real, drawn = (DatasetResult(name=name, headline="tumour", phantoms=name == "drawn", scores=())
                   for name in ("real", "drawn"))  # fmt: skip
    assert joined([real]) is real
    assert (joined([real, drawn]).name, joined([real, drawn]).phantoms) == ("real; drawn", True)
