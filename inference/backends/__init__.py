"""How weights run, one kind a file: the class is its settings, its fields are its YAML."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from inference.backends.base import BackendSettings, LoadedBackend, Segmented
from inference.backends.bundle import Bundle
from inference.backends.exported import Exported
from inference.backends.nnunet import NnUNet
from inference.backends.threshold import Threshold
from inference.backends.torchscript import TorchScript
from inference.backends.zoo import Zoo
from inference.errors import BundleBroken

AnyBackend = Annotated[Bundle | Exported | NnUNet | Threshold | TorchScript | Zoo, Field(discriminator="kind")]

_ADAPTER: TypeAdapter[BackendSettings] = TypeAdapter(AnyBackend)


def build(settings: Mapping[str, Any]) -> BackendSettings:
    """The backend that validated settings describe; `BundleBroken` where they do not."""
    try:
        return _ADAPTER.validate_python(dict(settings))
    except ValidationError as error:
        raise BundleBroken(f"the model's settings are wrong: {error}") from error


def __getattr__(name: str) -> Any:
    """`monai_steps`: MONAI's engine asks for what a bundle imports as an attribute, and imports this package alone."""
    if name == "monai_steps":
        return import_module("inference.backends.monai_steps")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["AnyBackend", "BackendSettings", "LoadedBackend", "Segmented", "build"]
