"""Why a series is no plain acquisition: ImageType and SOP class first, then its description.

Only the series description is read for words: a protocol named "thorax with bolus tracking" is still a thorax.
"""

from __future__ import annotations

from collections.abc import Mapping

from dicom_node.routing.header import Header, number, plain, text, words
from dicom_node.routing.vocabulary import Nature, Vocabulary

_IMAGE_TYPES: dict[Nature, frozenset[str]] = {
    Nature.LOCALIZER: frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM"}),
    Nature.PROJECTION: frozenset({"PROJECTION IMAGE", "MIP", "MINIP", "MAXIP", "VOLREN", "VRT", "VOLUME RENDERING",
                                  "MAXIMUM", "MINIMUM"}),  # of enhanced images (PS3.3 C.8.16.1.4)
    Nature.REFORMATTED: frozenset({"MPR", "REFORMATTED", "CURVED MPR", "RESAMPLED", "CSA MPR", "CSAPARALLEL"}),
    Nature.SUBTRACTION: frozenset({"SUBTRACT", "SUBTRACTION", "SUB"}),
    Nature.MAP: frozenset({"ADC", "FA", "TRACEW", "PERFUSION", "T1 MAP", "T2 MAP", "T2_STAR MAP", "RCBV", "RCBF", "MTT",
                           "TTP", "VNC", "IODINE", "MONO", "MONOENERGETIC", "MAP", "VIRTUAL", "EFF_Z", "OVERLAY",
                           # of multi-energy CT, called ORIGINAL\PRIMARY (PS3.3 C.8.2.1.1.1, PS3.17 JJJJ)
                           "VMI", "MAT_SPECIFIC", "MAT_REMOVED", "MAT_FRACTIONAL", "MAT_MODIFIED", "MAT_VALUE_BASED",
                           "EFF_ATOMIC_NUM", "ELECTRON_DENSITY"}),
    Nature.DIFFUSION: frozenset({"DIFFUSION", "DW"}),
    Nature.PHASE: frozenset({"P", "PHASE", "PHASE MAP", "PHASE CONTRAST", "REAL", "IMAGINARY", "R", "I"}),
    Nature.SECONDARY_CAPTURE: frozenset({"SCREEN SAVE", "SCREENSAVE", "SCREENSHOT", "CAPTURE"}),
    Nature.DOSE: frozenset({"DOSE", "DOSE_INFO", "DOSE REPORT"}),
}  # fmt: skip
_IMAGE_TYPES_OF_MR: dict[Nature, frozenset[str]] = _IMAGE_TYPES | {
    Nature.FAT: frozenset({"FAT", "F", "FF", "PDFF", "FAT_FRACTION", "FAT FRACTION", "OP", "OPP_PHASE", "OPP PHASE",
                           "OPPOSED PHASE", "OUT_PHASE", "OUT PHASE", "OUTPHASE"}),
}  # fmt: skip

_OF_ENHANCED_MR: dict[str, dict[str, Nature]] = {  # PS3.3 C.8.13.3.1
    "ComplexImageComponent": dict.fromkeys(("PHASE", "REAL", "IMAGINARY"), Nature.PHASE),
    "AcquisitionContrast": {"DIFFUSION": Nature.DIFFUSION, "PERFUSION": Nature.FUNCTIONAL, "TOF": Nature.ANGIOGRAPHY},
}  # fmt: skip

_CALCULATED: dict[str, Nature] = {  # Volume Based Calculation Technique, PS3.3 C.8.16.2.1.3
    **dict.fromkeys(("MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"), Nature.PROJECTION),
    **dict.fromkeys(("MPR", "CURVED_MPR"), Nature.REFORMATTED),
}

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and its multi-frame kin below it (PS3.4 B.5)
_MR_ONLY = frozenset({Nature.CALIBRATION, Nature.DIFFUSION, Nature.ANGIOGRAPHY, Nature.FUNCTIONAL, Nature.PHASE,
                      Nature.FAT})


def natures_of(header: Header, *, modality: str, images: int, vocabulary: Vocabulary) -> dict[Nature, str]:
    """Each nature that the header shows, with the value that shows it."""
    if not images:
        return {Nature.NO_IMAGE: f"it holds no images ({modality or 'no modality'})"}
    found = _by_object(header)
    marks = _IMAGE_TYPES_OF_MR if modality == "MR" else _IMAGE_TYPES
    found |= {nature: reason for nature, reason in _by_image_type(header, marks).items() if nature not in found}
    if modality == "MR":
        found |= {nature: reason for nature, reason in _by_sequence(header).items() if nature not in found}
    description = plain(text(header, "SeriesDescription"))
    for nature in vocabulary.natures_in(description):
        if modality == "MR" or nature not in _MR_ONLY:
            found.setdefault(nature, f"series description “{text(header, 'SeriesDescription')}”")
    return found


def _by_object(header: Header) -> dict[Nature, str]:
    sop_class = text(header, "SOPClassUID")
    if sop_class == _SECONDARY_CAPTURE or sop_class.startswith(_SECONDARY_CAPTURE + "."):
        return {Nature.SECONDARY_CAPTURE: "its SOP class"}
    if (number(header, "SamplesPerPixel") or 1) > 1:
        return {Nature.SECONDARY_CAPTURE: "it is in colour"}
    technique = text(header, "VolumeBasedCalculationTechnique")
    if technique in _CALCULATED:
        return {_CALCULATED[technique]: f"it is calculated from a volume ({technique})"}
    return {}


def _by_image_type(header: Header, marks: Mapping[Nature, frozenset[str]]) -> dict[Nature, str]:
    values = words(header, "ImageType")
    said = "image type " + "\\".join(values)
    found = {nature: said for nature, those in marks.items() if those & set(values[2:])}
    if "LOCALIZER" in values:
        found[Nature.LOCALIZER] = said
    if any(value.endswith(" MPR") for value in values[2:]):
        found.setdefault(Nature.REFORMATTED, said)
    # DERIVED\PRIMARY is how some archives mark a recompressed original; it is kept, and ranks lower.
    if values[1:2] == ("SECONDARY",) or (values[:1] == ("DERIVED",) and values[1:2] != ("PRIMARY",)):
        found[Nature.DERIVED] = said
    return found


def _by_sequence(header: Header) -> dict[Nature, str]:
    found: dict[Nature, str] = {}
    if (number(header, "DiffusionBValue") or 0.0) > 0.0:
        found[Nature.DIFFUSION] = f"diffusion b-value {number(header, 'DiffusionBValue'):g}"
    if "EP" in words(header, "ScanningSequence"):
        found[Nature.FUNCTIONAL] = "an echo-planar sequence"
    if words(header, "AngioFlag") == ("Y",):
        found[Nature.ANGIOGRAPHY] = "the scanner's angio flag"
    for keyword, marks in _OF_ENHANCED_MR.items():
        said = text(header, keyword)
        if said in marks:
            found.setdefault(marks[said], f"the scanner says {said}")
    return found
