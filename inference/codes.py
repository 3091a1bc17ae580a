"""Coded concepts that findings are named by: one table, in the words of SNOMED CT, NCIt and UCUM.

Sources: PS3.16 CID 7150 (category), CID 7168/7169 (brain lesion types), CID 7194, CID 7195, UCUM.
`inference` uses them as plain data; `dicom_node.objects` turns them into DICOM items.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept: value, coding scheme designator, meaning (PS3.3 8.8)."""

    value: str
    scheme: str
    meaning: str


# Categories (CID 7150)
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
ABNORMAL_STRUCTURE = Code("49755003", "SCT", "Morphologically Abnormal Structure")

# Anatomy
BRAIN = Code("12738006", "SCT", "Brain")
LIVER = Code("10200004", "SCT", "Liver")
LUNG = Code("39607008", "SCT", "Lung")
RIGHT = Code("24028007", "SCT", "Right")
LEFT = Code("7771000", "SCT", "Left")

# Lesions
NECROSIS = Code("6574001", "SCT", "Necrosis")
EDEMA = Code("79654002", "SCT", "Edema")
ENHANCING_LESION = Code("C113842", "NCIt", "Enhancing Lesion")
NEOPLASM = Code("108369006", "SCT", "Neoplasm")
NODULE = Code("27925004", "SCT", "Nodule")

# Quantities
VOLUME = Code("118565006", "SCT", "Volume")
LONG_AXIS = Code("103339001", "SCT", "Long Axis")
SHORT_AXIS = Code("103340004", "SCT", "Short Axis")
DIAMETER = Code("81827009", "SCT", "Diameter")
ATTENUATION = Code("112031", "DCM", "Attenuation Coefficient")
MR_SIGNAL = Code("110852", "DCM", "MR signal intensity")
NUMBER_OF_LESIONS = Code("246206008", "SCT", "Number of lesions")

# Derivations (CID 7464)
MEAN = Code("373098007", "SCT", "Mean")
STANDARD_DEVIATION = Code("386136009", "SCT", "Standard Deviation")
MINIMUM = Code("255605001", "SCT", "Minimum")
MAXIMUM = Code("56851009", "SCT", "Maximum")
MEDIAN = Code("373099004", "SCT", "Median")

# Methods
VOXEL_SUM = Code("126030", "DCM", "Sum of segmented voxel method for volume")

# UCUM
MILLILITRE = Code("mL", "UCUM", "milliliter")
MILLIMETRE = Code("mm", "UCUM", "millimeter")
SQUARE_MILLIMETRE = Code("mm2", "UCUM", "square millimeter")
HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
DAY = Code("d", "UCUM", "day")
PERCENT = Code("%", "UCUM", "Percent")
NO_UNITS = Code("1", "UCUM", "no units")
LESIONS = Code("{lesions}", "UCUM", "lesions")
