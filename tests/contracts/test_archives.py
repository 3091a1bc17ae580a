"""What every archive does, whether it lies in a folder or in an object storage."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from object_server import ObjectServer, object_archive

from storage.archive import Archive, folder_name
from storage.errors import BadIdentifier, Damaged, NoRoom, NotFound, Unavailable
from storage.files.disk import Watermarks
from storage.files.folder_archive import FolderArchive
from storage.records import StoredFile

STUDY, OBJECT = "1.2.3", "1.2.3.4"
MISSING = StoredFile("aa/bb/" + "c" * 32 + "/" + "d" * 32 + "-" + "0" * 32 + ".dcm", 1, "0" * 64)


class Kept(NamedTuple):
    """An archive, another one of the same files as on a second machine, and a hand that reaches below both."""

    archive: Archive
    elsewhere: Archive
    full: Archive  # on a disk that is full
    spoil: Callable[[StoredFile, bytes], None]


@pytest.fixture(params=["folder", "objects"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    if request.param == "folder":
        root = tmp_path / "archive"
        archives = [FolderArchive(root, low_water_bytes=low) for low in (0, 0, 2**62)]
        return Kept(*archives, lambda stored, content: (root / stored.path).write_bytes(content) and None)
    server: ObjectServer = request.getfixturevalue("object_server")
    bucket = server.bucket()
    marks = {"here": 0, "elsewhere": 0, "full": 2**62}
    objects = [object_archive(bucket, tmp_path / name, low_water_bytes=low) for name, low in marks.items()]

    def spoil(stored: StoredFile, content: bytes) -> None:
        server.client.put_object(Bucket=bucket.name, Key=f"{bucket.prefix}/{stored.path}", Body=content)

    return Kept(*objects, spoil)


@pytest.fixture
def archive(kept: Kept) -> Archive:
    return kept.archive


def test_what_was_written_is_read_back_here_and_elsewhere(kept: Kept) -> None:
    stored = kept.archive.write(STUDY, OBJECT, [b"part one, ", memoryview(b"part two")])
    assert (stored.size, stored.sha256) == (18, hashlib.sha256(b"part one, part two").hexdigest())
    for archive in (kept.archive, kept.elsewhere):
        assert archive.read(stored) == b"part one, part two"
        with archive.local([stored], checked=True) as (path,):
            assert path.read_bytes() == b"part one, part two"
        assert archive.sizes([stored]) == [18]
        archive.confirm(stored)


def test_what_is_placed_is_settled_before_anything_is_promised(archive: Archive) -> None:
    placed = archive.place(STUDY, OBJECT, [b"content"], hashlib.sha256(b"content").hexdigest())
    archive.confirm(placed.file)
    placed.settle()
    assert archive.read(placed.file) == b"content"


def test_a_known_digest_is_taken_as_it_is(archive: Archive) -> None:
    assert archive.write(STUDY, OBJECT, [b"content"], "ab" * 32).sha256 == "ab" * 32


def test_paths_are_the_same_everywhere_and_hold_no_uid(archive: Archive) -> None:
    path = archive.write(STUDY, OBJECT, [b"content"]).path
    name, sha256 = hashlib.sha256(OBJECT.encode()).hexdigest()[:32], hashlib.sha256(b"content").hexdigest()[:32]
    assert path == f"{folder_name(STUDY)}/{name}-{sha256}.dcm"


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "", "1.2/3", "1.2\0"])
def test_what_is_no_uid_is_refused(archive: Archive, uid: str) -> None:
    for study, instance in ((uid, OBJECT), (STUDY, uid)):
        with pytest.raises(BadIdentifier):
            archive.write(study, instance, [b"content"])
    assert list(archive.incoming.iterdir()) == []


def test_the_same_content_is_one_file_of_which_the_first_stays(kept: Kept) -> None:
    """Heads differ by who sent the object: the row that names the first says how long that one is."""
    digest = hashlib.sha256(b"data set").hexdigest()
    first = kept.archive.write(STUDY, OBJECT, [head(b"CT1"), b"data set"])
    assert first.sha256 == digest
    for archive in (kept.archive, kept.elsewhere):
        assert archive.write(STUDY, OBJECT, [head(b"ANOTHER"), b"data set"], digest) == first
        assert archive.read(first) == head(b"CT1") + b"data set"
    assert kept.archive.write(STUDY, OBJECT, [b"different"]).path != first.path


def head(sender: bytes) -> bytes:
    """A Part 10 head (PS3.10 7.1) whose length depends on the sender's name."""
    group = b"\x02\x00\x16\x00AE" + len(sender).to_bytes(2, "little") + sender
    return b"\0" * 128 + b"DICM\x02\x00\x00\x00UL\x04\x00" + len(group).to_bytes(4, "little") + group


def test_a_sender_that_breaks_off_leaves_nothing(archive: Archive) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half of it"
        raise ValueError("the peer has gone")

    with pytest.raises(ValueError, match="the peer has gone"):
        archive.write(STUDY, OBJECT, broken())
    assert list(archive.incoming.iterdir()) == []
    assert list(archive.lots(folder_name(STUDY)[:2])) == []


def test_nothing_new_is_taken_below_the_watermark_but_what_is_here_is_finished(kept: Kept) -> None:
    with pytest.raises(NoRoom, match="keep_free_bytes"):
        kept.full.write(STUDY, OBJECT, [b"content"])
    assert not kept.full.has_room()
    assert kept.archive.has_room()
    assert kept.full.free_bytes() > Watermarks().low_bytes
    assert kept.full.read(kept.full.write(STUDY, OBJECT, [b"a result"], ours=True)) == b"a result"


