"""What lies in a folder, said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.errors import WrongFolder
from inference.training.datasets import files
from inference.training.datasets.files import files_under, wrong_folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_come_in_a_fixed_order_without_hidden_ones(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.nii", "b/1.nii", "a/3.nii", "b/._1.nii", ".cache/4.nii", "__MACOSX/b/5.nii")
    found = [path.relative_to(tmp_path).as_posix() for path in files_under(tmp_path)]
    assert found == ["a/3.nii", "b/1.nii", "b/2.nii"]


def test_a_link_in_a_circle_ends(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.nii")
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    assert [len(files_under(tmp_path, depth)) for depth in (0, 1, 2, 3, 4, 5)] == [0, 1, 1, 2, 2, 3]


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(WrongFolder, match="nowhere is not there"):
        files_under(tmp_path / "nowhere")
    touch(tmp_path, "file")
    with pytest.raises(WrongFolder, match="file is a file, not a folder"):
        files_under(tmp_path / "file")


def test_a_folder_of_everything_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_FILES", 2)
    touch(tmp_path, "1", "2", "3")
    with pytest.raises(WrongFolder, match="more than 2 files"):
        files_under(tmp_path)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), "found no file at all"),
        (("a/volume-0.nii", "a/segmentation-0.nii.gz"), "found 2 files such as volume-N.nii, which is LiTS's layout"),
        (("BraTS20_Training_001/BraTS20_Training_001_t1.nii",), "which is BraTS 2017 to 2021's layout"),
        (("BraTS-GLI-00000-000/BraTS-GLI-00000-000-t1n.nii.gz",), "which is BraTS 2023's layout"),
        (("subset0/1.2.mhd", "subset0/1.2.raw"), "found 1 files such as subsetN/SERIES.mhd, which is LUNA16's layout"),
        (("imagesTr/liver_0.nii.gz",), "which is the Medical Segmentation Decathlon's layout"),
        (("1.dcm", "2.dcm"), "found 2 files such as *.dcm, which is a DICOM folder's layout"),
        (("1.2.png", "2.png", "scan.nii.gz", "README"),
         "found 4 files, of which 2 *.png, 1 without an ending, 1 *.nii.gz"),
    ],
)  # fmt: skip
def test_another_layout_is_called_by_its_name(names: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    touch(tmp_path, *names)
    said = str(wrong_folder(tmp_path, "SOME", "this and that", files_under(tmp_path)))
    assert said.startswith(f"{tmp_path} holds no case of SOME: looked for this and that; ")
    assert said.endswith(f"{sentence}.")
