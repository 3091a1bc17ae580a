"""What is to survive power loss is handed to the disk: the file or folder itself, and its descriptor is given back."""

import os

import pytest

from storage.durable import sync


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
