"""What every kind of backend keeps: settings that are its schema, an identity without loading, no torch here."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from pydantic import TypeAdapter, ValidationError

from inference.backends import AnyBackend, build
from inference.backends.base import BackendSettings
from inference.errors import ModelError
from inference.findings import IntendedUse

# Settings of each kind; a bundle's folder need not be there for its settings to hold.
EXAMPLES = {
    "bundle": {"kind": "bundle", "path": "nowhere"},
    "threshold": {"kind": "threshold", "lower": 100, "upper": 3000},
}


@pytest.fixture(params=sorted(EXAMPLES))
def settings(request: pytest.FixtureRequest) -> BackendSettings:
    return build(EXAMPLES[request.param])


def test_every_kind_is_tried() -> None:
    kinds = {kind.__name__.lower() for kind in BackendSettings.__subclasses__()}
    assert kinds == set(EXAMPLES)


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


def test_files_that_are_not_there_are_named() -> None:
    with pytest.raises(ModelError, match="nowhere"):
        build(EXAMPLES["bundle"]).identity()


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
