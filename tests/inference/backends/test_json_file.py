"""A model's JSON file is an object, or is named with what is wrong with it."""

from pathlib import Path

import pytest

from inference.backends.json_file import json_object
from inference.backends.recognise import METADATA, recognised
from inference.errors import BundleBroken


def test_an_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "plans.json").write_text('{"a": [1]}')
    assert json_object(tmp_path, "plans.json") == {"a": [1]}


@pytest.mark.parametrize(("content", "wrong"), [
    (None, "cannot be read: FileNotFoundError"), (b"{", "cannot be read: JSONDecodeError"),
    (b"\xff\xfe\xff", "cannot be read: UnicodeDecodeError"), (b"[1]", "is no JSON object"),
    (b"[" * 100_000, "cannot be read: RecursionError"),
])  # fmt: skip
def test_what_is_none_is_named_with_its_owner(tmp_path: Path, content: bytes | None, wrong: str) -> None:
    if content is not None:
        (tmp_path / "plans.json").write_bytes(content)
    with pytest.raises(BundleBroken, match=rf"plans\.json of bundle x {wrong}"):
        json_object(tmp_path, "plans.json", "bundle x")


def test_a_model_with_broken_metadata_is_told(tmp_path: Path) -> None:
    (tmp_path / METADATA).parent.mkdir(parents=True)
    (tmp_path / METADATA).write_text("{")
    with pytest.raises(BundleBroken, match=r"metadata\.json of .* cannot be read"):
        recognised(tmp_path)
