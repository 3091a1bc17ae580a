"""The images that a result refers to, in the shape that the encoders need.

highdicom wants the images of one series in slice order, with every attribute that its IODs copy. Archives
do not always hold that: each slice becomes a plane of its own (planes.py), and a Type 2 attribute that is
missing, or holds what it may not hold, is empty. All this happens in memory only.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.valuerep import DA, TM, DSfloat

from dicom_node.errors import ResultInvalid
from dicom_node.objects.identity import frame_of_reference_for
from dicom_node.objects.planes import plane_of, share_geometry
from inference.findings import Result
from inference.volume import SliceSource

for _library in ("highdicom", "pydicom"):
    logging.getLogger(_library).setLevel(logging.ERROR)  # their warnings quote patients' names and dates

TYPE_2 = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
           "AccessionNumber", "ReferringPhysicianName")
_KINDS = {"PatientBirthDate": DA, "StudyDate": DA, "StudyTime": TM}
_REFERENCE = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Modality")
_GEOMETRY = ("Rows", "Columns", "FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient",
             "PixelSpacing", "SliceThickness", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_DISPLAY = ("PhotometricInterpretation", "WindowCenter", "WindowWidth", "VOILUTFunction", "RescaleSlope",
            "RescaleIntercept", "RescaleType")


@dataclass(frozen=True)
class Reference:
    """An instance, and its frame where it has several."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None = None

    def write(self, item: Dataset) -> None:
        """Make a reference item (PS3.3 Table 10-3) point here."""
        item.ReferencedSOPClassUID = self.sop_class_uid
        item.ReferencedSOPInstanceUID = self.sop_instance_uid
        if self.frame is not None:
            item.ReferencedFrameNumber = self.frame


@dataclass(frozen=True, eq=False)
class Sources:
    """All images behind a result.

    `header` is the first primary image as it is, Type 2 attributes filled in; `planes` holds one data set
    a slice of the primary series, `references` what each plane stands for; `evidence` names every instance
    of every role once, primary first. `notes` says what had to be made up, `emptied` names the Type 2 attributes that
    had to be filled in.
    """

    header: Dataset
    planes: tuple[Dataset, ...]
    references: tuple[Reference, ...]
    evidence: tuple[Dataset, ...]
    notes: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()

    @property
    def filled(self) -> tuple[str, ...]:
        """What the objects hold and the images do not, in sentences with attributes' keywords and no values."""
        keywords = ", ".join(self.emptied)
        empty = [f"Empty, because the source images hold nothing or no valid value: {keywords}."] if keywords else []
        return (*self.notes, *empty)

    @property
    def series_instance_uid(self) -> str:
        """The primary series."""
        return str(self.header.SeriesInstanceUID)

    @property
    def modality(self) -> str:
        """The primary series' modality."""
        return str(self.header.Modality)

    @property
    def offset(self) -> str:
        """From UTC, in which the primary series' dates and times are, "" where it does not say."""
        return offset_of(self.header)

    def resolve(self, items: Iterable[Dataset]) -> None:
        """Make reference items (PS3.3 Table 10-3) that point at planes point at what the planes stand for."""
        for item in items:
            reference = self._aliases.get(str(item.ReferencedSOPInstanceUID))
            if reference is not None:
                reference.write(item)

    def instances(self) -> list[Dataset]:
        """Reference items of the primary series' instances, each once, in slice order."""
        items = []
        for whole in dict.fromkeys(replace(r, frame=None) for r in self.references):
            item = Dataset()
            whole.write(item)
            items.append(item)
        return items

    def image(self, z: int) -> Dataset:
        """The instance that slice `z` of the primary series lies in: its references, geometry and window."""
        return self._images[self.references[z].sop_instance_uid]

    @cached_property
    def _images(self) -> dict[str, Dataset]:
        return {str(e.SOPInstanceUID): e for e in self.evidence}

    @cached_property
    def _aliases(self) -> dict[str, Reference]:
        return {str(p.SOPInstanceUID): r for p, r in zip(self.planes, self.references, strict=True)}


