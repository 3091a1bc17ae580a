"""What a run learns from: grouped by a split that is drawn once and checked ever after; bad cases are told."""

from pathlib import Path

import miniatures
import pytest

from inference.errors import BadCase, DataError, StaleSplit
from inference.training import material
from inference.training.material import gather, grouped


@pytest.fixture
def lits(tmp_path: Path) -> Path:
    """Eight patients."""
    miniatures.write_data_set("lits", tmp_path / "LiTS", 8)
    return tmp_path


@pytest.fixture
def run(settings, lits):
    """Settings of a run over them; keywords change the split."""

    def make(strict: bool = False, **split):
        return settings(
            task="liver_tumour", cases=None, data={"kind": "lits", "folder": "LiTS"}, strict=strict,
            split={"file": "splits/lits.json", **split},
            output={"activation": "sigmoid", "regions": [{"name": "liver", "label": 1, "members": [1, 2]}]},
        )  # fmt: skip

    return make


def test_a_split_is_drawn_once_and_then_kept(run, lits):
    first = grouped(run(), lits)
    assert (len(first.training), len(first.validation), len(first.test)) == (6, 1, 1)
    again = grouped(run(seed=99), lits)  # it is there already
    assert [ref.case_id for ref in again.test] == [ref.case_id for ref in first.test]
    assert again.split.sha256 == first.split.sha256


def test_processes_of_one_run_that_draw_the_split_at_once_have_the_same(run, lits, monkeypatch):
    """As torchrun starts them: the one that is slower finds the other's file where it wants to write its own."""
    drawn = material.split_shares

    def slower(*arguments):
        split = drawn(*arguments)
        monkeypatch.setattr(material, "split_shares", drawn)
        grouped(run(), lits)
        return split

    monkeypatch.setattr(material, "split_shares", slower)
    assert grouped(run(), lits).split == grouped(run(), lits).split


def test_other_groups_of_the_same_cases_are_another_run(run, lits, tmp_path):
    """Else it went on from a checkpoint that had learnt from what is tested now."""
    first = gather(run(seed=0), tmp_path / "cache", beside=lits)
    (lits / "splits" / "lits.json").unlink()
    second = gather(run(seed=1), tmp_path / "cache", beside=lits)
    assert first.split != second.split


def test_every_fold_is_tested_once(run, lits):
    turns = [grouped(run(fold=fold), lits) for fold in range(5)]
    tested = [ref.case_id for turn in turns for ref in turn.test]
    assert len(tested) == len(set(tested)) == 8
    for turn in turns:
        groups = [{ref.case_id for ref in refs} for refs in (turn.training, turn.validation, turn.test)]
        assert sum(map(len, groups)) == len(set.union(*groups)) == 8


def test_shares_and_folds_are_not_mixed_up(run, lits):
    grouped(run(), lits)
    with pytest.raises(DataError, match="has no folds: leave out `fold`"):
        grouped(run(fold=0), lits)
    with pytest.raises(DataError, match="name the `fold` that is tested"):
        grouped(run(file="folds.json", fold=0), lits) and grouped(run(file="folds.json"), lits)


def test_folds_that_were_drawn_are_not_taken_for_published_ones(run, lits):
    grouped(run(fold=0), lits)
    with pytest.raises(DataError, match=r"lits\.json holds 5 folds that were drawn, not the published ones"):
        grouped(run(fold=0, published=True), lits)


def test_a_case_that_came_later_is_no_secret(run, lits):
    grouped(run(), lits)
    miniatures.write_lits(lits / "LiTS", {20: miniatures.draw(miniatures.LIVER_TUMOUR, 20)})
    with pytest.raises(StaleSplit, match=r"1 new"):
        grouped(run(), lits)


def test_prepared_cases_are_made_once(run, lits, monkeypatch):
    material = gather(run(), lits / "cache", beside=lits)
    assert (len(material.training), len(material.validation)) == (6, 1)
    assert "6 cases to learn from, 1 to choose by, 1 kept for the test" in material.origin
    monkeypatch.setattr("inference.training.datasets.prepared.prepared_case", None)
    assert len(gather(run(), lits / "cache", beside=lits).training) == 6


def test_a_bad_case_is_left_out_and_told_or_ends_a_strict_run(run, lits):
    training = grouped(run(), lits).training
    truth = training[0].truth
    truth.write_bytes(b"not a NIfTI file")
    (lits / "splits" / "lits.json").unlink()
    material = gather(run(), lits / "cache", beside=lits)
    assert len(material.training) + len(material.validation) == 6
    [failure] = material.failures
    assert failure.case == training[0].case_id
    assert truth.name in failure.reason
    with pytest.raises(BadCase, match=truth.name):
        gather(run(strict=True), lits / "cache", beside=lits)


def test_phantoms_are_drawn_by_their_seeds(balls, settings, cache):
    material = gather(settings(), cache, workers=1)
    assert sorted(balls) == [1, 2, 3, 5]
    assert [case.seed for case in material.training] == [1, 2, 3]
    assert "3 procedural phantoms (seeds 1 to 3)" in material.origin


def test_variants_have_seeds_of_their_own(balls, settings, cache):
    wanted = {"first_seed": 1, "count": 2, "variants": {"lung_mass": {"first_seed": 3, "count": 1}},
              "validation_first_seed": 5, "validation_count": 1,
              "validation_variants": {"lung_mass": {"first_seed": 6, "count": 1}}}
    material = gather(settings(cases=wanted), cache, workers=1)
    assert [case.seed for case in material.training] == [1, 2, 3]
    assert [case.seed for case in material.validation] == [5, 6]
    assert {path.name[:11] for path in cache.glob("lung_mass-*")} == {"lung_mass-3", "lung_mass-6"}
    assert "; 1 of the variant lung_mass to learn from (seeds 3 to 3)" in material.origin
