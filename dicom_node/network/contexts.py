"""What is negotiated: the SOP classes and transfer syntaxes that this node takes, and what each class means.

Importing this also quiets pynetdicom: its own handlers render every PDU as text, even when nobody reads it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AllStoragePresentationContexts, _config
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import (
    HeightMapSegmentationStorage,
    LabelMapSegmentationStorage,
    Verification,
    register_uid,
)

from storage.records import InstanceKind

_config.LOG_HANDLER_LEVEL = "none"
# What a peer is asked for, and what it answers, names patients.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
# Files leave as they lie on disk, block by block, instead of being parsed and written anew in memory.
_config.STORE_SEND_CHUNKED_DATASET = True

# How this software names itself (PS3.7 D.3.3.2); the root is a UUID's (PS3.5 B.2).
IMPLEMENTATION_CLASS_UID = UID("2.25.241560874093287498562730910286537411093")
IMPLEMENTATION_VERSION = "SEGNODE_0_1"

# In the order that we prefer where one presentation context offers several: what needs no decoder first,
# then the lossless ones, then those that lose.
TRANSFER_SYNTAXES: tuple[UID, ...] = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLosslessSV1,
    JPEGLossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEGLSNearLossless,
    JPEG2000,
    HTJ2K,
    JPEGExtended12Bit,
    JPEGBaseline8Bit,
)

PLAIN = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
MAX_CONTEXTS = 128  # of one association: context IDs are the odd numbers of a byte (PS3.8 9.3.2.2)

# Retired, but still sent by old scanners; unknown to pynetdicom, so they are made known here.
RETIRED_IMAGES = {
    UID("1.2.840.10008.5.1.4.1.1.3"): "UltrasoundMultiFrameImageStorageRetired",
    UID("1.2.840.10008.5.1.4.1.1.5"): "NuclearMedicineImageStorageRetired",
    UID("1.2.840.10008.5.1.4.1.1.6"): "UltrasoundImageStorageRetired",
}
for _uid, _keyword in RETIRED_IMAGES.items():
    register_uid(_uid, _keyword, StorageServiceClass)

NAMELESS = {  # pydicom's dictionary has no keyword for them
    UID(LabelMapSegmentationStorage): InstanceKind.SEGMENTATION,
    UID(HeightMapSegmentationStorage): InstanceKind.OTHER,
}
NAMES = {  # …and no name
    UID(LabelMapSegmentationStorage): "Label Map Segmentation Storage",
    UID(HeightMapSegmentationStorage): "Height Map Segmentation Storage",
}
OTHER_FAMILIES = ("SRStorage", "SegmentationStorage", "PresentationStateStorage", "PresentationStageStorage")
OTHER_CLASSES = frozenset(
    {"EncapsulatedPDFStorage", "ParametricMapStorage", "RTStructureSetStorage"}
)
VOXELS = "SegmentationStorage"
REPORTS = ("Comprehensive3DSRStorage", "ComprehensiveSRStorage", "EnhancedSRStorage")  # of TID 1500 (PS3.16)
NOTES = "KeyObjectSelectionDocumentStorage"


def _kind_of_keyword(keyword: str) -> InstanceKind | None:
    if keyword == VOXELS:
        return InstanceKind.SEGMENTATION
    if keyword in REPORTS:
        return InstanceKind.REPORT
    if keyword.endswith(OTHER_FAMILIES) or keyword in OTHER_CLASSES:
        return InstanceKind.OTHER
    if keyword == NOTES:
        return InstanceKind.NOTE
    if "RTImage" in keyword:  # portal images and their like are made at the treatment machine, not at a scanner
        return None
    if "ImageStorage" in keyword or keyword == "EnhancedUSVolumeStorage":
        return InstanceKind.IMAGE
    return None


def _taken() -> dict[str, InstanceKind]:
    kinds: dict[str, InstanceKind] = {
        **dict.fromkeys(RETIRED_IMAGES, InstanceKind.IMAGE),
        **NAMELESS,
    }
    for context in AllStoragePresentationContexts:
        uid = UID(context.abstract_syntax)
        kind = _kind_of_keyword(uid.keyword)
        if kind is not None:
            kinds[uid] = kind
    return kinds


# Every SOP class that is taken by C-STORE, and what it means for a study's completeness.
STORAGE_CLASSES: Mapping[str, InstanceKind] = _taken()


def name_of(uid: UID) -> str:
    """A SOP class or transfer syntax as the standard calls it (PS3.6 A)."""
    return NAMES.get(uid) or str(uid.name)


def supported_contexts() -> list[PresentationContext]:
    """What an acceptor supports: verification, and every class above in every syntax above."""
    storage = [build_context(uid, list(TRANSFER_SYNTAXES)) for uid in STORAGE_CLASSES]
    return [build_context(Verification), *storage]
