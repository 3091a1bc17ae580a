"""Files: whole and durable under their final name, or not there at all."""

import errno
import hashlib
import os
import threading
import time
from contextlib import contextmanager

import pytest

from storage.archive import NOTE
from storage.errors import BadIdentifier, Damaged, NoRoom, NotFound, Unavailable
from storage.files import folder_archive as module
from storage.files.folder_archive import FolderArchive
from storage.records import StoredFile

STUDY, OBJECT = "1.2.3", "1.2.3.4"


def files(archive):
    return sorted(path for path in archive.root.rglob("*") if path.is_file() and path.name != NOTE)


def test_what_was_written_is_read_back(archive):
    stored = archive.write(STUDY, OBJECT, [b"part one, ", memoryview(b"part two")])
    assert stored.size == 18
    assert stored.sha256 == hashlib.sha256(b"part one, part two").hexdigest()
    assert archive.read(stored) == archive.path(stored).read_bytes() == b"part one, part two"
    assert files(archive) == [archive.path(stored)]


def test_a_known_digest_is_taken_as_it_is(archive):
    assert archive.write(STUDY, OBJECT, [b"content"], "ab" * 32).sha256 == "ab" * 32


def test_no_uid_is_part_of_a_path_and_folders_are_bounded(archive):
    stored = archive.write(STUDY, OBJECT, [b"content"])
    assert STUDY not in stored.path
    assert [len(part) for part in stored.path.split("/")] == [2, 2, 32, 32 + 1 + 32 + 4]


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "", "1.2/3", "1.2\0"])
def test_what_is_no_uid_is_refused_before_the_disk_is_touched(archive, uid):
    for study, instance in ((uid, OBJECT), (STUDY, uid)):
        with pytest.raises(BadIdentifier):
            archive.write(study, instance, [b"content"])
    assert files(archive) == []


def test_the_same_content_twice_is_one_file_and_other_content_another(archive):
    first = archive.write(STUDY, OBJECT, [b"content"])
    inode = archive.path(first).stat().st_ino
    assert archive.write(STUDY, OBJECT, [b"con", b"tent"]) == first
    assert archive.path(first).stat().st_ino == inode, "the first stays"
    other = archive.write(STUDY, OBJECT, [b"different"])
    assert other.path != first.path
    assert len(files(archive)) == 2


def test_file_then_name_then_folder_are_synced_in_this_order(archive, monkeypatch):
    steps = []
    fsync, replace = os.fsync, module.Path.replace

    def note_sync(descriptor):
        steps.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    def note_rename(path, target):
        steps.append(("rename", str(target)))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(module.Path, "replace", note_rename)
    final = archive.path(archive.write(STUDY, OBJECT, [b"content"]))
    assert steps[0][1].endswith(".part")
    assert [path for step, path in steps[1:4]] == [str(final.parents[n]) for n in (1, 2, 3)], "new folders, upward"
    assert steps[4:] == [("rename", str(final)), ("sync", str(final.parent))]
    steps.clear()
    archive.write(STUDY, "1.2.3.5", [b"content"])
    assert [step for step, _ in steps] == ["sync", "rename", "sync"], "folders that are safe are not synced again"


def failing(number):
    yield b"half of it"
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_is_full_or_fails_is_unavailable_and_leaves_nothing(archive, number):
    with pytest.raises(Unavailable, match=os.strerror(number)):
        archive.write(STUDY, OBJECT, failing(number))
    assert files(archive) == []


class FailingFile:
    """A file whose writes fail after the first few bytes."""

    def __init__(self, file, number):
        self.file, self.number = file, number

    def __enter__(self):
        self.file.__enter__()
        return self

    def __exit__(self, *error):
        return self.file.__exit__(*error)

    def write(self, content):
        self.file.write(content[:3])
        raise OSError(self.number, os.strerror(self.number))


def break_at(monkeypatch, call, number):
    """Let one call of `Archive.write` fail with the error of this number."""
    seen = []

    def fail(*_args, **_options):
        seen.append(call)
        raise OSError(number, os.strerror(number))

    opened, fsync = module.Path.open, os.fsync

    def sync(descriptor):
        kind = "sync folder" if os.path.isdir(os.readlink(f"/proc/self/fd/{descriptor}")) else "sync file"
        return fail() if kind == call else fsync(descriptor)

    def open_failing(path, *args, **options):
        seen.append(call)
        return FailingFile(opened(path, *args, **options), number)

    target, name, broken = {
        "make folder": (module.Path, "mkdir", fail),
        "open": (module.Path, "open", fail),
        "write": (module.Path, "open", open_failing),
        "sync file": (module.os, "fsync", sync),
        "rename": (module.Path, "replace", fail),
        "sync folder": (module.os, "fsync", sync),
        "unlink": (module.Path, "unlink", fail),
    }[call]
    monkeypatch.setattr(target, name, broken)
    return seen


