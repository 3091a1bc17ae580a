"""One bucket, asked over a road that can be troubled: what is answered True is there as it was sent."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Identity
from object_server import ObjectServer, Road, road_to

from storage.errors import NoAccess, NotFound, Unavailable
from storage.files import object_store as module
from storage.files.object_store import Bucket, ObjectStore

CONTENT = b"an image" * 1000
LEAST = 5 << 20  # of a part, but for the last (S3)


@pytest.fixture
def store(object_server: ObjectServer, road: Road) -> ObjectStore:
    return ObjectStore(object_server.bucket(road.url, connect_s=1.0, answer_s=1.0))


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", LEAST)


def put(store: ObjectStore, key: str = "ab/cd", content: bytes = CONTENT, **said: Any) -> bool:
    return store.put(key, BytesIO(content), len(content), hashlib.md5(content).digest(), **said)


def got(store: ObjectStore, key: str = "ab/cd") -> bytes:
    return b"".join(store.get(key))


def test_what_was_put_is_got_below_the_prefix_and_listed_without_it(
    store: ObjectStore, object_server: ObjectServer
) -> None:
    assert put(store)
    assert got(store) == CONTENT
    assert object_server.client.head_object(Bucket=store.bucket.name, Key="site/archive/ab/cd")
    (one,) = store.listed("ab/")
    assert one.key == "ab/cd"
    assert one.written == pytest.approx(time.time(), abs=10)
    assert store.look("ab/cd") == (len(CONTENT), hashlib.md5(CONTENT).hexdigest())
    store.delete("ab/cd")
    store.delete("ab/cd")
    assert store.look("ab/cd") is None
    with pytest.raises(NotFound):
        got(store)


def test_the_first_stays_unless_it_is_to_be_replaced(store: ObjectStore) -> None:
    assert put(store)
    assert not put(store, content=b"another")
    assert got(store) == CONTENT
    assert put(store, content=b"another", anyway=True)
    assert got(store) == b"another"


def test_a_server_that_knows_no_conditions_is_asked_first(store: ObjectStore, road: Road) -> None:
    store._knows_conditions = False
    assert put(store)
    assert not put(store, content=b"another")
    assert [verb for verb, _ in road.asked] == ["HEAD", "PUT", "HEAD"]


@pytest.mark.parametrize(("size", "parts"), [(LEAST, 1), (2 * LEAST + 1, 3)])
@pytest.mark.usefixtures("small_parts")
def test_a_large_one_goes_in_parts(store: ObjectStore, road: Road, size: int, parts: int) -> None:
    content = (os.urandom(1024) * (size // 1024 + 1))[:size]
    assert put(store, content=content)
    assert sum(verb == "PUT" for verb, _ in road.asked) == parts
    assert got(store) == content
    assert not put(store, content=content)


@pytest.mark.parametrize(("trouble", "times"), [("busy", 2), ("deaf", 2), ("mute", 1), ("late", 1)])
@pytest.mark.parametrize("verb", ["PUT", "HEAD", "GET"])
def test_a_trouble_that_passes_is_not_noticed(
    store: ObjectStore, road: Road, trouble: str, times: int, verb: str
) -> None:
    put(store, "other")
    road.meet(trouble, verb, times)
    if verb == "PUT":
        put(store)  # where the answer was lost it may be told that it is there
    else:
        put(store)
        assert store.look("ab/cd") is not None
    assert got(store) == CONTENT
    assert road.times == 0


@pytest.mark.parametrize("trouble", ["busy", "deaf", "late"])
def test_one_that_stays_is_unavailable_soon(store: ObjectStore, road: Road, trouble: str) -> None:
    put(store, "other")
    asked: dict[str, Callable[[], object]] = {"PUT": lambda: put(store), "DELETE": lambda: store.delete("other")}
    if trouble != "late":
        asked |= {"HEAD": lambda: store.look("other"), "GET": lambda: got(store, "other")}
    for verb, ask in asked.items():
        road.meet(trouble, verb, 99)
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=r"s3://bucket-\d+/site/archive at http://127.0.0.1:\d+ (does|answers)"):
            ask()
        assert time.monotonic() - begun < 15
    road.times = 0
    if trouble != "late":  # which may be heard all the same
        assert store.look("ab/cd") is None
        assert got(store, "other") == CONTENT


def test_nobody_waits_in_a_transaction_for_more_than_one_answer(store: ObjectStore, road: Road) -> None:
    put(store)
    road.asked.clear()
    road.meet("late", "HEAD", 99)
    with pytest.raises(Unavailable):
        store.look("ab/cd", briefly=True)
    assert len(road.asked) == 1


@pytest.mark.parametrize("content", [CONTENT, b"x" * (LEAST + 1)], ids=["whole", "in parts"])
@pytest.mark.usefixtures("small_parts")
def test_what_was_changed_on_its_way_is_not_taken_for_stored(store: ObjectStore, road: Road, content: bytes) -> None:
    """The server does not look at Content-MD5, as some do not; its ETag tells."""
    road.meet("garbled", "PUT")
    with pytest.raises(Unavailable, match="otherwise than it was sent"):
        put(store, content=content)


def test_a_body_that_breaks_off_is_unavailable(store: ObjectStore, road: Road) -> None:
    put(store)
    road.meet("short", "GET")
    with pytest.raises(Unavailable):
        got(store)


def test_one_that_comes_too_slowly_is_given_up(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store)
    monkeypatch.setattr(module, "SLOWEST", 1e9)
    monkeypatch.setattr(module, "PIECE", 1000)
    pieces = store.get("ab/cd")
    next(pieces)
    time.sleep(1.1)
    with pytest.raises(Unavailable, match="more slowly"):
        next(pieces)


@pytest.mark.usefixtures("small_parts")
def test_what_failed_in_parts_leaves_no_upload_and_what_a_crash_left_is_dropped(
    store: ObjectStore, object_server: ObjectServer, road: Road
) -> None:
    road.meet("garbled", "PUT")
    with pytest.raises(Unavailable):
        put(store, content=b"x" * (LEAST + 1))
    at = {"Bucket": store.bucket.name}
    assert "Uploads" not in object_server.client.list_multipart_uploads(**at)
    object_server.client.create_multipart_upload(**at, Key="site/archive/ab/left")
    object_server.client.create_multipart_upload(**at, Key="others/ab/left")
    assert store.drop_uploads("cd/", time.time()) == 0
    assert store.drop_uploads("ab/", 0.0) == 0
    assert store.drop_uploads("ab/", time.time()) == 1
    assert len(object_server.client.list_multipart_uploads(**at)["Uploads"]) == 1


def test_a_listing_of_many_pages_is_whole(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        put(store, f"ab/{number}", b"x")
    monkeypatch.setattr(module, "PAGE", 2)
    assert [one.key for one in store.listed("ab/")] == [f"ab/{number}" for number in range(5)]


class TestTryOut:
    def test_leaves_nothing(self, store: ObjectStore) -> None:
        store.try_out()
        assert list(store.listed("")) == []

    def test_names_a_bucket_that_is_not_there(self, object_server: ObjectServer) -> None:
        absent = ObjectStore(Bucket("nowhere", "", object_server.url, "us-east-1", ("key", "secret")))
        with pytest.raises(NoAccess, match=r"s3://nowhere at .*no such bucket; make it, or correct archive.url"):
            absent.try_out()

    def test_says_what_is_forbidden(self, store: ObjectStore, road: Road) -> None:
        road.meet("forbidden", "PUT", 9)
        with pytest.raises(NoAccess, match=r"refuses us \(AccessDenied\); the access key and this"):
            store.try_out()

    def test_says_that_no_key_was_found(
        self, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(NoAccess, match="no access key was found; name one under archive"):
            ObjectStore(Bucket("bucket", "", object_server.url, "us-east-1")).try_out()

    def test_takes_a_key_from_the_environment(
        self, object_server: ObjectServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        assert put(ObjectStore(Bucket(object_server.bucket().name, "", object_server.url, "us-east-1")))


def test_by_tls_its_authority_must_be_known(object_server: ObjectServer, hospital: Authority, ours: Identity) -> None:
    with road_to(object_server, ours) as road:
        known = object_server.bucket(road.url, authorities=hospital.certificate)
        assert put(ObjectStore(known))
        with pytest.raises(Unavailable, match=r"not trusted here; name its authority in archive\.authorities"):
            ObjectStore(replace(known, authorities=None)).look("ab/cd", briefly=True)


def test_the_first_node_claims_it_and_no_other_comes_in(store: ObjectStore) -> None:
    for _ in range(2):
        store.claim("ours")
    with pytest.raises(NoAccess, match="holds the files of another node"):
        store.claim("theirs")


def test_no_key_is_shown() -> None:
    bucket = Bucket("bucket", "prefix", "https://s3.example", "here", ("very", "secret"))
    assert "secret" not in f"{bucket!r} {bucket} {ObjectStore(bucket)}"
    assert str(bucket) == "s3://bucket/prefix at https://s3.example"
    assert str(Bucket("bucket")) == "s3://bucket"