def load_sources(result: Result, files: Mapping[str, Sequence[Path]]) -> Sources:
    """Read the headers behind `result` from each role's files; ResultInvalid where a slice's image is missing."""
    wanted = result.sources[result.primary_role]
    images = _headers(files[result.primary_role], (*_REFERENCE, *_GEOMETRY, *_DISPLAY), wanted)
    header = dcmread(images[wanted[0].sop_instance_uid].filename, stop_before_pixels=True, force=True)
    emptied = _unfit(header)
    header = patched(header)
    notes = []
    if not header.get("FrameOfReferenceUID"):
        header.FrameOfReferenceUID = frame_of_reference_for(header.SeriesInstanceUID)
        notes.append("The source images name no frame of reference; one was made up from their series.")
    planes = [plane_of(images[s.sop_instance_uid], s, result.grid.spacing.z) for s in wanted]
    planes[0] = _first_plane(header, planes[0])
    planes[0].SpacingBetweenSlices = DSfloat(round(result.grid.slice_distance, 6), auto_format=True)
    share_geometry(planes, header.FrameOfReferenceUID)
    evidence = list(images.values())
    for role, slices in result.sources.items():
        if role != result.primary_role:
            evidence += _headers(files[role], _REFERENCE, slices).values()
    _require_one_study(evidence, header)
    references = [Reference(str(images[s.sop_instance_uid].SOPClassUID), s.sop_instance_uid, s.frame) for s in wanted]
    return Sources(header, tuple(planes), tuple(references), tuple(evidence), tuple(notes), emptied)


def _headers(paths: Iterable[Path], keywords: Sequence[str], wanted: Sequence[SliceSource]) -> dict[str, Dataset]:
    """The wanted instances' headers by UID, in slice order; only `keywords`, since there may be a thousand."""
    held: dict[str, Dataset] = {}
    for path in paths:
        ds = dcmread(path, stop_before_pixels=True, specific_tags=list(keywords), force=True)
        held[str(ds.SOPInstanceUID)] = ds
    uids = dict.fromkeys(s.sop_instance_uid for s in wanted)
    missing = [uid for uid in uids if uid not in held]
    if missing:
        raise ResultInvalid(f"{len(missing)} of {len(uids)} source images are not among the files")
    return {uid: held[uid] for uid in uids}


def _first_plane(header: Dataset, plane: Dataset) -> Dataset:
    """The first plane carries what encoders copy of patient, study and equipment."""
    full = Dataset()
    full.update(header)
    full.update(plane)
    for keyword in ("NumberOfFrames", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        if keyword in full:
            del full[keyword]
    return full


def patched(header: Dataset) -> Dataset:
    """The header with every Type 2 attribute present, and emptied where its value cannot be one (PS3.5 7.4.3).

    Whether they are compressed with loss, images may leave empty (Type 3), and results of them may not (Type 1).
    """
    for keyword in _unfit(header):
        setattr(header, keyword, "")
    if header.get("LossyImageCompression") not in ("00", "01"):
        header.pop("LossyImageCompression", None)
    return header


def offset_of(header: Dataset) -> str:
    """What Timezone Offset From UTC says; "" where it is missing or none (PS3.3 C.12.1.1.8: -1200 to +1400)."""
    said = str(header.get("TimezoneOffsetFromUTC") or "")
    valid = re.fullmatch(r"[+-](0\d|1[0-4])[0-5]\d", said) and -1200 <= int(said) <= 1400
    return said if valid else ""


def _unfit(header: Dataset) -> tuple[str, ...]:
    """The Type 2 attributes that are missing, or hold what they may not."""
    return tuple(keyword for keyword in TYPE_2 if keyword not in header or not _may_be(keyword, header.get(keyword)))


def _may_be(keyword: str, value: object) -> bool:
    if value is None:
        return False
    if keyword == "PatientSex":
        return str(value) in ("M", "F", "O", "")
    if keyword == "PatientName":
        return not isinstance(value, MultiValue)  # people write \' for an apostrophe; a backslash parts values
    try:
        _KINDS.get(keyword, str)(str(value))
    except (ValueError, OverflowError):
        return False
    return True


def _require_one_study(images: Sequence[Dataset], header: Dataset) -> None:
    for image in images:
        if (image.StudyInstanceUID, _patient(image)) != (header.StudyInstanceUID, _patient(header)):
            raise ResultInvalid("the source images belong to different studies or patients")


def _patient(image: Dataset) -> str:
    """The patient's number without the blanks that some systems put before or after it (PS3.5 6.2: LO)."""
    return str(image.get("PatientID") or "").strip()
