"""One slice of a source series as a single-frame image that exists in memory only.

highdicom takes a series of single-frame images or one multi-frame image, never a choice of frames; given
a plane for each slice it need not know where the slice came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage
from pydicom.valuerep import DSfloat

from dicom_node.errors import ResultInvalid
from dicom_node.objects.identity import uid_from
from inference.volume import SliceSource, unit_axes

_SINGLE_FRAME = {"CT": CTImageStorage, "MR": MRImageStorage}


def plane_of(image: Dataset, source: SliceSource, thickness_mm: float) -> Dataset:
    """One slice as a single-frame image; a frame gets a SOP Instance UID of its own until it is referred to."""
    if str(image.Modality) not in _SINGLE_FRAME:
        raise ResultInvalid(f"results on {image.Modality} images cannot be encoded")
    groups = functional_groups(image, source.frame)
    plane = Dataset()
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "Modality", "Rows", "Columns"):
        plane[keyword] = image[keyword]
    plane.SOPClassUID = _SINGLE_FRAME[str(image.Modality)]
    plane.SOPInstanceUID = source.sop_instance_uid if source.frame is None else uid_from(
        "frame", source.sop_instance_uid, str(source.frame))
    plane.ImagePositionPatient = _decimals(groups, "PlanePositionSequence", "ImagePositionPatient")
    plane.ImageOrientationPatient = _decimals(groups, "PlaneOrientationSequence", "ImageOrientationPatient")
    plane.PixelSpacing = _decimals(groups, "PixelMeasuresSequence", "PixelSpacing")
    plane.SliceThickness = _thickness(find(groups, "PixelMeasuresSequence", "SliceThickness"), thickness_mm)
    return plane


def functional_groups(image: Dataset, frame: int | None) -> tuple[Dataset, ...]:
    """Where a slice's geometry may stand: its own frame's groups, the shared ones, the root."""
    if frame is None:
        return (image,)
    shared = image.get("SharedFunctionalGroupsSequence") or ()
    return image.PerFrameFunctionalGroupsSequence[frame - 1], *shared, image


def find(groups: Sequence[Dataset], sequence: str, keyword: str) -> object:
    """The first value of `keyword` in the groups' `sequence` or at their root; None where there is none."""
    for group in groups:
        for item in (*(group.get(sequence) or ()), group):
            if item.get(keyword) not in (None, ""):
                return item.get(keyword)
    return None


def _decimals(groups: Sequence[Dataset], sequence: str, keyword: str) -> list[DSfloat]:
    values = find(groups, sequence, keyword)
    if values is None:
        raise ResultInvalid(f"a source image has no {keyword}")
    return [_decimal(value) for value in values]  # type: ignore[attr-defined]


def _thickness(stated: object, distance_mm: float) -> DSfloat:
    """As it is stated; the distance of slices where that is nothing, or no number."""
    try:
        return _decimal(stated or distance_mm)
    except ValueError:
        return _decimal(distance_mm)


def _decimal(value: object) -> DSfloat:
    """The number as it was written; shortened where it exceeds a DS's 16 characters (PS3.5 6.2)."""
    return _as_decimal(str(getattr(value, "original_string", value)))


@lru_cache(maxsize=4096)  # most slices of a series say most numbers alike
def _as_decimal(as_written: str) -> DSfloat:
    return DSfloat(as_written) if len(as_written) <= 16 else DSfloat(float(as_written), auto_format=True)


def share_geometry(planes: Sequence[Dataset], frame_of_reference: str) -> None:
    """One orientation and spacing for all planes, which may differ by a rounding; ResultInvalid beyond that."""
    first = planes[0]
    for plane in planes:
        for keyword, tolerance in (("ImageOrientationPatient", 1e-3), ("PixelSpacing", 1e-3)):
            if not np.allclose(plane.get(keyword), first.get(keyword), rtol=0, atol=tolerance):
                raise ResultInvalid(f"the source images differ in {keyword}")
            plane[keyword] = first[keyword]
        plane.FrameOfReferenceUID = frame_of_reference


def to_lps(plane: Dataset, pixels: ArrayLike) -> NDArray[np.float64]:
    """Places in LPS mm of (column, row) indices, shape (n, 2), of a plane (PS3.3 C.7.6.2.1.1).

    Whole numbers are pixels' centres: 0\\0 is the centre of the first.
    """
    along_row, along_column = unit_axes(plane.ImageOrientationPatient)
    between_rows, between_columns = (float(v) for v in plane.PixelSpacing)
    steps = np.stack([along_row * between_columns, along_column * between_rows])
    return np.asarray(np.array(plane.ImagePositionPatient, dtype=float) + np.asarray(pixels, dtype=float) @ steps)


def corners(plane: Dataset) -> NDArray[np.float64]:
    """Centres in LPS mm of a plane's first and last pixel, shape (2, 3)."""
    return to_lps(plane, [[0, 0], [plane.Columns - 1, plane.Rows - 1]])
