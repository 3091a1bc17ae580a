"""Splits are by patient, the same for the same seed, kept in a file, and refused where they do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from miniatures import draw, series_uid, write_data_set, write_image

from inference.errors import DataError, Leak, StaleSplit
from inference.tasks import LIVER_TUMOUR
from inference.training.datasets.base import CaseRef, DataSet, LabelledCase
from inference.training.datasets.lits import Lits
from inference.training.datasets.luna16 import Luna16
from inference.training.splits import (
    Member,
    Split,
    check_apart,
    check_fits,
    open_split,
    published_folds,
    read_split,
    split_folds,
    split_shares,
    turn,
    write_split,
)


class Listed(DataSet):
    """Cases by name alone; what is before the last dash is the patient."""

    layout = "a list"
    card = LIVER_TUMOUR

    def __init__(self, *case_ids: str) -> None:
        self.case_ids = case_ids

    def cases(self) -> list[CaseRef]:
        return [CaseRef(case_id, case_id.rsplit("-", 1)[0], {}) for case_id in self.case_ids]

    def read(self, ref: CaseRef) -> LabelledCase:
        raise NotImplementedError


def patients(count: int, scans: int = 1) -> Listed:
    return Listed(*(f"p{n}-{scan}" for n in range(count) for scan in range(scans)))


def sizes(split: Split) -> dict[str, int]:
    return {name: len(case_ids) for name, case_ids in split.groups.items()}


@pytest.mark.parametrize(
    ("count", "expected"),
    [(100, (70, 15, 15)), (335, (234, 51, 50)), (888, (622, 133, 133)), (131, (92, 19, 20)), (20, (14, 3, 3)),
     (3, (1, 1, 1)), (4, (2, 1, 1))],
)  # fmt: skip
def test_shares_are_70_15_15_of_the_patients(count: int, expected: tuple[int, ...]) -> None:
    split = split_shares(patients(count), 0)
    assert split.rule == "70/15/15 of the patients"
    assert tuple(sizes(split).values()) == expected
    assert list(split.groups) == ["training", "validation", "test"]


def test_five_folds_are_as_even_as_can_be() -> None:
    split = split_folds(patients(23), 0)
    assert sizes(split) == {"fold 0": 5, "fold 1": 5, "fold 2": 5, "fold 3": 4, "fold 4": 4}


@pytest.mark.parametrize("make", [split_shares, split_folds])
def test_all_scans_of_a_patient_lie_in_one_group_and_every_case_in_one(make: Callable[..., Split]) -> None:
    data = patients(12, scans=3)
    split = make(data, 5)
    grouped = [case_id for case_ids in split.groups.values() for case_id in case_ids]
    assert sorted(grouped) == sorted(data.case_ids)
    of = [{case_id.split("-")[0] for case_id in case_ids} for case_ids in split.groups.values()]
    assert sum(map(len, of)) == 12


@pytest.mark.parametrize("make", [split_shares, split_folds])
def test_a_seed_gives_one_split_whatever_the_order_of_the_cases(make: Callable[..., Split]) -> None:
    data = patients(40)
    again = Listed(*reversed(data.case_ids))
    assert make(data, 1).groups == make(again, 1).groups
    assert make(data, 1).groups != make(data, 2).groups
    assert make(data, 1).sha256 == make(again, 2).sha256, "the case list is the same"


def test_the_order_is_that_of_a_hash_and_stays() -> None:
    """No library's random numbers: `printf '7 a' | sha256sum` and so on give this order on any machine."""
    split = split_folds(Listed("a-0", "b-0", "c-0", "d-0", "e-0"), 7)
    assert list(split.groups.values()) == [("b-0",), ("a-0",), ("c-0",), ("e-0",), ("d-0",)]


def test_too_few_patients_or_wrong_shares_are_said() -> None:
    with pytest.raises(DataError, match="2 patients of a list cannot make 3 groups"):
        split_shares(patients(2, scans=9), 0)
    with pytest.raises(DataError, match="4 patients of a list cannot make 5 groups"):
        split_folds(patients(4), 0)
    with pytest.raises(DataError, match=r"make 1 together, not 0\.9"):
        split_shares(patients(9), 0, {"training": 0.7, "test": 0.2})
    with pytest.raises(DataError, match="more than 0, not 0"):
        split_shares(patients(9), 0, {"training": 1.0, "test": 0.0})


def test_a_turn_never_looks_at_its_test() -> None:
    split = split_folds(patients(10), 0)
    for fold in range(5):
        training, validation, test = turn(split, fold)
        assert test == split.groups[f"fold {fold}"]
        assert sorted((*training, *validation, *test)) == sorted(split.cases)
        assert len({*training, *validation, *test}) == 10
    assert sorted(case_id for fold in range(5) for case_id in turn(split, fold).test) == sorted(split.cases)
    with pytest.raises(DataError, match="5 of 5 is none"):
        turn(split, 5)


