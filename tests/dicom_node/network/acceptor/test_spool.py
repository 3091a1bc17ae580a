"""Where a data set is while it comes in."""

import errno
import resource
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from pydicom import dcmread

from dicom_node.network.acceptor.spool import IN_MEMORY_BYTES, Bounded, Spool
from dicom_node.network.client import send

MIB = 1024 * 1024


def spool(folder, limit=64 * MIB, has_room=lambda: True) -> Spool:
    return Spool(limit, folder, has_room)


def fill(one: Spool, size: int) -> bytes:
    data = b"".join(number.to_bytes(8, "little") for number in range(size // 8))
    for at in range(0, size, 100_000):
        one.write(data[at : at + 100_000])
    return data


@pytest.mark.parametrize("size", [0, 80_000, IN_MEMORY_BYTES, IN_MEMORY_BYTES + 8, 3 * IN_MEMORY_BYTES])
def test_what_was_written_is_what_is_read(tmp_path, size):
    one = spool(tmp_path)
    data = fill(one, size)
    assert one.getbuffer() == data
    assert not one.trouble


def test_a_large_one_leaves_no_name_behind_and_little_memory(tmp_path):
    tracemalloc.start()
    one = spool(tmp_path)
    for _ in range(48):
        one.write(bytes(MIB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert one.size == 48 * MIB
    assert list(tmp_path.iterdir()) == []
    assert peak < 2.5 * IN_MEMORY_BYTES


@pytest.mark.parametrize("limit", [1000, IN_MEMORY_BYTES + MIB])
def test_one_beyond_its_limit_is_let_go(tmp_path, limit):
    one = spool(tmp_path, limit)
    fill(one, limit - limit % 8)
    assert not one.trouble
    assert one.write(bytes(10)) == 10
    assert f"larger than the {limit} bytes" in one.trouble
    assert len(one.getbuffer()) == 0


def test_a_disk_below_its_watermark_gets_none(tmp_path):
    one = spool(tmp_path, has_room=lambda: False)
    fill(one, IN_MEMORY_BYTES)
    assert not one.trouble
    one.write(b"x")
    assert "free space" in one.trouble


@pytest.fixture
def full_beyond() -> Iterator[Callable[[int], None]]:
    """Have the system write no file of this process beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("piece", [4000, 16_378], ids=["small fragments", "usual ones"])
@pytest.mark.parametrize("room", [MIB, IN_MEMORY_BYTES + MIB], ids=["no room at all", "some"])
@pytest.mark.parametrize("lacking", [1, MIB])
def test_a_full_disk_is_told_whenever_it_shows(tmp_path, full_beyond, piece, room, lacking):
    one = spool(tmp_path)
    full_beyond(room)
    rest = max(room, IN_MEMORY_BYTES) + lacking
    while rest:
        rest -= one.write(bytes(min(piece, rest)))
    assert "could not be written" in one.trouble
    assert len(one.getbuffer()) == 0


def test_a_disk_that_fails_is_told(tmp_path, monkeypatch):
    one = spool(tmp_path)
    fill(one, IN_MEMORY_BYTES + 8)

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(one._file, "write", full)
    one.write(b"x")
    assert "No space left" in one.trouble


def test_a_bounded_buffer_takes_so_much_and_no_more():
    buffer = Bounded(10)
    buffer.write(bytes(10))
    with pytest.raises(ValueError, match="more than is sensible"):
        buffer.write(b"x")


def test_a_large_object_is_kept_like_a_small_one(listen, make_slices):
    ear = listen()
    files = make_slices(2, Rows=4096, Columns=2048, PixelData=bytes(range(256)) * (2 * 8 * MIB // 256))
    assert all(status.stored for status in send(files, ear.peer).values())
    kept = ear.instances(dcmread(files[0]).StudyInstanceUID)
    assert [dcmread(ear.archive.path(one.file)) for one in kept] == [dcmread(path) for path in files]
    assert len(ear.files()) == 2


def test_an_object_that_is_too_large_is_refused_and_journalled_and_the_next_is_kept(listen, make_slices):
    ear = listen(max_object_bytes=MIB)
    small = make_slices(1)
    large = make_slices(1, Rows=1024, Columns=1024, PixelData=bytes(2 * MIB))
    refused, kept = send([*large, *small], ear.peer).values()
    assert str(refused).startswith("0xA700")
    assert kept.stored
    assert len(ear.files()) == 1
    ((event, text),) = ear.journal()
    assert event == "refused"
    assert "max_object_bytes" in text
