"""How full the disk may become."""

import os
from types import SimpleNamespace

import pytest

from storage.files import disk
from storage.files.disk import ASK_EVERY_S, Level, Room, Watermarks, free_space

MARKS = Watermarks(low_bytes=100, clean_bytes=500)


@pytest.mark.parametrize(
    ("free", "before", "level"),
    [
        (500, Level.WELL, Level.WELL),
        (499, Level.WELL, Level.SHORT),
        (100, Level.WELL, Level.SHORT),
        (99, Level.WELL, Level.FULL),
        (549, Level.SHORT, Level.SHORT),
        (550, Level.SHORT, Level.WELL),
        (109, Level.FULL, Level.FULL),
        (110, Level.FULL, Level.SHORT),
        (549, Level.FULL, Level.SHORT),
        (550, Level.FULL, Level.WELL),
    ],
)
def test_a_level_is_entered_at_its_mark_and_left_a_tenth_above(free, before, level):
    assert MARKS.level(free, before) is level


def test_without_a_first_mark_there_is_only_the_second():
    assert Watermarks(low_bytes=100).level(100) is Level.WELL
    assert Watermarks(low_bytes=100).level(99) is Level.FULL


@pytest.mark.parametrize(
    ("flags", "files", "left", "why"),
    [
        (os.ST_NOSUID, 1000, 5, ""),
        (0, 0, 0, ""),  # as btrfs tells it
        (os.ST_RDONLY | os.ST_NOSUID, 1000, 5, "is mounted read-only"),
        (0, 1000, 0, "no inode is left"),
    ],
)
def test_a_disk_with_room_may_take_nothing_all_the_same(tmp_path, monkeypatch, flags, files, left, why):
    told = SimpleNamespace(f_flag=flags, f_files=files, f_favail=left)
    monkeypatch.setattr(disk.os, "statvfs", lambda _: told)
    assert why in disk.why_unwritable(tmp_path)
    assert bool(why) is bool(disk.why_unwritable(tmp_path))


def test_the_disk_is_asked_once_a_second_and_counted_down_in_between(tmp_path, monkeypatch):
    asked, now = [], [10.0]

    def free(root):
        asked.append(root)
        return 1000

    monkeypatch.setattr(disk, "free_space", free)
    room = Room(tmp_path, 900, clock=lambda: now[0])
    for _ in range(1000):
        assert not room.lacking()
    assert asked == [tmp_path]
    room.take(101)
    assert room.lacking(), "what was written since counts"
    now[0] += ASK_EVERY_S
    assert not room.lacking(), "the disk knows better"
    assert len(asked) == 2


def test_a_real_disk_has_space(tmp_path):
    assert free_space(tmp_path) > 0
    assert not Room(tmp_path, 0).lacking()
    assert Room(tmp_path, 2**62).lacking()
