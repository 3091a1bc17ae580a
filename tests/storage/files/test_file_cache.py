"""Copies: whole or not there, no more of them than were asked for, and none goes while it is read."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.errors import Unavailable
from storage.files import file_cache as module
from storage.files.file_cache import FileCache
from storage.records import StoredFile

LATELY = time.time() - 1000


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "cache", 16_000)


def stored(number: int, size: int = 1000) -> StoredFile:
    content = b"%d" % number * size
    path = f"{number:02x}/cd/{'e' * 32}/{'f' * 32}-{number:032x}.dcm"
    return StoredFile(path, size, hashlib.sha256(content[:size]).hexdigest())


def keep(cache: FileCache, number: int, size: int = 1000, used: float | None = None) -> StoredFile:
    part = cache.part()
    part.write_bytes((b"%d" % number * size)[:size])
    if used is not None:
        os.utime(part, (used, used))
    cache.keep(part, stored(number, size).path)
    return stored(number, size)


def copies(cache: FileCache) -> int:
    return sum(path.is_file() for path in (cache.root / "files").rglob("*"))


def has(cache: FileCache, one: StoredFile) -> bool:
    with cache.hold() as folder:
        return cache.find(one, folder / "copy")


def test_what_was_kept_is_found_whole(cache: FileCache) -> None:
    one = keep(cache, 1)
    with cache.hold() as folder:
        assert cache.find(one, folder / "copy")
        assert (folder / "copy").read_bytes() == b"1" * 1000
    assert not folder.exists()
    assert not has(cache, stored(2))
    assert list(cache.incoming.iterdir()) == []


def test_a_copy_that_is_not_what_is_stored_is_not_used_and_goes(cache: FileCache) -> None:
    one = keep(cache, 1)
    (path,) = (path for path in (cache.root / "files").rglob("*.dcm"))
    path.write_bytes(b"")  # as a power cut may leave it
    assert not has(cache, one)
    assert copies(cache) == 0


def test_what_was_used_longest_ago_goes_first(cache: FileCache) -> None:
    files = [keep(cache, number, used=LATELY + number) for number in range(12)]
    assert has(cache, files[0]), "which uses it"
    cache.trim(3000)
    assert [has(cache, one) for one in files] == [True, *[False] * 9, True, True]


def test_what_nobody_has_used_for_long_goes(cache: FileCache) -> None:
    """Its study may have been removed by another machine."""
    old, new = keep(cache, 1, used=time.time() - module.UNUSED_S - 60), keep(cache, 2, used=LATELY)
    cache.sweep(0.0)
    assert [has(cache, one) for one in (old, new)] == [False, True]


def test_it_stays_about_as_large_as_was_asked_for(cache: FileCache) -> None:
    for number in range(60):
        keep(cache, number, used=LATELY + number)
        assert copies(cache) <= 17
    assert copies(cache) >= 14


def test_what_would_fill_it_alone_is_not_kept(cache: FileCache) -> None:
    assert not has(cache, keep(cache, 1, 1001))
    assert list(cache.incoming.iterdir()) == []


def test_what_is_read_stays_until_it_was(cache: FileCache) -> None:
    one = keep(cache, 1)
    with cache.hold() as folder:
        assert cache.find(one, folder / "copy")
        cache.trim(0)
        cache.forget(one.path)
        cache.sweep(time.time() + 10)
        assert (folder / "copy").read_bytes() == b"1" * 1000
    assert not has(cache, one)


def test_holds_are_each_their_own(cache: FileCache) -> None:
    one = keep(cache, 1)
    with cache.hold() as first:
        assert cache.find(one, first / "copy")
        with cache.hold() as second:
            assert cache.find(one, second / "copy")
        assert (first / "copy").exists()


def test_two_processes_share_it(cache: FileCache) -> None:
    one = keep(cache, 1)
    assert has(FileCache(cache.root, 16_000), one)


def test_what_a_dead_process_held_is_swept_and_what_a_living_one_holds_is_not(
    cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "YOUNG_S", -1.0)
    code = (
        "import os, sys, pathlib\nfrom storage.files.file_cache import FileCache\n"
        "with FileCache(pathlib.Path(sys.argv[1]), 1).hold() as folder:\n"
        "    (folder / 'copy').write_bytes(b'x')\n    print(folder, flush=True)\n    os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", code, str(cache.root)]
    died = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(module.__file__).parents[1])
    left = Path(died.stdout.strip())
    assert left.exists(), died.stderr
    with cache.hold() as folder:
        cache.sweep(0.0)
        assert not left.parent.exists()
        assert folder.exists()


def test_parts_are_swept_when_they_are_old(cache: FileCache) -> None:
    cache.part().write_bytes(b"half")
    assert cache.sweep(time.time() - 60) == 0
    assert cache.sweep(time.time() + 60) == 1
    assert list(cache.incoming.iterdir()) == []


def test_a_disk_that_fails_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"no folder")
    with pytest.raises(Unavailable, match="disk failed"):
        FileCache(tmp_path / "cache", 0)
