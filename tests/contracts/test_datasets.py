"""What every kind of data set keeps: cases at once, truth on the primary grid, bad cases named, no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from miniatures import SMALL_LESIONS, draw, grid_of, write_data_set
from pydantic import TypeAdapter, ValidationError

from inference.errors import BadCase, DataError, WrongFolder
from inference.evaluation.results import Failure
from inference.phantom import PhantomCase
from inference.tasks import LIVER_TUMOUR
from inference.training.datasets import AnyDataSet, CaseRef, DataSet, DataSettings, build, phantoms, walk

# Settings of each kind; a folder need not be there for its settings to hold.
EXAMPLES = {
    "brats": {"kind": "brats", "folder": "data"},
    "lits": {"kind": "lits", "folder": "data"},
    "luna16": {"kind": "luna16", "folder": "data", "lidc_xml": None, "patients": None},
    "organs": {"kind": "organs", "task": "liver_tumour", "folder": "data", "lesions": SMALL_LESIONS},
    "phantoms": {"kind": "phantoms", "task": "liver_tumour", "first_seed": 0, "count": 3},
}
IN_FOLDERS = sorted(set(EXAMPLES) - {"phantoms"})


@pytest.fixture(params=sorted(EXAMPLES))
def settings(request: pytest.FixtureRequest) -> DataSettings:
    return build(EXAMPLES[request.param])


@pytest.fixture
def data(settings: DataSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    """Three cases of the kind."""
    kind = settings.model_dump()["kind"]
    if kind in IN_FOLDERS:
        write_data_set(kind, tmp_path / "data")
    monkeypatch.setattr(phantoms, "make_case", small_phantom)
    return settings.open(tmp_path)


def small_phantom(task: str, seed: int) -> PhantomCase:
    drawn = draw(LIVER_TUMOUR, seed, grid_of("axial"))
    return PhantomCase(task, seed, "CT", drawn.volumes, drawn.truth, (), {})


def test_every_kind_is_tried() -> None:
    kinds = {kind.model_fields["kind"].default for kind in DataSettings.__subclasses__()}
    assert kinds == set(EXAMPLES)


def test_settings_come_back_as_they_went(settings: DataSettings) -> None:
    assert build(settings.model_dump(mode="json")) == settings


def test_settings_are_frozen_and_closed(settings: DataSettings) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings.kind = "other"  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="colour"):
        build(settings.model_dump() | {"colour": "red"})


def test_settings_know_the_task_without_opening_anything(settings: DataSettings) -> None:
    assert settings.open().card.name == settings.answers


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AnyDataSet).validate_python({"kind": "oracle"})
    assert all(kind in str(caught.value) for kind in EXAMPLES)


def test_cases_are_named_once_and_in_the_same_order(data: DataSet) -> None:
    refs = data.cases()
    assert len(refs) == 3
    assert len({ref.case_id for ref in refs}) == 3
    assert data.cases() == refs
    assert all(ref.patient_id for ref in refs)


def test_a_case_is_whole(data: DataSet) -> None:
    for ref in data.cases():
        case = data.read(ref)
        assert (case.case_id, case.patient_id) == (ref.case_id, ref.patient_id)
        assert list(case.volumes) == [role.name for role in data.card.roles]
        assert all(case.volumes[role.name].units == role.units for role in data.card.roles)
        assert all(volume.array.dtype == np.float32 for volume in case.volumes.values())
        assert all(np.isfinite(volume.array).all() for volume in case.volumes.values())
        assert (case.truth.dtype, case.truth.shape) == (np.uint8, case.grid.shape)
        assert set(np.unique(case.truth)) == {0, *(structure.label for structure in data.card.structures)}


def test_reading_twice_gives_the_same(data: DataSet) -> None:
    ref = data.cases()[0]
    one, other = data.read(ref), data.read(ref)
    np.testing.assert_array_equal(one.truth, other.truth)
    assert all(np.array_equal(one.volumes[role].array, other.volumes[role].array) for role in one.volumes)
    assert (one.notes, one.lesions) == (other.notes, other.lesions)


def test_fingerprints_tell_cases_apart_and_stay(data: DataSet) -> None:
    refs = data.cases()
    prints = [data.fingerprint(ref) for ref in refs]
    assert len(set(prints)) == 3
    assert [data.fingerprint(ref) for ref in refs] == prints


def test_all_cases_pass_the_walk(data: DataSet) -> None:
    failures: list[Failure] = []
    assert len(list(walk(data.cases(), data.read, failures, strict=True))) == len(data.cases())
    assert failures == []


@pytest.mark.parametrize("settings", [build(EXAMPLES[kind]) for kind in IN_FOLDERS], ids=IN_FOLDERS)
class TestInFolders:
    """Data sets that lie in files."""

    def test_cases_are_found_by_name_alone(self, data: DataSet, tmp_path: Path) -> None:
        """Without a voxel: the files may as well be empty."""
        before = data.cases()
        for path in (tmp_path / "data").rglob("*"):
            if path.is_file() and path.suffix != ".csv":
                path.write_bytes(b"")
        assert data.cases() == before

    def test_a_broken_file_is_a_bad_case_that_names_it(self, data: DataSet) -> None:
        bad, *good = data.cases()
        image = image_of(data, bad)
        image.write_bytes(b"no image")
        with pytest.raises(BadCase, match=bad.case_id) as caught:
            data.read(bad)
        assert image.name in str(caught.value)
        assert str(image.parent) not in str(caught.value)
        failures: list[Failure] = []
        seen = [case.case_id for case in walk(data.cases(), data.read, failures, strict=False)]
        assert [failure.case for failure in failures] == [bad.case_id]
        assert seen == [ref.case_id for ref in good]
        with pytest.raises(BadCase):
            list(walk(data.cases(), data.read, [], strict=True))

    def test_a_folder_of_something_else_is_said(self, data: DataSet, settings: DataSettings, tmp_path: Path) -> None:
        assert data.cases()
        for path in sorted((tmp_path / "data").rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        (tmp_path / "data" / "holiday.jpg").touch()
        with pytest.raises(WrongFolder, match=r"looked for .+; found 1 files, of which 1 \*\.jpg"):
            settings.open(tmp_path).cases()
        (tmp_path / "data" / "holiday.jpg").unlink()
        (tmp_path / "data").rmdir()
        with pytest.raises(WrongFolder, match="is not there"):
            settings.open(tmp_path).cases()


def image_of(data: DataSet, ref: CaseRef) -> Path:
    return ref.images[data.card.primary]


def test_data_sets_and_splits_need_no_torch() -> None:
    code = "import sys, inference.training.datasets, inference.training.datasets.prepared, inference.training.splits; "
    done = subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
