"""A model of others is known by its files and by how it is read, and by what its owner says of it."""

from typing import Any

import pytest

from inference.backends import build
from inference.backends.foreign import Foreign
from inference.backends.pins import hashes_of
from inference.findings import IntendedUse

OUTPUT = {"activation": "sigmoid", "regions": [{"name": "liver"}, {"name": "tumor"}]}
RECIPE = {"primary": "CT", "channels": [{"role": "CT", "scale": "none"}], "spacing_mm": [4, 4, 4]}
KEYS = {"kind": "torchscript", "recipe": RECIPE, "output": OUTPUT, "window": [8, 8, 8],
        "outputs": {"liver": "Liver", "tumor": "Liver tumour"}}


@pytest.fixture
def model(tmp_path):
    (tmp_path / "net.ts").write_bytes(b"weights")

    def make(**keys: Any) -> Foreign:
        path = tmp_path / "net.ts"
        settings = build({"path": path, "sha256": hashes_of(path), **KEYS, **keys})
        assert isinstance(settings, Foreign)
        return settings

    return make


def test_it_is_known_by_its_files(model, tmp_path):
    before = model().identity()
    assert (before.name, before.manufacturer, before.intended_use) == ("net", "unknown", IntendedUse.RESEARCH)
    (tmp_path / "net.ts").write_bytes(b"others")
    assert model().identity().sha256 != before.sha256


@pytest.mark.parametrize("keys", [
    {"overlap": 0.5}, {"outputs": {"liver": "Liver tumour", "tumor": "Liver"}}, {"outputs": {"tumor": "Liver tumour"}},
    {"intended_use": "demonstration"}, {"manufacturer": "A university"},
])
def test_another_way_to_read_it_is_another_model(model, keys):
    assert model(**keys).identity().sha256 != model().identity().sha256


@pytest.mark.parametrize("keys", [{"precision": "fp32"}, {"trusted": True}])
def test_what_changes_no_answer_changes_no_identity(model, keys):
    assert model(**keys).identity() == model().identity()


def test_its_owner_may_name_it(model):
    identity = model(title="Liver of ours", version="3", intended_use="clinical", clearance="CE 0123").identity()
    assert (identity.name, identity.version, identity.clearance) == ("Liver of ours", "3", "CE 0123")
