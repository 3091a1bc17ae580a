"""Coded concepts and equipment in DICOM's items: SR code sequences, algorithm identification, contributors.

For what becomes of a lesion between studies DICOM has few codes. A number keeps the code of its quantity, and a
derivation (PS3.16 TID 300) says that it is none of this study's own; what has no code at all, the entropy of a
model's probability among it, is in the scheme 99SEGNODE (PS3.3 8.2: private schemes begin with 99), and only here.
"""

from __future__ import annotations

import highdicom as hd
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary

from dicom_node.objects.context import EncodeContext
from dicom_node.objects.identity import device_uid
from dicom_node.objects.wording import intended_use_sentence, plain
from inference.codes import Code
from inference.findings import ModelIdentity
from inference.trend import Outcome

COMMENT = Code("121106", "DCM", "Comment")
PROBABILITY = Code("122157", "DCM", "Probability")
SEGMENTATION_DERIVATION = Code("113076", "DCM", "Segmentation")  # CID 7203
SOURCE_OF_PROCESSING = Code("121322", "DCM", "Source image for image processing operation")  # CID 7202
ARTIFICIAL_INTELLIGENCE = dictionary.DCM.ArtificialIntelligence  # CID 7162
PROCEDURES = {  # CID 100, by modality
    "CT": dictionary.LN.CTUnspecifiedBodyRegion,
    "MR": dictionary.LN.MRIUnspecifiedBodyRegion,
}

# What follow-up speaks of, in standard codes
RECIST_1_1 = Code("126081", "DCM", "RECIST 1.1")  # CID 6147, as is RANO
RANO = Code("C114879", "NCIt", "RANO")
BASELINE = Code("C1442488", "UMLS", "Baseline")  # CID 6146, as is the nadir
NADIR = Code("C1708760", "UMLS", "Nadir")
TARGET_LESIONS = Code("112074", "DCM", "Target Lesion at Baseline")  # CID 6145
BASELINE_STUDY = Code("121079", "DCM", "Baseline")  # CID 280, an event that days are counted from
TARGET_BANDS = {  # CID 6144, by the words of the criteria
    "complete response": Code("112041", "DCM", "Target Lesion Complete Response"),
    "partial response": Code("112042", "DCM", "Target Lesion Partial Response"),
    "progressive disease": Code("112043", "DCM", "Target Lesion Progressive Disease"),
    "stable disease": Code("112044", "DCM", "Target Lesion Stable Disease"),
}

# …and in our own: event, quantities, derivations, evaluations
OWN_SCHEME = "99SEGNODE"
PRIOR_STUDY = Code("PRIOR_STUDY", OWN_SCHEME, "Prior study")
DOUBLING_TIME = Code("DOUBLING_TIME", OWN_SCHEME, "Volume doubling time")
SUM_OF_LONG_AXES = Code("SUM_LONG_AXES", OWN_SCHEME, "Sum of the long axes of target lesions")
SUM_OF_PRODUCTS = Code("SUM_PRODUCTS", OWN_SCHEME, "Sum of the products of axes of target lesions")
IN_PRIOR = Code("IN_PRIOR", OWN_SCHEME, "In the prior study")
CHANGE = Code("CHANGE", OWN_SCHEME, "Change since the prior study")
RELATIVE_CHANGE = Code("RELATIVE_CHANGE", OWN_SCHEME, "Change since the prior study, in percent of it")
FROM_BASELINE = Code("FROM_BASELINE", OWN_SCHEME, "Change since the baseline, in percent of it")
FROM_NADIR = Code("FROM_NADIR", OWN_SCHEME, "Change since the nadir, in percent of it")
NEW_SINCE_BASELINE = Code("SINCE_BASELINE", OWN_SCHEME, "New since the baseline")
BAND = Code("BAND", OWN_SCHEME, "Change by the criterion's thresholds, not a response")
OUTCOME = Code("OUTCOME", OWN_SCHEME, "What became of the lesion since the prior study")
# SCT 129721008 "New finding" and its like are not taken: SNOMED CT means them of mammograms.
OUTCOMES = {outcome: Code(outcome.name, OWN_SCHEME, outcome.value.capitalize()) for outcome in Outcome}
# …and of how sure the model was, in our own as well: quantities, means over voxels
ENTROPY = Code("ENTROPY", OWN_SCHEME, "Entropy of the model's probability, 0 to 1")
BORDER_ENTROPY = Code("BORDER_ENTROPY", OWN_SCHEME, "Entropy of the model's probability at the surface, 0 to 1")


def concept(code: Code) -> CodedConcept:
    """The code as an item of a code sequence (PS3.3 8.8)."""
    return CodedConcept(code.value, code.scheme, code.meaning)


def own_scheme() -> CodingSchemeIdentificationItem:
    """Whose the private codes are, for Coding Scheme Identification (PS3.3 C.12.1)."""
    return CodingSchemeIdentificationItem(OWN_SCHEME, name="Segnode", responsible_organization="Segnode")


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