CALLS = ["make folder", "open", "write", "sync file", "rename", "sync folder"]
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT]


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", CALLS)
def test_whatever_fails_on_the_way_to_disk_is_told_and_leaves_nothing_half(archive, monkeypatch, call, number):
    with monkeypatch.context() as broken:
        seen = break_at(broken, call, number)
        with pytest.raises(Unavailable, match=os.strerror(number)):
            archive.write(STUDY, OBJECT, [b"whole content"])
        assert seen, "the fault was met"
    assert files(archive) == []
    again = archive.write(STUDY, OBJECT, [b"whole content"])
    assert archive.read(again) == b"whole content", "the sender's next try succeeds"
    assert files(archive) == [archive.path(again)]


def test_a_folder_that_cannot_be_synced_after_the_rename_is_no_success_either(archive, monkeypatch):
    """The name may be lost in a power cut: the file stays, whole, and nobody was told that it is safe."""
    archive.write(STUDY, "1.2.3.5", [b"the folders exist"])
    with monkeypatch.context() as broken:
        seen = break_at(broken, "sync folder", errno.EIO)
        with pytest.raises(Unavailable):
            archive.write(STUDY, OBJECT, [b"whole content"])
        assert seen
    assert sorted(path.read_bytes() for path in files(archive)) == [b"the folders exist", b"whole content"]
    assert archive.read(archive.write(STUDY, OBJECT, [b"whole content"])) == b"whole content"


def test_a_disk_that_fails_at_the_tidying_too_leaves_its_part_to_the_sweep(archive, monkeypatch):
    with monkeypatch.context() as broken:
        break_at(broken, "write", errno.EROFS)
        break_at(broken, "unlink", errno.EROFS)
        with pytest.raises(Unavailable):
            archive.write(STUDY, OBJECT, [b"whole content"])
    (part,) = files(archive)
    assert part.read_bytes() == b"who"
    assert archive.sweep_parts(part.stat().st_mtime + 1) == 1
    assert files(archive) == []


def test_a_sender_that_breaks_off_leaves_nothing(archive):
    def broken():
        yield b"half of it"
        raise ValueError("the peer has gone")

    with pytest.raises(ValueError, match="the peer has gone"):
        archive.write(STUDY, OBJECT, broken())
    assert files(archive) == []


def test_nothing_new_is_taken_below_the_watermark_but_what_is_here_is_finished(tmp_path):
    archive = FolderArchive(tmp_path, low_water_bytes=2**62)
    with pytest.raises(NoRoom, match="keep_free_bytes"):
        archive.write(STUDY, OBJECT, [b"content"])
    assert archive.free_bytes() > 0
    assert archive.read(archive.write(STUDY, OBJECT, [b"a result"], ours=True)) == b"a result"


def test_a_file_that_has_gone_is_not_confirmed(archive):
    stored = archive.write(STUDY, OBJECT, [b"content"])
    archive.confirm(stored)
    archive.remove(stored)
    with pytest.raises(Unavailable, match="send it once more"):
        archive.confirm(stored)


def test_a_file_that_is_written_again_is_young_again(archive):
    path = archive.path(archive.write(STUDY, OBJECT, [b"content"]))
    os.utime(path, (100.0, 100.0))
    archive.write(STUDY, OBJECT, [b"content"])
    assert path.stat().st_mtime > 1e9


def test_folders_and_their_files_are_listed_and_dropped_when_empty(archive):
    stored = archive.write(STUDY, OBJECT, [b"content"])
    (lot,) = archive.lots(stored.path[:2])
    assert archive.root / lot.folder == archive.folder(STUDY)
    assert list(lot.written) == [stored.path]
    archive.drop_folder(STUDY)
    assert archive.path(stored).exists()
    archive.remove(stored)
    archive.drop_folder(STUDY)
    assert list(archive.lots(stored.path[:2])) == []


@pytest.mark.parametrize("damage", [b"", b"cont", b"cont\0nt", None], ids=["empty", "cut", "changed", "unreadable"])
def test_what_comes_again_replaces_a_damaged_file(archive, damage, monkeypatch, caplog):
    stored = archive.write(STUDY, OBJECT, [b"content"])
    if damage is None:
        monkeypatch.setattr(module, "_is_whole", failing_disk)
    else:
        archive.path(stored).write_bytes(damage)
    assert archive.write(STUDY, OBJECT, [b"content"]) == stored
    assert archive.read(stored) == b"content"
    assert "damaged, and is replaced" in caplog.text
    assert not list(archive.incoming.iterdir())


def failing_disk(*_):
    raise OSError(errno.EIO, "Input/output error")


def test_a_file_that_changed_on_disk_is_damaged(archive):
    stored = archive.write(STUDY, OBJECT, [b"content"])
    archive.path(stored).write_bytes(b"cont\0nt")
    with pytest.raises(Damaged):
        archive.read(stored)


def test_a_file_that_is_not_there_is_not_found(archive):
    with pytest.raises(NotFound):
        archive.read(StoredFile("aa/bb/cc/dd.dcm", 1, "0" * 64))


def test_removing_twice_is_removing_once(archive):
    stored = archive.write(STUDY, OBJECT, [b"content"])
    archive.remove(stored)
    archive.remove(stored)
    assert files(archive) == []


