"""The last touch on every object: what highdicom draws from the clock or from chance is set to what repeats."""

from __future__ import annotations

from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicom_node.objects.bulk import in_bulk
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.copied import is_copied
from dicom_node.objects.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_node.objects.profile import STANDARD, Profile
from dicom_node.objects.wording import plain

_KATAKANA = ("ISO_IR 13", "ISO 2022 IR 13")
_KANJI = ("ISO 2022 IR 87", "ISO 2022 IR 159")


def finish(ds: Dataset, header: Dataset, context: EncodeContext) -> Dataset:
    """Dates of the job, our implementation, the source's institution and, where it can be written, character set."""
    moment = context.moment
    ds.InstanceCreationDate, ds.InstanceCreationTime = moment.date, moment.time
    ds.SeriesDate, ds.SeriesTime = moment.date, moment.time
    if context.offset:
        ds.TimezoneOffsetFromUTC = context.offset
    for item in ds.ContributingEquipmentSequence:
        if item.get("ManufacturerModelName") == "highdicom":
            item.ContributionDateTime = moment.date_time
    institution = plain(context.institution) or header.get("InstitutionName")
    if institution:
        ds.InstitutionName = institution
    if context.profile.character_set == "utf8" or _mangled(header.get("SpecificCharacterSet")):
        for sequence in (element for element in ds if element.VR == "SQ" and is_copied(element.tag)):
            for item in sequence.value:
                item.decode()  # else its text stays as it lies in the images
        ds.SpecificCharacterSet = "ISO_IR 192"
    elif header.get("SpecificCharacterSet"):
        ds.SpecificCharacterSet = header.SpecificCharacterSet
    ds.file_meta.ImplementationClassUID = IMPLEMENTATION_CLASS_UID
    ds.file_meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return ds


def _mangled(character_set: str | MultiValue[str] | None) -> bool:
    """Whether pydicom writes other text in it than it read.

    Alone, the set of katakana makes "?" of a text that mixes them with Latin letters; kanji, which may not be the first
    set (PS3.3 C.12.1.1.2), make another name of one in two parts.
    """
    sets = list(character_set) if isinstance(character_set, MultiValue) else [character_set]
    return sets[0] in _KANJI or (sets[0] in _KATAKANA and len(sets) == 1)


def part10(ds: Dataset, profile: Profile = STANDARD) -> bytes:
    """The object as a file (PS3.10) in the profile's transfer syntax; the same object gives the same bytes."""
    if profile.transfer_syntax == "implicit" and ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    out = BytesIO()
    dcmwrite(out, in_bulk(ds), enforce_file_format=True)
    return out.getvalue()
