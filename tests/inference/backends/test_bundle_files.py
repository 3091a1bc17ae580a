"""A bundle is run only when it is whole, unchanged and understood."""

import json

import pytest

from inference.backends.bundle_files import HASHES, INFERENCE, METADATA, WEIGHTS, read_bundle, write_hashes
from inference.errors import BundleBroken
from inference.findings import IntendedUse


def test_its_identity_comes_from_its_files(bundle):
    identity = read_bundle(bundle).identity
    assert (identity.name, identity.version) == ("Tiny", "1.2.3")
    assert identity.intended_use is IntendedUse.DEMONSTRATION
    assert len(identity.sha256) == 64


def test_the_layout_is_monais(bundle):
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert files == {METADATA, INFERENCE, WEIGHTS, HASHES, "docs/README.md", "LICENSE"}
    metadata = json.loads((bundle / METADATA).read_text())
    required = {"version", "changelog", "monai_version", "pytorch_version", "numpy_version", "task", "description",
                "authors", "copyright", "network_data_format", "required_packages_version"}
    assert required <= set(metadata), "metadata.json as MONAI's bundle specification asks for it"


def test_a_changed_file_is_another_model(bundle, rewrite):
    before = read_bundle(bundle).identity.sha256
    rewrite(METADATA, lambda metadata: metadata.update(version="1.2.4"))
    assert read_bundle(bundle).identity.sha256 != before


@pytest.mark.parametrize("name", [METADATA, INFERENCE, WEIGHTS, "docs/README.md"])
def test_a_file_changed_behind_its_hash_is_named(bundle, name):
    with (bundle / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(BundleBroken, match=f"{name} of bundle tiny was changed"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", [INFERENCE, WEIGHTS])
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(BundleBroken, match=f"lacks {name}"):
        read_bundle(bundle)


def test_a_file_that_nobody_listed_is_named(bundle):
    (bundle / "scripts.py").write_text("boo = 1")
    with pytest.raises(BundleBroken, match=r"contains scripts\.py"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["eval", "images"])
def test_what_monais_engine_answers_and_is_asked_is_no_part_of_it(bundle, name):
    """By the bundle's own configuration that lies there."""
    before = read_bundle(bundle)
    (bundle / name).mkdir()
    (bundle / name / "one.nii.gz").write_bytes(b"an image")
    assert read_bundle(bundle) == before


def test_hashes_must_cover_the_weights(bundle, rewrite):
    rewrite(HASHES, lambda hashes: hashes.pop(WEIGHTS))
    with pytest.raises(BundleBroken, match=r"lists no models/model\.pt"):
        read_bundle(bundle)


def test_a_folder_without_a_bundle_says_so(tmp_path):
    with pytest.raises(BundleBroken, match=r"sha256\.json of bundle .* cannot be read"):
        read_bundle(tmp_path)


def test_a_list_where_an_object_belongs_is_no_bundle(bundle):
    (bundle / METADATA).write_text("[]")
    write_hashes(bundle)
    with pytest.raises(BundleBroken, match="no JSON object"):
        read_bundle(bundle)


def test_a_foreign_bundle_is_answered_by_a_sentence(bundle, rewrite):
    rewrite(METADATA, lambda metadata: metadata.pop("segnode"))
    with pytest.raises(BundleBroken, match="no section 'segnode'"):
        read_bundle(bundle)


@pytest.mark.parametrize(("edit", "reason"), [
    (lambda m: m["segnode"].update(overlap=2), "overlap"),
    (lambda m: m["segnode"].update(surprise=1), "surprise"),
    (lambda m: m["segnode"]["recipe"].update(roi="spleen"), r"recipe\.roi"),
    (lambda m: m.pop("version"), "version"),
])
def test_what_is_not_understood_is_named(bundle, rewrite, edit, reason):
    rewrite(METADATA, edit)
    with pytest.raises(BundleBroken, match=f"not understood: .*{reason}"):
        read_bundle(bundle)
