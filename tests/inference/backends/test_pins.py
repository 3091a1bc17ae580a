"""What a model is made of is recorded file by file, and a change is noticed and named."""

import hashlib
import os

import pytest

from inference.backends.pins import digest_of, hashes_of, sha256_of, verified
from inference.errors import BundleBroken


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "scripts").mkdir(parents=True)
    (folder / "weights.pt").write_bytes(b"weights")
    (folder / "scripts" / "net.py").write_text("a = 1\n")
    return folder


def test_every_file_is_recorded_by_its_name(model):
    assert set(hashes_of(model)) == {"weights.pt", "scripts/net.py"}
    assert set(hashes_of(model / "weights.pt")) == {"weights.pt"}


def test_what_was_recorded_is_one_hash(model):
    before = verified(model, hashes_of(model))
    assert verified(model, hashes_of(model)) == before
    (model / "weights.pt").write_bytes(b"others")
    assert verified(model, hashes_of(model)) != before


def test_a_changed_file_is_named(model):
    recorded = hashes_of(model)
    at = (model / "weights.pt").stat()
    (model / "weights.pt").write_bytes(b"wEIGHTS")
    os.utime(model / "weights.pt", ns=(at.st_atime_ns, at.st_mtime_ns))  # also where its age is made to look the same
    with pytest.raises(BundleBroken, match=r"weights\.pt of model model was changed"):
        verified(model, recorded)


def test_missing_and_added_files_are_named(model):
    recorded = hashes_of(model)
    (model / "scripts" / "__pycache__").mkdir()
    (model / "scripts" / "__pycache__" / "net.pyc").write_bytes(b"code")
    with pytest.raises(BundleBroken, match=r"contains scripts/__pycache__/net\.pyc, which was not there"):
        verified(model, recorded)
    (model / "scripts" / "__pycache__" / "net.pyc").unlink()
    (model / "scripts" / "net.py").unlink()
    with pytest.raises(BundleBroken, match=r"lacks scripts/net\.py"):
        verified(model, recorded)


def test_what_was_never_recorded_is_not_run(model):
    with pytest.raises(BundleBroken, match=r"were never recorded.*`segnode models pin`"):
        verified(model, {})


def test_a_link_to_a_folder_cannot_hide_code(model, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (model / "lib").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleBroken, match="contains lib, a link to a folder"):
        hashes_of(model)


def test_no_model_is_said_so(tmp_path):
    with pytest.raises(BundleBroken, match=r"no model at .*nowhere"):
        hashes_of(tmp_path / "nowhere")


def test_hashes_are_those_of_the_content(model):
    assert sha256_of(model / "weights.pt") == hashlib.sha256(b"weights").hexdigest()
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
