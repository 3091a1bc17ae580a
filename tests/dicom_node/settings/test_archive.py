"""Where the files are: a folder, or a bucket and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dicom_node.assembly import assemble
from dicom_node.errors import ConfigurationError
from dicom_node.settings import archive as module
from dicom_node.settings import load
from dicom_node.storing import archive_of, object_store, watermarks
from storage.files.folder_archive import FolderArchive
from storage.files.object_archive import ObjectArchive

BASE = "data_folder: data\ndestinations:\n  pacs: {kind: folder, path: out}\n"
OBJECTS = "archive:\n  url: s3://images/segnode\n  endpoint: http://127.0.0.1:1\n  region: here\n"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(text: str) -> Path:
        (tmp_path / "node.yaml").write_text(BASE + text)
        return tmp_path

    return to


@pytest.mark.parametrize(
    ("text", "place"),
    [("", "data/archive"), ("archive: {folder: files}\n", "files"), ("archive: {}\n", "data/archive")],
)
def test_a_folder_is_below_the_configuration_or_in_the_data(write: Write, text: str, place: str) -> None:
    conf = write(text)
    archive = archive_of(load(conf))
    assert isinstance(archive, FolderArchive)
    assert archive.root == conf / place
    assert archive.fills_disk


def test_a_bucket_is_asked_as_it_is_said(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGNODE_S3_KEY", "the key")
    keys = "  access_key: {environment: SEGNODE_S3_KEY}\n  secret_key: {file: s3.secret}\n  authorities: ca.pem\n"
    conf = write(f"{OBJECTS}{keys}  answer_s: 7\n")
    (conf / "s3.secret").write_text("the secret\n")
    store = object_store(load(conf, look_at_files=True))
    assert store is not None
    bucket = store.bucket
    assert (bucket.name, bucket.prefix, bucket.endpoint) == ("images", "segnode", "http://127.0.0.1:1")
    assert (bucket.keys, bucket.authorities, bucket.answer_s) == (("the key", "the secret"), conf / "ca.pem", 7.0)


def test_its_cache_lies_in_the_data_or_where_it_is_said(write: Write) -> None:
    conf = write(OBJECTS)
    archive = archive_of(load(conf))
    assert isinstance(archive, ObjectArchive)
    assert archive.incoming == conf / "data" / "archive-cache" / "incoming"
    conf = write(f"{OBJECTS}  cache_folder: copies\n")
    assert archive_of(load(conf)).incoming == conf / "copies" / "incoming"


def test_to_remove_studies_early_makes_no_room_for_a_cache(write: Write) -> None:
    assert watermarks(load(write(""))).clean_bytes == 10_000_000_000
    assert watermarks(load(write(OBJECTS))).clean_bytes == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("archive: {url: 'https://images'}\n", "s3://BUCKET or s3://BUCKET/PREFIX is meant"),
        ("archive: {url: 's3://images/../other'}\n", "is meant"),
        ("archive: {url: 's3://images', folder: files}\n", "either folder or url"),
        ("archive: {url: 's3://images', access_key: {environment: KEY}}\n", "go together"),
        ("archive: {endpoint: 'https://s3.example', region: here}\n", "endpoint, region is for an object storage"),
        ("archive: {url: 's3://images', endpoint: 's3.example'}\n", "endpoint"),
    ],
)
def test_what_makes_no_sense_is_said(write: Write, text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        load(write(text))


def test_a_missing_library_is_a_sentence(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'segnode\[s3\]'"):
        load(write(OBJECTS))
    load(write(""))


def test_a_key_that_is_not_there_is_found_before_the_start(write: Write) -> None:
    conf = write(f"{OBJECTS}  access_key: {{environment: NO_SUCH_KEY}}\n  secret_key: {{file: s3.secret}}\n")
    with pytest.raises(ConfigurationError, match=r"archive\.access_key"):
        load(conf, look_at_files=True)
    with pytest.raises(ConfigurationError, match="is no variable of the environment"):
        assemble(load(conf))
