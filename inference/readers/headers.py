"""Where each slice lies, from plain header values or from a data set: no pixels, no torch.

Two doors, one type: `slice_headers` takes the JSON-plain mapping that an index keeps of an instance
(DICOM keywords as keys; an enhanced instance adds "Frames"), `header_of` makes such a mapping of a data set.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

from inference.errors import BadGeometry

MAX_FRAMES = 20_000

# Attributes that tell apart images at the same place, in the order in which they are tried.
DISCRIMINATORS = ("StackID", "TemporalPositionIdentifier", "EchoNumbers", "EffectiveEchoTime",
                  "DiffusionBValue", "TriggerTime", "ImageType", "ComplexImageComponent", "AcquisitionNumber",
                  "AcquisitionTime", "AcquisitionDateTime", "ContentTime")

# What a header is made of, beside the frames of an enhanced instance.
KEYWORDS = ("SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", *DISCRIMINATORS, "InstanceNumber", "Rows",
            "Columns", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
            "SpacingBetweenSlices")

# What a frame says of its own moment, by those attributes.
_MOMENTS = {"temporal": "TemporalPositionIdentifier", "stack": "StackID", "echo": "EffectiveEchoTime",
            "kind": "ImageType", "component": "ComplexImageComponent", "acquisition": "AcquisitionNumber",
            "acquired": "AcquisitionDateTime"}


@dataclass(frozen=True)
class SliceHeader:
    """One slice: an instance, or one frame of it. Lengths in mm, directions as cosines in LPS (PS3.3 C.7.6.2).

    `position`, `orientation` (row, then column) and `spacing` (rows, columns) are None where the header
    does not give them. `thickness` is the slice's own, else its distance from the next. `moments` holds the attributes
    of DISCRIMINATORS that are present.
    """

    sop_instance_uid: str
    frame: int | None = None
    number: int = 0  # Instance Number, or the frame's
    series_instance_uid: str = ""
    frame_of_reference_uid: str = ""
    rows: int = 0
    columns: int = 0
    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    spacing: tuple[float, ...] | None = None
    thickness: float | None = None
    moments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How people call it: image 12, or frame 12."""
        return f"image {self.number}" if self.frame is None else f"frame {self.frame}"

    @classmethod
    def from_index(cls, header: Mapping[str, Any]) -> SliceHeader:
        """The slice of a single-frame instance, or the shared part of a multi-frame one."""
        return cls(
            sop_instance_uid=str(header.get("SOPInstanceUID", "")),
            number=_whole(header.get("InstanceNumber")),
            series_instance_uid=str(header.get("SeriesInstanceUID", "")),
            frame_of_reference_uid=str(header.get("FrameOfReferenceUID") or ""),
            rows=_whole(header.get("Rows")),
            columns=_whole(header.get("Columns")),
            position=_numbers(header.get("ImagePositionPatient"), 3),
            orientation=_numbers(header.get("ImageOrientationPatient"), 6),
            spacing=_numbers(header.get("PixelSpacing"), 2),
            thickness=_length(header.get("SliceThickness")) or _length(header.get("SpacingBetweenSlices")),
            moments={key: _plain(header[key]) for key in DISCRIMINATORS if header.get(key) not in (None, "", [])},
        )


def slice_headers(header: Mapping[str, Any]) -> list[SliceHeader]:
    """The slices of one instance, from its header as an index keeps it."""
    shared = SliceHeader.from_index(header)
    frames = header.get("Frames")
    if not frames:
        return [shared]
    if len(frames) > MAX_FRAMES:
        raise BadGeometry(f"One instance holds {len(frames)} frames; at most {MAX_FRAMES} are read.")
    return [_frame(shared, frame, number) for number, frame in enumerate(frames, start=1)]


