"""Messages wait as durable files, in order, bounded, for their owner's eyes only."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dicom_node.audit.spool import Spool

DAY_S = 86400.0


def texts(spool: Spool) -> list[bytes]:
    return [message.path.read_bytes() for message in spool.waiting()]


def test_they_come_out_in_the_order_of_their_writing(spool: Spool, clock: Any) -> None:
    spool.write(b"one")
    spool.write(b"two")
    clock.now -= 500.0  # somebody sets the clock back
    spool.write(b"three")
    assert texts(spool) == [b"one", b"two", b"three"]


def test_a_message_says_when_it_was_written_and_by_whom(spool: Spool, clock: Any) -> None:
    spool.write(b"one")
    (message,) = spool.waiting()
    assert (message.at, message.pid) == (pytest.approx(clock.now), str(os.getpid()))


def test_only_the_nodes_user_may_read_them(spool: Spool) -> None:
    path = spool.write(b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_message_is_synced_before_it_has_its_name(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    sync = os.fsync

    def watch(descriptor: int) -> None:
        seen.append(sorted(path.suffix for path in spool.folder.iterdir()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    spool.write(b"one")
    assert seen == [[".part"], [".xml"]], "the file, then its folder"


def test_a_full_disk_leaves_no_half_message(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.write(b"one")
    assert list(spool.folder.iterdir()) == []


def test_what_was_sent_is_removed_once_or_twice(spool: Spool) -> None:
    spool.write(b"one")
    (message,) = spool.waiting()
    spool.remove(message)
    spool.remove(message)
    assert spool.waiting() == []


def test_too_many_bytes_cost_the_oldest_loudly(spool: Spool, clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(5):
        spool.write(b"%d" % number * 300)
    assert spool.bound(clock.now) == 2
    assert [text[:1] for text in texts(spool)] == [b"2", b"3", b"4"]
    assert "2 audit messages dropped, the oldest first" in caplog.text
    assert spool.state()["dropped"] == 2
    for number in range(2):
        spool.write(b"%d" % number * 300)
    spool.bound(clock.now)
    assert spool.state()["dropped"] == 4


def test_what_is_too_old_goes_too(spool: Spool, clock: Any) -> None:
    spool.write(b"old")
    clock.now += 9 * DAY_S
    spool.write(b"young")
    clock.now += 2 * DAY_S
    assert spool.bound(clock.now) == 1
    assert texts(spool) == [b"young"]


def test_within_its_bounds_nothing_is_dropped_or_said(
    spool: Spool, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    spool.write(b"one")
    assert spool.bound(clock.now) == 0
    assert caplog.records == []


def test_messages_of_earlier_days_are_put_away_in_a_folder_each(spool: Spool, clock: Any) -> None:
    for number in range(3):
        spool.write(b"%d" % number * 100)
        clock.now += DAY_S
    spool.write(b"today")
    assert spool.bound(clock.now) == 0
    assert len(list(spool.folder.glob("*/*.xml"))) == 3
    assert len(list(spool.folder.glob("*.xml"))) == 1
    assert [text[:1] for text in texts(spool)] == [b"0", b"1", b"2", b"t"]
    assert spool.state()["oldest_at"] == pytest.approx(clock.now - 3 * DAY_S)
    for message in spool.waiting(2):
        spool.remove(message)
    assert len(list(spool.folder.glob("*/"))) == 1, "an empty one goes"


def test_those_put_away_count_towards_the_bounds(spool: Spool, clock: Any) -> None:
    for number in range(4):
        spool.write(b"%d" % number * 300)
        clock.now += DAY_S
        spool.bound(clock.now)
    assert [text[:1] for text in texts(spool)] == [b"1", b"2", b"3"]
    assert spool.state()["dropped"] == 1


def test_what_waits_is_counted_no_further_than_anybody_reads(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.audit.spool.MANY", 1)
    for _ in range(4):
        spool.write(b"one")
    assert spool.state()["waiting"] == 2


def test_what_a_dead_writer_left_is_swept(spool: Spool, clock: Any) -> None:
    spool.write(b"one")
    left = spool.folder / "00000000000000000001-1.part"
    left.write_bytes(b"half")
    os.utime(left, (clock.now, clock.now))
    spool.bound(clock.now + 60.0)
    assert left.exists(), "its writer may still be at it"
    spool.bound(clock.now + 7200.0)
    assert not left.exists()


def test_a_folder_that_is_not_there_yet_is_empty(spool: Spool, clock: Any) -> None:
    assert spool.waiting() == []
    assert spool.bound(clock.now) == 0
    assert spool.state() == {"folder": str(spool.folder), "waiting": 0, "oldest_at": None, "dropped": 0}


def test_several_processes_share_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dicom_node.audit.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]), max_bytes=10**6, keep_s=60)\n"
        "[spool.write(f'{sys.argv[2]}{n:02}'.encode()) for n in range(20)]"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "audit"), name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    found = texts(Spool(tmp_path / "audit", max_bytes=10**6, keep_s=60))
    assert len(found) == 40
    for name in (b"a", b"b"):
        mine = [text for text in found if text.startswith(name)]
        assert mine == sorted(mine), "each one's in its own order"


def test_of_those_that_share_it_one_sends_until_it_ends(spool: Spool, clock: Any) -> None:
    other = Spool(spool.folder, max_bytes=1000, keep_s=DAY_S, clock_ns=clock.ns)
    assert [spool.claim(), other.claim(), spool.claim()] == [True, False, True]
    spool.leave()
    assert [other.claim(), spool.claim()] == [True, False]


def test_files_that_are_not_ours_are_left_alone(spool: Spool) -> None:
    written = spool.write(b"one")
    (spool.folder / "kept-by-hand.xml").write_bytes(b"<x/>")
    assert [message.path for message in spool.waiting()] == [written]
