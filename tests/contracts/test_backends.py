"""What every kind of backend keeps: settings that are its schema, an identity without loading, no torch here."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from inference.backends import AnyBackend, build
from inference.backends.base import BackendSettings
from inference.backends.pins import hashes_of
from inference.errors import BundleBroken, ModelError
from inference.findings import IntendedUse

NETWORK = {
    "path": "nowhere", "window": [16, 16, 16],
    "recipe": {"primary": "CT", "channels": [{"role": "CT", "scale": "none"}], "spacing_mm": [1, 1, 1]},
    "output": {"activation": "sigmoid", "regions": [{"name": "Nodule"}]},
}
# Settings of each kind; a model's files need not be there for its settings to hold.
EXAMPLES = {
    "bundle": {"kind": "bundle", "path": "nowhere"},
    "exported": {"kind": "exported", **NETWORK},
    "nnunet": {"kind": "nnunet", "path": "nowhere", "folds": [0, "all"]},
    "threshold": {"kind": "threshold", "lower": 100, "upper": 3000},
    "torchscript": {"kind": "torchscript", **NETWORK},
    "zoo": {"kind": "zoo", "path": "nowhere", "boxes": {"threshold": 0.3}, "labels": {"nodule": 0}},
}
WITH_FILES = sorted(kind for kind, example in EXAMPLES.items() if "path" in example)


@pytest.fixture(params=sorted(EXAMPLES))
def settings(request: pytest.FixtureRequest) -> BackendSettings:
    return build(EXAMPLES[request.param])


def kinds_below(settings: type[BackendSettings]) -> Iterator[type[BackendSettings]]:
    for kind in settings.__subclasses__():
        yield from kinds_below(kind)
        if "kind" in kind.model_fields:
            yield kind


def test_every_kind_is_tried() -> None:
    assert {kind.__name__.lower() for kind in kinds_below(BackendSettings)} == set(EXAMPLES)


def test_the_kind_chooses_the_class(settings: BackendSettings) -> None:
    assert type(settings).__name__.lower() == settings.model_dump()["kind"]


def test_settings_come_back_as_they_went(settings: BackendSettings) -> None:
    assert build(settings.model_dump(mode="json")) == settings


def test_settings_are_frozen_and_closed(settings: BackendSettings) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings.kind = "other"  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="colour"):
        build(settings.model_dump() | {"colour": "red"})


def test_an_identity_is_complete() -> None:
    settings = build(EXAMPLES["threshold"])
    identity = settings.identity()
    assert re.fullmatch(r"[0-9a-f]{64}", identity.sha256)
    assert identity.name
    assert identity.version
    assert isinstance(identity.intended_use, IntendedUse)
    assert settings.load("cpu").identity == identity


@pytest.mark.parametrize("kind", WITH_FILES)
def test_files_that_are_not_there_are_named(kind: str) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        build(EXAMPLES[kind]).identity()


FOREIGN = [kind for kind in WITH_FILES if kind != "bundle"]


@pytest.mark.parametrize("kind", FOREIGN)
def test_models_of_others_run_only_as_they_were_recorded(kind: str, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"weights")
    path = tmp_path / "model" / "weights" if "window" in EXAMPLES[kind] else tmp_path / "model"
    settings = EXAMPLES[kind] | {"path": str(path), "trusted": True}
    with pytest.raises(BundleBroken, match="never recorded"):
        build(settings).load("cpu")
    recorded = hashes_of(path)
    (tmp_path / "model" / "weights").write_bytes(b"others")
    with pytest.raises(BundleBroken, match=r"weights of model .* was changed"):
        build(settings | {"sha256": recorded}).load("cpu")


@pytest.mark.parametrize("kind", FOREIGN)
def test_models_of_others_are_for_research_unless_cleared(kind: str) -> None:
    assert build(EXAMPLES[kind]).model_dump()["intended_use"] == IntendedUse.RESEARCH
    with pytest.raises(ModelError, match="clinical needs clearance"):
        build(EXAMPLES[kind] | {"intended_use": "clinical"})


@pytest.mark.parametrize("kind", ["exported", "zoo"])
def test_what_is_code_needs_trust(kind: str, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"code")
    settings = EXAMPLES[kind] | {"path": str(tmp_path / "model"), "sha256": hashes_of(tmp_path / "model")}
    with pytest.raises(BundleBroken, match="is not trusted"):
        build(settings).identity()


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AnyBackend).validate_python({"kind": "oracle"})
    assert all(kind in str(caught.value) for kind in EXAMPLES)


@pytest.mark.parametrize("settings", [{}, {"kind": "oracle"}, {"kind": "threshold"}, {"kind": "bundle"}])
def test_wrong_settings_are_the_models_fault(settings: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="the model's settings are wrong"):
        build(settings)


def test_settings_and_identities_need_no_torch() -> None:
    code = f"""
import sys
from inference.backends import build
from inference.errors import ModelError
for settings in {list(EXAMPLES.values())}:
    try:
        build(settings).identity()
    except ModelError:
        pass
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
