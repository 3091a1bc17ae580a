"""Slices of source images as grey pictures: stored pixels, their meaning (HU or signal), the window of display."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array

import inference.readers.codecs  # noqa: F401 (pydicom then decodes with them)
from dicom_node.errors import ResultInvalid
from dicom_node.objects.planes import find, functional_groups

_RESCALE = ("RescaleSlope", "RescaleIntercept")
_PERCENTILES = (1.0, 99.5)


@dataclass(frozen=True)
class Window:
    """The values between which a picture goes from black to white (PS3.3 C.11.2.1.2)."""

    low: float
    high: float

    @classmethod
    def about(cls, centre: float, width: float) -> Window:
        """As scanners name it."""
        return cls(centre - width / 2, centre + width / 2)

    def grey(self, values: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Values of any shape as 0..255."""
        scaled = (values - self.low) / max(self.high - self.low, 1e-6)
        return np.asarray(np.clip(scaled, 0, 1) * 255, dtype=np.uint8)


_LUNG = Window.about(-600.0, 1500.0)  # HU
_SOFT_TISSUE = Window.about(60.0, 400.0)


def window_for(modality: str, values: NDArray[np.float32], *, lung: bool) -> Window:
    """CT by the organ's window, MR from the 1st to the 99.5th percentile of `values`."""
    if modality == "CT":
        return _LUNG if lung else _SOFT_TISSUE
    low, high = (float(v) for v in np.percentile(values, _PERCENTILES))
    return Window(low, high)


def values_of(image: Dataset, frame: int | None) -> NDArray[np.float32]:
    """HU or signal of one slice, shape (rows, columns)."""
    stored = pixel_array(image, index=None if frame is None else frame - 1).astype(np.float32)
    groups = functional_groups(image, frame)
    slope, intercept = (find(groups, "PixelValueTransformationSequence", k) for k in _RESCALE)
    return np.asarray(stored * float(str(1 if slope is None else slope)) + float(str(intercept or 0)))


class Images:
    """Source images by SOP Instance UID; the last one read is kept, since a multi-frame image holds many slices."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._paths = {_uid(path): path for path in files}
        self._read = lru_cache(maxsize=1)(lambda path: dcmread(path, force=True))

    @property
    def order(self) -> dict[str, int]:
        """At which place each image came, by SOP Instance UID."""
        return {uid: place for place, uid in enumerate(self._paths)}

    def __getitem__(self, sop_instance_uid: str) -> Dataset:
        if sop_instance_uid not in self._paths:
            raise ResultInvalid("a source image is not among the files")
        return self._read(self._paths[sop_instance_uid])


def _uid(path: Path) -> str:
    return str(dcmread(path, specific_tags=["SOPInstanceUID"], stop_before_pixels=True, force=True).SOPInstanceUID)