def test_luna16s_ten_subsets_make_five_folds(tmp_path: Path) -> None:
    for n in range(10):
        scan = tmp_path / f"subset{n}" / f"{series_uid(n)}.mhd"
        scan.parent.mkdir()
        scan.touch()
    (tmp_path / "annotations.csv").write_text("seriesuid,coordX,coordY,coordZ,diameter_mm\n")
    split = published_folds(Luna16(tmp_path))
    assert split.groups["fold 3"] == (series_uid(3), series_uid(8))
    assert (split.rule, split.seed) == ("5 folds as published", None)
    table = tmp_path / "metadata.csv"
    rows = [f"{series_uid(n)},LIDC-{0 if n in (2, 4) else n}" for n in range(10)]
    table.write_text("\n".join(["Series UID,Subject ID", *rows]))
    with pytest.raises(Leak, match="of one patient"):
        published_folds(Luna16(tmp_path, patients=table))
    with pytest.raises(DataError, match="has no case for fold 10"):
        published_folds(Luna16(tmp_path), 11)
    with pytest.raises(DataError, match="a list publishes no folds"):
        published_folds(patients(9))


def test_a_patient_in_two_groups_is_named_by_the_cases() -> None:
    patient = {"a": "one", "b": "two", "c": "one"}
    cases = {case_id: Member(patient=name, fingerprint="") for case_id, name in patient.items()}
    check_apart(Split(layout="x", rule="", seed=0, groups={"training": ("a", "c"), "test": ("b",)}, cases=cases))
    leaking = Split(layout="x", rule="", seed=0, groups={"training": ("a",), "test": ("b", "c")}, cases=cases)
    with pytest.raises(Leak, match="c in test and a in training are of one patient"):
        check_apart(leaking)
    for case_ids, sentence in ((("a", "a"), "test names a case twice"), (("z",), "z is in test and not among")):
        with pytest.raises(StaleSplit, match=sentence):
            check_apart(leaking.model_copy(update={"groups": {"test": case_ids}}))


@pytest.fixture
def lits(tmp_path: Path) -> Lits:
    write_data_set("lits", tmp_path / "lits", 4)
    return Lits(tmp_path / "lits")


def test_a_split_comes_back_from_its_file_and_gives_its_cases(lits: Lits, tmp_path: Path) -> None:
    split = split_shares(lits, 3)
    write_split(split, tmp_path / "split.json")
    assert read_split(tmp_path / "split.json") == split
    groups = open_split(tmp_path / "split.json", lits)
    assert {name: tuple(ref.case_id for ref in refs) for name, refs in groups.items()} == split.groups
    assert all(lits.read(ref).truth.any() for ref in groups["test"])
    with pytest.raises(FileExistsError):
        write_split(split_shares(lits, 4), tmp_path / "split.json")
    assert read_split(tmp_path / "split.json") == split
    assert [left.name for left in tmp_path.iterdir() if "split" in left.name] == ["split.json"]


def test_a_moved_folder_is_the_same_data(lits: Lits, tmp_path: Path) -> None:
    split = split_shares(lits, 3)
    lits.folder.rename(tmp_path / "elsewhere")
    assert set(check_fits(split, Lits(tmp_path / "elsewhere"))) == {"training", "validation", "test"}


def test_what_has_changed_is_said(lits: Lits, tmp_path: Path) -> None:
    split = split_shares(lits, 3)
    drawn = draw(LIVER_TUMOUR, 9)
    for path in lits.folder.rglob("*-2.nii"):
        path.unlink()
    write_image(drawn.truth, drawn.grid, next(lits.folder.rglob("segmentation-1.nii")))
    write_image(drawn.truth, drawn.grid, lits.folder / "segmentation-17.nii")
    with pytest.raises(StaleSplit) as caught:
        check_fits(split, lits)
    assert str(caught.value) == (
        "the split does not fit LiTS any more: 1 new (volume-17); 1 missing (volume-2); 1 changed (volume-1). "
        "Split anew, or put the cases back."
    )
    many = split.model_copy(update={"cases": {}, "groups": {}})
    with pytest.raises(StaleSplit, match=r"4 new \(volume-0, volume-1, volume-3, volume-17\)"):
        check_fits(many, lits)


def test_a_case_in_no_group_is_said(lits: Lits) -> None:
    split = split_shares(lits, 3)
    dropped = split.model_copy(update={"groups": split.groups | {"test": ()}})
    with pytest.raises(StaleSplit, match="1 in no group"):
        check_fits(dropped, lits)


def edited(content: dict, **changes: object) -> str:
    return json.dumps(content | changes)


def test_a_damaged_or_edited_file_is_refused(lits: Lits, tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    split = split_shares(lits, 3)
    write_split(split, path)
    content = json.loads(path.read_text())
    other_patient = content["cases"] | {"volume-0": content["cases"]["volume-0"] | {"patient": "someone"}}
    both = content["groups"] | {"test": content["groups"]["training"]}
    for text, error, sentence in (
        ("", StaleSplit, "cannot be read as a split"),
        ("[]", StaleSplit, "cannot be read as a split"),
        ("[" * 100_000, StaleSplit, "cannot be read as a split"),
        (edited(content, colour="red"), StaleSplit, "cannot be read as a split"),
        (edited(content, format=2), StaleSplit, "cannot be read as a split"),
        (edited(content, cases=other_patient), StaleSplit, r"split\.json was edited"),
        (edited(content, groups=both), Leak, "of one patient"),
    ):
        path.write_text(text)
        with pytest.raises(error, match=sentence):
            read_split(path)
    with pytest.raises(StaleSplit, match="cannot be read as a split"):
        read_split(tmp_path / "nowhere.json")