def test_a_file_that_was_removed_is_not_confirmed(kept: Kept) -> None:
    stored = kept.archive.write(STUDY, OBJECT, [b"content"])
    kept.elsewhere.remove(stored)
    with pytest.raises(Unavailable, match="send it once more"):
        kept.archive.confirm(stored)
    kept.archive.confirm(kept.archive.write(STUDY, OBJECT, [b"content"]))


def test_what_is_gone_is_said_where_it_is_asked_for(archive: Archive) -> None:
    stored = archive.write(STUDY, OBJECT, [b"content"])
    assert archive.sizes([MISSING, stored]) == [None, 7]
    with pytest.raises(NotFound):
        archive.read(MISSING)
    with archive.local([stored, MISSING]) as (there, gone):
        assert there.read_bytes() == b"content"
        assert not gone.exists()
    with pytest.raises(NotFound), archive.local([stored, MISSING], checked=True):
        pass


@pytest.mark.parametrize("content", [b"cont\0nt", b"", b"content and more"])
def test_what_was_changed_is_damaged(kept: Kept, content: bytes) -> None:
    stored = kept.archive.write(STUDY, OBJECT, [b"content"])
    kept.spoil(stored, content)
    with pytest.raises(Damaged):
        kept.archive.read(stored)
    with pytest.raises(Damaged), kept.elsewhere.local([stored], checked=True):
        pass


def test_files_are_removed_and_removing_twice_is_removing_once(archive: Archive) -> None:
    stored = [archive.write(STUDY, f"{OBJECT}.{n}", [b"content %d" % n]) for n in range(3)]
    archive.remove(*stored[:2])
    archive.remove(*stored[:2])
    archive.remove()
    assert archive.sizes(stored) == [None, None, 9]
    archive.drop_folder(STUDY)
    assert archive.sizes(stored[2:]) == [9]


def test_lots_are_studies_with_all_their_files_and_when_they_were_written(archive: Archive) -> None:
    before = time.time() - 5
    studies = [f"1.2.{n}" for n in range(4)]
    files = {s: {archive.write(s, f"{s}.{n}", [b"content"]).path for n in range(3)} for s in studies}
    found = {lot.folder: lot.written for s in studies for lot in archive.lots(folder_name(s)[:2])}
    assert {folder: set(written) for folder, written in found.items()} == {folder_name(s): f for s, f in files.items()}
    assert all(before < at < time.time() + 5 for written in found.values() for at in written.values())
    lacking = next(f"{n:02x}" for n in range(256) if f"{n:02x}" not in {folder[:2] for folder in found})
    assert list(archive.lots(lacking)) == []
    assert archive.drop_unfinished(lacking, time.time()) == 0


def test_the_sweep_takes_old_leftovers_and_no_file(archive: Archive) -> None:
    stored = archive.write(STUDY, OBJECT, [b"content"])
    (archive.incoming / "left.part").write_bytes(b"half")
    assert archive.sweep_parts(time.time() - 60) == 0
    assert archive.sweep_parts(time.time() + 60) == 1
    assert archive.read(stored) == b"content"
    assert archive.finish_parts(time.time() + 60, lambda _: True) == 0


def test_what_was_noted_last_is_known_everywhere_and_is_no_file(kept: Kept) -> None:
    assert kept.archive.noted() == ""
    for text in ("first", "second, ü"):
        kept.archive.note(text)
        assert (kept.archive.noted(), kept.elsewhere.noted()) == (text, text)
    assert [lot for n in range(256) for lot in kept.archive.lots(f"{n:02x}")] == []


def test_a_copy_is_saved_and_put_back(kept: Kept, tmp_path: Path) -> None:
    stored = [kept.archive.write(STUDY, f"{OBJECT}.{n}", [b"content %d" % n]) for n in range(3)]
    paths = [one.path for one in stored]
    assert kept.archive.save([*paths, MISSING.path], tmp_path / "saved") == 3
    saved = (path.relative_to(tmp_path / "saved").as_posix() for path in tmp_path.rglob("saved/**/*.dcm"))
    assert sorted(saved) == sorted(paths)
    kept.archive.remove(*stored)
    kept.archive.put_back(paths, tmp_path / "saved")
    assert [kept.elsewhere.read(one) for one in stored] == [b"content 0", b"content 1", b"content 2"]


def test_many_writers_of_one_object_agree(kept: Kept) -> None:
    with ThreadPoolExecutor(8) as writers:
        done = [
            writers.submit(archive.write, STUDY, OBJECT, [b"x" * 100_000])
            for archive in (kept.archive, kept.elsewhere) * 4
        ]
        assert len({one.result() for one in done}) == 1
    assert kept.archive.read(done[0].result()) == b"x" * 100_000
    assert list(kept.archive.incoming.iterdir()) == []


def test_who_reads_goes_on_while_the_file_is_written_again(kept: Kept) -> None:
    """As results are sent while the same job runs once more."""
    stored = kept.archive.write(STUDY, OBJECT, [b"x" * 100_000])
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            with kept.archive.local([stored], checked=True) as (path,):
                seen.append(path.read_bytes() == b"x" * 100_000)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        assert kept.archive.write(STUDY, OBJECT, [b"x" * 100_000]) == stored
    stop.set()
    reader.join()
    assert seen
    assert all(seen)


def test_where_it_is_is_said_in_words(archive: Archive) -> None:
    assert str(archive).endswith(("/archive", "/archive at http://127.0.0.1:" + str(archive).rpartition(":")[2]))
