"""What stored pixels mean: HU or signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from inference.errors import Unfit
from inference.volume import Units

AIR_HU = -1024.0


class Scale(NamedTuple):
    """A modality transform as a header gives it (PS3.3 C.11.1, C.7.6.16.2.9); None where it does not."""

    slope: Any
    intercept: Any
    kind: str


class Meaning(NamedTuple):
    """How an instance's stored values become HU or signal: a transform for each frame, and what is padding."""

    scales: Sequence[Scale]
    padding: int | None  # PS3.3 C.7.5.1.1.2
    padding_limit: int | None


def meaning_of(ds: Dataset | Mapping[str, Any]) -> Meaning:
    """As a header, or its values by keyword, says it; not judged yet."""
    padding, limit = ds.get("PixelPaddingValue"), ds.get("PixelPaddingRangeLimit")
    return Meaning(_scales(ds), None if padding is None else int(padding), None if limit is None else int(limit))


def _scales(ds: Dataset | Mapping[str, Any]) -> tuple[Scale, ...]:
    shared = ds.get("SharedFunctionalGroupsSequence") or []
    frames = ds.get("PerFrameFunctionalGroupsSequence")
    if not frames:
        return (_scale(ds),)
    return tuple(_scale(next((group.PixelValueTransformationSequence[0] for group in (frame, *shared)
                              if group.get("PixelValueTransformationSequence")), ds)) for frame in frames)


def _scale(item: Dataset | Mapping[str, Any]) -> Scale:
    return Scale(item.get("RescaleSlope"), item.get("RescaleIntercept"), str(item.get("RescaleType") or "HU"))


def write_physical(stored: NDArray[Any], meaning: Meaning, frame: int, units: Units, out: NDArray[np.float32],
                   name: str) -> None:
    """Write a frame's (from 0) values into `out`: rescaled, padding set to air (CT) or 0 (MR).

    Unfit where the transform of the image called `name` is missing or none.
    """
    slope, intercept = _judged(meaning.scales[frame], units, name)
    np.copyto(out, stored, casting="unsafe")
    if slope != 1:
        out *= np.float32(slope)
    if intercept != 0:
        out += np.float32(intercept)
    if meaning.padding is not None:
        np.copyto(out, AIR_HU if units == "HU" else 0.0, where=_is_padding(stored, meaning))
    if units == "HU":
        np.maximum(out, AIR_HU, out=out)  # scanners mark what they did not measure with -2000 or -3024


def _judged(scale: Scale, units: Units, name: str) -> tuple[float, float]:
    """Slope and intercept; a CT without them is unfit, an MR keeps its values."""
    if scale.slope is None or scale.intercept is None:
        if units == "HU":
            raise Unfit(f"The CT's values cannot be read as Hounsfield units: {name} has no rescale.")
        return 1.0, 0.0
    try:
        slope, intercept = float(scale.slope), float(scale.intercept)
    except (TypeError, ValueError):
        slope = intercept = np.nan
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise Unfit(f"The rescale of {name} is not usable.")
    if units == "HU" and scale.kind not in ("HU", "US"):
        raise Unfit("The CT's values are no Hounsfield units but another quantity.")
    return slope, intercept


def _is_padding(stored: NDArray[Any], meaning: Meaning) -> NDArray[np.bool_]:
    assert meaning.padding is not None
    low = _as_stored(meaning.padding, stored.dtype)
    high = low if meaning.padding_limit is None else _as_stored(meaning.padding_limit, stored.dtype)
    if low == high:
        return np.asarray(stored == low)
    return np.asarray((stored >= min(low, high)) & (stored <= max(low, high)))


def _as_stored(value: int, dtype: np.dtype[Any]) -> int:
    """A padding value read with the wrong sign, put right."""
    if np.issubdtype(dtype, np.signedinteger) and value > np.iinfo(dtype).max:
        return value - 2 ** (8 * dtype.itemsize)
    return value