def test_a_folder_that_somebody_took_away_is_made_again(archive):
    stored = archive.write(STUDY, OBJECT, [b"content"])
    archive.remove(stored)
    archive.path(stored).parent.rmdir()
    assert archive.read(archive.write(STUDY, OBJECT, [b"content"])) == b"content"


def test_the_sweep_takes_old_leftovers_and_nothing_else(archive):
    stored = archive.write(STUDY, OBJECT, [b"content"])
    old, new = archive.root / "incoming/old.part", archive.root / "incoming/new.part"
    for path, changed in ((old, 100.0), (new, 200.0), (archive.path(stored), 100.0)):
        path.touch()
        os.utime(path, (changed, changed))
    assert archive.sweep_parts(150.0) == 1
    assert files(archive) == sorted([new, archive.path(stored)])


def test_many_writers_of_one_object_agree(archive):
    stored = []
    threads = [
        threading.Thread(target=lambda: stored.append(archive.write(STUDY, OBJECT, [b"x" * 100_000]))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == 8
    assert len(set(stored)) == 1
    assert files(archive) == [archive.path(stored[0])]


def power_cut_before_its_name(archive, monkeypatch, digest: str) -> tuple[StoredFile, str]:
    """A file that was placed, and then the rename was lost: it lies under the name that it had before."""
    parts = []
    replace = module.Path.replace

    def note(path, target):
        parts.append(path)
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(module.Path, "replace", note)
        placed = archive.place(STUDY, OBJECT, [b"content"], digest)
        placed.settle()
    archive.path(placed.file).rename(parts[0])
    os.utime(parts[0], (100.0, 100.0))
    return placed.file, parts[0].name


DIGEST = hashlib.sha256(b"content").hexdigest()


def test_a_whole_file_gets_the_name_that_a_row_waits_for(archive, monkeypatch):
    stored, _ = power_cut_before_its_name(archive, monkeypatch, DIGEST)
    assert archive.finish_parts(150.0, lambda path: path == stored.path) == 1
    assert archive.read(stored) == b"content"
    assert files(archive) == [archive.path(stored)]


@pytest.mark.parametrize("why", ["no row names it", "it is young", "it is not whole", "its place is taken"])
def test_any_other_part_is_left_to_be_swept(archive, monkeypatch, why):
    digest = "ab" * 32 if why == "it is not whole" else DIGEST
    stored, part = power_cut_before_its_name(archive, monkeypatch, digest)
    if why == "its place is taken":
        archive.path(stored).write_bytes(b"the first")
    older_than = 50.0 if why == "it is young" else 150.0
    for _ in range(2):
        assert archive.finish_parts(older_than, lambda _: why != "no row names it") == 0
    assert [path.name for path in files(archive) if path.suffix == ".part"] == [part]
    assert archive.sweep_parts(150.0) == 1


@pytest.mark.parametrize("when", ["before it is looked at", "while it is read"])
def test_a_part_that_is_gone_by_then_keeps_no_other_from_its_name(archive, monkeypatch, when):
    stored, part = power_cut_before_its_name(archive, monkeypatch, DIGEST)
    gone = archive.incoming / part.replace(part[:32], "f" * 32)
    gone.write_bytes(b"content")
    os.utime(gone, (100.0, 100.0))
    scandir, remove = os.scandir, lambda: gone.unlink(missing_ok=True)

    @contextmanager
    def listing(path):
        with scandir(path) as entries:
            found = list(entries)
            if when == "before it is looked at":
                remove()
            yield iter(found)

    def named(_):
        remove()
        return True

    monkeypatch.setattr(module.os, "scandir", listing)
    assert archive.finish_parts(150.0, named) == 1
    assert archive.read(stored) == b"content"


def test_a_part_whose_digest_is_not_known_tells_no_place(archive):
    archive.write(STUDY, OBJECT, [b"content"])
    (archive.root / "incoming" / ("a" * 32 + "-" + "b" * 32 + ".part")).write_bytes(b"half")
    assert archive.finish_parts(float("inf"), lambda _: True) == 0


def test_a_name_is_synced_beside_other_work_only_where_the_disk_takes_long(archive, monkeypatch):
    archive.write(STUDY, OBJECT, [b"content"])
    threads = []
    monkeypatch.setattr(module, "sync", lambda _: threads.append(threading.current_thread()))
    for number, sync_s in enumerate((0.0, 10 * module.WORTH_A_THREAD_S)):
        archive._sync_s = sync_s
        archive.place(STUDY, f"{OBJECT}.{number}", [b"content"]).settle()
    assert [thread is threading.current_thread() for thread in threads] == [True, False]


def test_how_long_syncs_take_is_learned_from_each(archive, monkeypatch):
    monkeypatch.setattr(module, "sync", lambda _: time.sleep(2 * module.WORTH_A_THREAD_S))
    for number in range(8):
        archive.write(STUDY, f"{OBJECT}.{number}", [b"content"])
    assert archive._sync_s > module.WORTH_A_THREAD_S
