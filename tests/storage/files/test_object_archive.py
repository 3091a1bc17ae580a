"""What only an archive in an object storage does: its cache, and what becomes of troubles on the way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from object_server import ObjectServer, Road, object_archive, road_to

from storage.archive import NOTE
from storage.database import Database
from storage.errors import Damaged, NotFound, StorageError, Unavailable
from storage.files.object_archive import AT_ONCE, ObjectArchive
from storage.files.object_store import Bucket
from storage.records import StoredFile
from storage.upkeep.reconcile import sweep_orphans

STUDY, OBJECT = "1.2.3", "1.2.3.4"


@pytest.fixture
def bucket(object_server: ObjectServer, road: Road) -> Bucket:
    return object_server.bucket(road.url, connect_s=1.0, answer_s=1.0)


@pytest.fixture
def archive(bucket: Bucket, tmp_path: Path) -> ObjectArchive:
    return object_archive(bucket, tmp_path / "here")


@pytest.fixture
def elsewhere(bucket: Bucket, tmp_path: Path) -> ObjectArchive:
    """The same on another machine, whose cache is empty."""
    return object_archive(bucket, tmp_path / "elsewhere")


def gets(road: Road) -> int:
    return sum(verb == "GET" for verb, _ in road.asked)


def content_of(archive: ObjectArchive, stored: StoredFile) -> bytes:
    with archive.local([stored], checked=True) as (path,):
        return path.read_bytes()


class TestCache:
    def test_what_was_stored_or_had_here_is_not_asked_for_again(
        self, archive: ObjectArchive, elsewhere: ObjectArchive, road: Road
    ) -> None:
        stored = archive.write(STUDY, OBJECT, [b"content"])
        assert content_of(archive, stored) == b"content"
        assert gets(road) == 0
        assert [content_of(elsewhere, stored) for _ in range(3)] == [b"content"] * 3
        assert gets(road) == 1

    def test_without_one_only_what_is_read_is_here(self, bucket: Bucket, road: Road, tmp_path: Path) -> None:
        archive = object_archive(bucket, tmp_path / "none", cache_bytes=0)
        stored = archive.write(STUDY, OBJECT, [b"content"])
        with archive.local([stored]) as (path,):
            assert path.read_bytes() == b"content"
        assert not path.exists()
        assert gets(road) == 1
        assert not [path for path in (tmp_path / "none").rglob("*") if path.is_file() and path.name != "lock"]

    def test_a_damaged_copy_is_had_anew(self, archive: ObjectArchive, road: Road, tmp_path: Path) -> None:
        stored = archive.write(STUDY, OBJECT, [b"content"])
        (copy,) = (tmp_path / "here" / "files").rglob("*.dcm")
        copy.write_bytes(b"cont\0nt")
        assert content_of(archive, stored) == b"content"
        assert gets(road) == 1

    def test_what_is_removed_goes_here_too(self, archive: ObjectArchive) -> None:
        stored = archive.write(STUDY, OBJECT, [b"content"])
        archive.remove(stored)
        with pytest.raises(NotFound):
            content_of(archive, stored)

    def test_on_a_full_disk_it_makes_room_for_who_comes_next(self, bucket: Bucket, tmp_path: Path) -> None:
        archive = object_archive(bucket, tmp_path / "full", low_water_bytes=2**62)
        archive.write(STUDY, OBJECT, [b"content"], ours=True)
        assert list((tmp_path / "full" / "files").rglob("*.dcm"))
        assert not archive.has_room()
        assert not list((tmp_path / "full" / "files").rglob("*.dcm"))

    def test_many_files_are_had_at_once(
        self, archive: ObjectArchive, elsewhere: ObjectArchive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = [archive.write(STUDY, f"{OBJECT}.{n}", [b"%d" % n]) for n in range(AT_ONCE)]
        together = threading.Barrier(AT_ONCE, timeout=20)
        receive = ObjectArchive._receive

        def wait_for_the_others(*said: object) -> None:
            together.wait()
            receive(*said)  # type: ignore[arg-type]

        monkeypatch.setattr(ObjectArchive, "_receive", wait_for_the_others)
        with elsewhere.local(files) as paths:
            assert [path.read_bytes() for path in paths] == [b"%d" % n for n in range(AT_ONCE)]


class TestTrouble:
    @pytest.mark.parametrize("trouble", ["busy", "deaf", "mute", "late"])
    def test_one_that_passes_while_it_is_stored(self, archive: ObjectArchive, road: Road, trouble: str) -> None:
        """Where an answer is lost the second try is told that it is there, and that is looked at."""
        road.meet(trouble, "PUT")
        stored = archive.write(STUDY, OBJECT, [b"content"])
        archive.confirm(stored)
        assert archive.read(stored) == b"content"

    @pytest.mark.parametrize("trouble", ["busy", "deaf", "forbidden", "garbled"])
    def test_one_that_stays_is_told_and_the_next_try_succeeds(
        self, archive: ObjectArchive, road: Road, trouble: str
    ) -> None:
        road.meet(trouble, "PUT", 99)
        with pytest.raises(Unavailable):
            archive.write(STUDY, OBJECT, [b"content"])
        assert list(archive.incoming.iterdir()) == []
        road.times = 0
        stored = archive.write(STUDY, OBJECT, [b"content"])
        assert archive.read(stored) == b"content", "also where a garbled one lay there"

    def test_what_is_there_and_damaged_is_replaced_by_what_arrives(
        self, archive: ObjectArchive, object_server: ObjectServer, bucket: Bucket
    ) -> None:
        stored = archive.write(STUDY, OBJECT, [b"content"])
        place = {"Bucket": bucket.name, "Key": f"{bucket.prefix}/{stored.path}"}
        object_server.client.put_object(**place, Body=b"cont\0nt")
        with pytest.raises(Damaged):
            archive.read(stored)
        assert archive.write(STUDY, OBJECT, [b"content"]) == stored
        assert archive.read(stored) == b"content"

    @pytest.mark.parametrize("trouble", ["busy", "deaf", "short", "garbled", "late"])
    def test_one_that_passes_while_it_is_read(
        self, archive: ObjectArchive, elsewhere: ObjectArchive, road: Road, trouble: str
    ) -> None:
        stored = archive.write(STUDY, OBJECT, [b"content" * 1000])
        road.meet(trouble, "GET")
        assert content_of(elsewhere, stored) == b"content" * 1000

    @pytest.mark.parametrize(
        ("trouble", "fault"), [("deaf", Unavailable), ("short", Unavailable), ("garbled", Damaged)]
    )
    def test_one_that_stays_while_it_is_read(
        self, archive: ObjectArchive, elsewhere: ObjectArchive, road: Road, trouble: str, fault: type[StorageError]
    ) -> None:
        stored = archive.write(STUDY, OBJECT, [b"content" * 1000])
        road.meet(trouble, "GET", 99)
        with pytest.raises(fault):
            content_of(elsewhere, stored)
        road.times = 0
        assert list(elsewhere.incoming.iterdir()) == []
        assert content_of(elsewhere, stored) == b"content" * 1000

    def test_a_damaged_object_is_not_handed_out_and_is_told(
        self, archive: ObjectArchive, elsewhere: ObjectArchive, road: Road, caplog: pytest.LogCaptureFixture
    ) -> None:
        stored = archive.write(STUDY, OBJECT, [b"content"])
        road.meet("garbled", "GET", 99)
        with elsewhere.local([stored]) as (path,):
            assert not path.exists()
        assert "is not what was written; `segnode verify` names what it is of" in caplog.text

    def test_one_object_that_cannot_be_removed_is_told(self, archive: ObjectArchive, road: Road) -> None:
        stored = [archive.write(STUDY, f"{OBJECT}.{n}", [b"%d" % n]) for n in range(3)]
        road.meet("busy", "DELETE")
        with pytest.raises(Unavailable):
            archive.remove(*stored)
        archive.remove(*stored)
        assert archive.sizes(stored) == [None] * 3

    def test_a_server_that_is_gone_and_comes_back(
        self, free_port: Callable[[], int], tmp_path: Path
    ) -> None:
        server = ObjectServer(free_port(), tmp_path / "moto.log")
        server.start()
        try:
            with road_to(server) as road:
                bucket = server.bucket(road.url, connect_s=1.0, answer_s=2.0)
                archive = object_archive(bucket, tmp_path / "here")
                stored = archive.write(STUDY, OBJECT, [b"content"])
                server.stop()
                for ask in (
                    lambda: archive.write(STUDY, "1.2.3.5", [b"content"]),
                    lambda: archive.confirm(stored),
                    lambda: archive.read(stored),
                    lambda: archive.remove(stored),
                    lambda: list(archive.lots(stored.path[:2])),
                ):
                    with pytest.raises(Unavailable, match="does not answer"):
                        ask()
                assert content_of(archive, stored) == b"content", "from the cache"
                server.start()
                server.client.create_bucket(Bucket=bucket.name)
                archive.confirm(archive.write(STUDY, "1.2.3.5", [b"content"]))
        finally:
            server.stop()


def test_what_a_backup_says_otherwise_is_not_taken_back(archive: ObjectArchive, tmp_path: Path) -> None:
    stored = archive.write(STUDY, OBJECT, [b"content"])
    archive.save([stored.path], tmp_path / "saved")
    archive.remove(stored)
    (tmp_path / "saved" / stored.path).write_bytes(b"cont\0nt")
    with pytest.raises(Damaged, match="in the backup is not what was written"):
        archive.put_back([stored.path], tmp_path / "saved")
    (tmp_path / "saved" / "notes.dcm").write_bytes(b"content")
    with pytest.raises(Damaged, match="no path of a stored file"):
        archive.put_back(["notes.dcm"], tmp_path / "saved")


def test_what_others_keep_in_the_bucket_is_left_alone(
    archive: ObjectArchive, object_server: ObjectServer, bucket: Bucket, db: Database
) -> None:
    stored = archive.write(STUDY, OBJECT, [b"nobody names it"])
    prefix = stored.path[:2]
    others = (f"{bucket.prefix}/{prefix}/notes.txt", f"{prefix}/outside.dcm")
    for key in others:
        object_server.client.put_object(Bucket=bucket.name, Key=key, Body=b"others")
    assert sweep_orphans(db, archive, prefix, time.time()) == 0, "it is young"
    assert sweep_orphans(db, archive, prefix, time.time() + 7 * 86400) == 1
    left = object_server.client.list_objects_v2(Bucket=bucket.name)["Contents"]
    assert {one["Key"] for one in left} == {*others, f"{bucket.prefix}/{NOTE}"}


WRITER = """
import os, sys
from pathlib import Path
from object_server import object_archive
from storage.files.object_store import Bucket

