"""What is to survive power loss is handed to the disk: the file or folder itself, and its descriptor is given back."""

import os

import pytest

from storage.files.durable import put_in_place, sync


@pytest.fixture
def synced(monkeypatch):
    seen = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(os.fstat(descriptor).st_ino))
    return seen


def test_files_and_folders_are_synced(tmp_path, synced):
    file = tmp_path / "a"
    file.write_bytes(b"1")
    sync(file)
    sync(tmp_path)
    assert synced == [file.stat().st_ino, tmp_path.stat().st_ino]


def test_a_failing_disk_costs_no_descriptor(tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="Input/output"):
        sync(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode_and_its_link(tmp_path):
    real, link = tmp_path / "real" / "node.yaml", tmp_path / "node.yaml"
    real.parent.mkdir()
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    put_in_place(link, "new")
    assert (real.read_text(), real.stat().st_mode & 0o777, link.is_symlink()) == ("new", 0o640, True)
    assert [path.name for path in real.parent.iterdir()] == ["node.yaml"]


def test_a_file_that_cannot_be_replaced_stays_and_nothing_is_left_beside_it(tmp_path):
    (tmp_path / "node.yaml").mkdir()
    with pytest.raises(OSError):
        put_in_place(tmp_path / "node.yaml", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["node.yaml"]
