"""What Dice a model is expected to reach on a phantom: as its own bundle tells, less what one case may differ."""

from __future__ import annotations

from collections.abc import Mapping

from dicom_node.settings.models import ModelSettings
from inference.backends.bundle import Bundle
from inference.backends.bundle_files import METADATA
from inference.backends.json_file import json_object

TOLERANCE = 0.25  # one phantom beside the mean of many: the small ones are the hard ones


def expected(model: ModelSettings) -> dict[str, float]:
    """Mean Dice on phantoms by region, in small letters; empty for models that were not trained on phantoms.

    BundleBroken where a bundle's metadata cannot be read.
    """
    backend = model.backend
    if not isinstance(backend, Bundle):
        return {}
    metadata = json_object(backend.path, METADATA, f"bundle {backend.path.name}")
    if metadata.get("data_type") != "synthetic":
        return {}
    figures = metadata.get("eval_metrics") or {}
    return {_region(name): float(value) for name, value in figures.items() if name.startswith("Dice of ")}


def least(means: Mapping[str, float], region: str, tolerance: float = TOLERANCE) -> tuple[float | None, float | None]:
    """The mean of a region, and the least that is accepted of one phantom; None where nobody knows."""
    mean = means.get(region.casefold())
    return (None, None) if mean is None else (mean, max(0.0, round(mean - tolerance, 4)))


def _region(name: str) -> str:
    """`Dice of liver, phantoms` is about the liver."""
    return name.removeprefix("Dice of ").partition(",")[0].strip().casefold()