def header_of(ds: Dataset) -> dict[str, Any]:
    """The mapping that `slice_headers` takes, of a data set with or without its pixels."""
    meta = getattr(ds, "file_meta", Dataset())
    uid = ds.get("SOPInstanceUID") or meta.get("MediaStorageSOPInstanceUID", "")  # anonymisers empty the first
    header: dict[str, Any] = {"SOPInstanceUID": str(uid)}
    header |= {keyword: ds[keyword].value for keyword in KEYWORDS[1:] if keyword in ds}
    if "PerFrameFunctionalGroupsSequence" in ds:
        header["Frames"] = frames_of(ds)
    return header


def frames_of(ds: Dataset) -> list[dict[str, Any]]:
    """Place and moment of every frame of an enhanced instance: per-frame groups over shared ones (C.7.6.16)."""
    per_frame = ds.PerFrameFunctionalGroupsSequence
    count = _whole(ds.get("NumberOfFrames"))
    if count != len(per_frame) or count > MAX_FRAMES:
        raise BadGeometry(f"An enhanced instance speaks of {count} frames and describes {len(per_frame)}.")
    shared = ds.get("SharedFunctionalGroupsSequence") or [Dataset()]
    frames = []
    for group in per_frame:
        content = _macro(group, shared[0], "FrameContentSequence")
        measures = _macro(group, shared[0], "PixelMeasuresSequence")
        converted = _macro(group, Dataset(), "UnassignedPerFrameConvertedAttributesSequence")
        kind = group.get("MRImageFrameTypeSequence") or group.get("CTImageFrameTypeSequence") or [None]
        frames.append({
            "position": _value(_macro(group, shared[0], "PlanePositionSequence"), "ImagePositionPatient"),
            "orientation": _value(_macro(group, shared[0], "PlaneOrientationSequence"), "ImageOrientationPatient"),
            "spacing": _value(measures, "PixelSpacing"),
            "thickness": _value(measures, "SliceThickness") or _value(measures, "SpacingBetweenSlices"),
            "temporal": _value(content, "TemporalPositionIndex") or _value(converted, "TemporalPositionIdentifier"),
            "stack": _value(content, "StackID"),
            "echo": _value(_macro(group, Dataset(), "MREchoSequence"), "EffectiveEchoTime")
            or _value(converted, "EchoTime"),
            "kind": _value(kind[0], "FrameType"),
            "component": _value(kind[0], "ComplexImageComponent"),
            "acquisition": _value(content, "FrameAcquisitionNumber"),
            "acquired": _value(content, "FrameAcquisitionDateTime"),
        })
    return frames


def _frame(shared: SliceHeader, frame: Mapping[str, Any], number: int) -> SliceHeader:
    moments = dict(shared.moments)
    for key, keyword in _MOMENTS.items():
        if frame.get(key) not in (None, ""):
            moments[keyword] = _plain(frame[key])
    return SliceHeader(
        shared.sop_instance_uid, number, number, shared.series_instance_uid, shared.frame_of_reference_uid,
        shared.rows, shared.columns,
        _numbers(frame.get("position"), 3) or shared.position,
        _numbers(frame.get("orientation"), 6) or shared.orientation,
        _numbers(frame.get("spacing"), 2) or shared.spacing,
        _length(frame.get("thickness")) or shared.thickness,
        moments,
    )


def _macro(group: Dataset, shared: Dataset, keyword: str) -> Dataset | None:
    for source in (group, shared):
        items = source.get(keyword)
        if items:
            return items[0]
    return None


def _value(item: Dataset | None, keyword: str) -> Any:
    return item.get(keyword) if item is not None else None


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else tuple(str(part) for part in value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _length(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    if value is None or isinstance(value, str) or not hasattr(value, "__len__") or len(value) != count:
        return None
    numbers = tuple(_number(part) for part in value)
    return tuple(n for n in numbers if n is not None) if None not in numbers else None


def _whole(value: Any) -> int:
    number = _number(value)
    return int(number) if number is not None else 0
