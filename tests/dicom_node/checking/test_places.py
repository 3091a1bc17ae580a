"""Where the node keeps things has to be writable: that is said before it starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dicom_node.checking.check import check


def changed(conf: Path, line: str, instead_of: str = "") -> None:
    node = (conf / "node.yaml").read_text()
    (conf / "node.yaml").write_text(node.replace(instead_of, "") + line)


def refusing(monkeypatch: pytest.MonkeyPatch, locked: Path) -> list[Path]:
    """Have one folder refused, which root could write to, as tests may run; the list fills with those asked for."""
    asked: list[Path] = []
    monkeypatch.setattr(os, "access", lambda path, _mode: asked.append(Path(path)) or Path(path) != locked)
    return asked


def test_what_is_not_there_yet_will_be_made_and_is_not_made_here(conf: Path) -> None:
    before = sorted(conf.iterdir())
    changed(conf, "database_url: 'sqlite:////dev/shm/segnode-a/b/c.sqlite'\n")
    assert check(conf, with_echo=False).problems == []
    assert sorted(conf.iterdir()) == before
    assert not Path("/dev/shm/segnode-a").exists()


@pytest.mark.parametrize(
    ("key", "line", "instead_of"),
    [
        ("data_folder", "data_folder: node.yaml/data\n", "data_folder: data\n"),
        ("archive.folder", "archive: {folder: node.yaml}\n", ""),
        ("archive.cache_folder", "archive: {url: 's3://abc', cache_folder: node.yaml/cache}\n", ""),
        ("database_url", "database_url: 'sqlite:///FILE/segnode.sqlite'\n", ""),
    ],
)
def test_a_file_in_the_way_is_a_problem(conf: Path, key: str, line: str, instead_of: str) -> None:
    file = conf / "node.yaml"
    changed(conf, line.replace("FILE", str(file)), instead_of)
    report = check(conf, with_echo=False)
    assert report.problems == [f"node.yaml: {key}: {file} is a file where a folder is to be"]
    assert report.exit_code == 2


@pytest.mark.parametrize("name", ["", "scratch", "audit", "archive"])
def test_a_folder_that_may_not_be_written_to_is_a_problem_once(
    conf: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    locked = conf / "data" / name
    locked.mkdir(parents=True)
    refusing(monkeypatch, locked)
    assert check(conf, with_echo=False).problems == [
        f"node.yaml: data_folder: folder {locked} cannot be written to by the user who runs this"
    ]


def test_what_is_kept_elsewhere_or_not_at_all_needs_no_folder(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed(conf, "database_url: 'postgresql://segnode@db/segnode'\naudit: {mode: 'off'}\narchive: {folder: kept}\n")
    (conf / "data").mkdir()
    (conf / "data" / "scratch").mkdir()
    asked = refusing(monkeypatch, conf / "data")
    assert check(conf, with_echo=False).problems == []
    assert asked == [conf / "data" / "scratch", conf]
