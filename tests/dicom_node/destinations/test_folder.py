"""A folder that takes results as files."""

import errno
import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_node.destinations.folder import FolderDestination
from dicom_node.errors import Unreachable


def test_each_object_becomes_a_file_named_by_its_uid(ct_series, tmp_path):
    place = tmp_path / "share" / "results"
    statuses = FolderDestination(path=place).deliver(ct_series)
    assert {str(status) for status in statuses.values()} == {"0x0000"}
    assert {path.name for path in place.iterdir()} == {f"{uid}.dcm" for uid in statuses}
    for path in ct_series:
        sent = dcmread(path)
        assert (place / f"{sent.SOPInstanceUID}.dcm").read_bytes() == path.read_bytes()


def test_delivering_twice_leaves_no_duplicates(ct_series, tmp_path):
    destination = FolderDestination(path=tmp_path / "results")
    destination.deliver(ct_series)
    destination.deliver(ct_series)
    assert len(list((tmp_path / "results").iterdir())) == 3


def test_a_folder_that_cannot_be_written_may_be_tried_again(ct_series, tmp_path):
    (tmp_path / "results").write_text("a file is in the way")
    with pytest.raises(Unreachable, match="cannot be written"):
        FolderDestination(path=tmp_path / "results").deliver(ct_series)


def test_what_was_delivered_outlives_a_power_cut(ct_series, tmp_path, monkeypatch):
    place, steps = tmp_path / "results", []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda at: steps.append(os.fstat(at).st_ino) or fsync(at))
    monkeypatch.setattr(Path, "replace", lambda path, to: steps.append("named") or replace(path, to))
    FolderDestination(path=place).deliver(ct_series[:1])
    (file,) = place.iterdir()
    assert steps == [file.stat().st_ino, "named", place.stat().st_ino], "the bytes, and then the name"


@pytest.mark.parametrize(("fault", "sent"), [(errno.EIO, False), (errno.EINVAL, True)])
def test_a_disk_that_loses_names_may_be_tried_again_and_a_share_that_syncs_none_is_good(
    ct_series, tmp_path, monkeypatch, fault, sent
):
    place, fsync = tmp_path / "results", os.fsync

    def fail(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == place.stat().st_ino:
            raise OSError(fault, os.strerror(fault))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with nullcontext() if sent else pytest.raises(Unreachable, match="cannot be written"):
        FolderDestination(path=place).deliver(ct_series)
