"""A model's files on another machine: as they were, or not at all."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from inference.errors import BundleBroken
from inference.executors.shelf import KEPT_S, Shelf, digest_of_files, files_of


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "here/liver"
    (path / "configs").mkdir(parents=True)
    (path / "configs/metadata.json").write_text("{}")
    (path / "model.pt").write_bytes(bytes(range(256)))
    (path / "empty").touch()
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "there/models")


def brought(shelf: Shelf, model: Path) -> Path:
    return shelf.put(model.name, digest_of_files(model), dict(files_of(model)))


def test_a_folder_comes_whole_under_its_name(shelf: Shelf, bundle: Path) -> None:
    digest = digest_of_files(bundle)
    assert shelf.find("liver", digest) is None
    there = brought(shelf, bundle)
    assert there == shelf.folder / digest / "liver" == shelf.find("liver", digest)
    assert digest_of_files(there) == digest
    assert (there / "model.pt").read_bytes() == bytes(range(256))


def test_a_model_of_one_file_too(shelf: Shelf, bundle: Path) -> None:
    there = brought(shelf, bundle / "model.pt")
    assert there.name == "model.pt"
    assert there.read_bytes() == bytes(range(256))


def test_only_our_own_user_may_write_to_it(shelf: Shelf, bundle: Path) -> None:
    brought(shelf, bundle)
    assert shelf.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("emptied", [False, True])
def test_what_was_changed_there_is_not_found_and_comes_anew(shelf: Shelf, bundle: Path, emptied: bool) -> None:
    there = brought(shelf, bundle)
    if emptied:
        shutil.rmtree(there)
        there.mkdir()
    else:
        (there / "code.py").write_text("import os")
    assert shelf.find("liver", digest_of_files(bundle)) is None
    assert brought(shelf, bundle) == there
    assert not (there / "code.py").exists()


def test_what_was_changed_on_its_way_is_refused(shelf: Shelf, bundle: Path) -> None:
    files = dict(files_of(bundle)) | {"liver/model.pt": np.zeros(3, np.uint8)}
    with pytest.raises(BundleBroken, match="liver was changed on its way"):
        shelf.put("liver", digest_of_files(bundle), files)
    assert [path.name for path in shelf.folder.iterdir()] == [".lock"]


@pytest.mark.parametrize("name", ["../liver/x", "/etc/x", "liver/../../x", ""])
def test_no_name_leads_elsewhere(shelf: Shelf, bundle: Path, name: str) -> None:
    with pytest.raises(BundleBroken, match="no name below its folder"):
        shelf.put("liver", digest_of_files(bundle), {name: np.zeros(1, np.uint8)})
    assert {path.name for path in shelf.folder.parent.iterdir()} == {"models"}


def test_one_that_nobody_asked_for_in_a_long_time_makes_room(shelf: Shelf, bundle: Path) -> None:
    old, used = bundle / "model.pt", bundle / "configs"
    for model in (old, used):
        os.utime(brought(shelf, model).parent, (time.time() - KEPT_S - 60,) * 2)
    assert shelf.find("configs", digest_of_files(used))
    brought(shelf, bundle)
    assert shelf.find("configs", digest_of_files(used))
    assert not (shelf.folder / digest_of_files(old)).exists()
