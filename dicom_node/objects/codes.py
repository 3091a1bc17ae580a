"""Coded concepts and equipment in DICOM's items: SR code sequences, algorithm identification, contributors."""

from __future__ import annotations

import highdicom as hd
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary

from dicom_node.objects.context import EncodeContext
from dicom_node.objects.identity import device_uid
from dicom_node.objects.wording import intended_use_sentence, plain
from inference.codes import Code
from inference.findings import ModelIdentity

COMMENT = Code("121106", "DCM", "Comment")
PROBABILITY = Code("122157", "DCM", "Probability")
SEGMENTATION_DERIVATION = Code("113076", "DCM", "Segmentation")  # CID 7203
SOURCE_OF_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")  # CID 7202
ARTIFICIAL_INTELLIGENCE = dictionary.DCM.ArtificialIntelligence  # CID 7162
PROCEDURES = {  # CID 100, by modality
    "CT": dictionary.LN.CTUnspecifiedBodyRegion,
    "MR": dictionary.LN.MRIUnspecifiedBodyRegion,
}


def concept(code: Code) -> CodedConcept:
    """The code as an item of a code sequence (PS3.3 8.8)."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def key_of(item: Dataset) -> tuple[str, str]:
    """Value and scheme of a code sequence's item, for comparing."""
    return str(item.CodeValue), str(item.CodingSchemeDesignator)


def algorithm_parameters(model: ModelIdentity) -> list[str]:
    """What the algorithm identification says beside name and version."""
    return [intended_use_sentence(model), f"SHA-256 of weights and configuration: {model.sha256}"]


def processing_equipment(model: ModelIdentity, context: EncodeContext) -> hd.ContributingEquipment:
    """The model as Contributing Equipment with its Device UID (IHE AIR 6.5.3.1)."""
    item = hd.ContributingEquipment(
        manufacturer=plain(model.manufacturer),
        purpose_of_reference=dictionary.DCM.ProcessingEquipment,
        manufacturer_model_name=plain(model.name),
        software_versions=plain(model.version),
        contribution_datetime=context.moment.date_time,
        contribution_description=intended_use_sentence(model),
    )
    item.DeviceUID = device_uid(model)
    return item