bucket = Bucket(sys.argv[1], "site/archive", sys.argv[2], "us-east-1", ("key", "secret"))
archive = object_archive(bucket, Path(sys.argv[3]))
number = 0
while True:
    stored = archive.write("1.2.3", f"1.2.3.{os.getpid()}.{number}", [b"%d" % number * 1000])
    archive.confirm(stored)
    print(stored.path, stored.size, stored.sha256, flush=True)
    number += 1
"""


def test_a_writer_that_is_killed_loses_nothing_that_it_acknowledged(
    archive: ObjectArchive, elsewhere: ObjectArchive, bucket: Bucket, tmp_path: Path
) -> None:
    root, support = Path(__file__).parents[3], Path(__file__).parents[2] / "support"
    environment = {**os.environ, "PYTHONPATH": f"{root}:{support}"}
    command = [sys.executable, "-c", WRITER, bucket.name, str(bucket.endpoint), str(tmp_path / "here")]
    writers = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = []
    for writer in writers:
        assert writer.stdout is not None
        told += [writer.stdout.readline() for _ in range(5)]
        writer.kill()
        told += writer.stdout.readlines()
        writer.wait()
    whole = (line.split() for line in told if line.endswith("\n"))
    acknowledged = [StoredFile(path, int(size), sha256) for path, size, sha256 in whole]
    assert len(acknowledged) >= 10
    for one in (archive, elsewhere):
        with one.local(acknowledged, checked=True) as paths:
            assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == [f.sha256 for f in acknowledged]
    archive.sweep_parts(time.time() + 60)
    assert list(archive.incoming.iterdir()) == []


AWAY: dict[str, Callable[[ObjectArchive, StoredFile], object]] = {
    "write": lambda archive, _: archive.write(STUDY, "1.2.3.5", [b"content"]),
    "read": lambda archive, stored: archive.read(stored),
    "local": lambda archive, stored: archive.local([stored]).__enter__(),
    "checked": lambda archive, stored: archive.local([stored], checked=True).__enter__(),
    "sizes": lambda archive, stored: archive.sizes([stored]),
    "confirm": lambda archive, stored: archive.confirm(stored),
    "check_there": lambda archive, _: archive.check_there(),
    "remove": lambda archive, stored: archive.remove(stored),
    "noted": lambda archive, _: archive.noted(),
}


@pytest.mark.parametrize("asked", AWAY)
@pytest.mark.parametrize("trouble", ["no bucket", "forbidden"])
def test_a_bucket_that_is_away_has_lost_nothing(
    elsewhere: ObjectArchive, object_server: ObjectServer, bucket: Bucket, road: Road, trouble: str, asked: str
) -> None:
    stored = StoredFile("aa/bb/" + "c" * 32 + "/" + "d" * 32 + "-" + "0" * 32 + ".dcm", 1, "0" * 64)
    if trouble == "no bucket":
        object_server.client.delete_bucket(Bucket=bucket.name)
    else:
        road.trouble, road.troubles, road.times = trouble, lambda *_: True, 99
    with pytest.raises(Unavailable):
        AWAY[asked](elsewhere, stored)
