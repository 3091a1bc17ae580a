"""What an enhanced multi-frame header says in its functional groups, in the words of a single-frame header.

PS3.3 C.7.6.16. The macros are common to CT, MR and PET; what a modality adds is found where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydicom.dataset import Dataset

from dicom_node.network.headers.elements import Scanned, items_of, value_of

MAX_FRAMES = 20_000

# (sequence in a functional group, attribute there, the single-frame attribute that it stands for)
CLASSIC_WORDS = (
    ("PixelMeasuresSequence", "PixelSpacing", "PixelSpacing"),
    ("PixelMeasuresSequence", "SliceThickness", "SliceThickness"),
    ("PixelMeasuresSequence", "SpacingBetweenSlices", "SpacingBetweenSlices"),
    ("PlaneOrientationSequence", "ImageOrientationPatient", "ImageOrientationPatient"),
    ("PixelValueTransformationSequence", "RescaleSlope", "RescaleSlope"),
    ("PixelValueTransformationSequence", "RescaleIntercept", "RescaleIntercept"),
    ("CTReconstructionSequence", "ConvolutionKernel", "ConvolutionKernel"),
    ("CTAcquisitionDetailsSequence", "GantryDetectorTilt", "GantryDetectorTilt"),
    ("MREchoSequence", "EffectiveEchoTime", "EchoTime"),
    ("MRTimingAndRelatedParametersSequence", "RepetitionTime", "RepetitionTime"),
    ("MRTimingAndRelatedParametersSequence", "FlipAngle", "FlipAngle"),
    ("MRModifierSequence", "InversionTimes", "InversionTime"),
    ("MRDiffusionSequence", "DiffusionBValue", "DiffusionBValue"),
)
# What legacy converted enhanced images (PS3.3 A.70, A.71) keep as their single-frame sources said it, unassigned.
CONVERTED = (
    "ScanningSequence", "SequenceVariant", "AngioFlag", "MRAcquisitionType", "EchoTime", "RepetitionTime",
    "InversionTime", "FlipAngle", "DiffusionBValue", "ContrastBolusAgent", "ContrastBolusVolume", "ConvolutionKernel",
    "GantryDetectorTilt",
)  # fmt: skip
CONVERTED_SHARED = "UnassignedSharedConvertedAttributesSequence"
CONVERTED_FRAME = "UnassignedPerFrameConvertedAttributesSequence"
PULSES = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}


def multiframe_facts(data: Dataset | Scanned) -> dict[str, Any]:
    """Attributes of the first frame in single-frame words, and "Frames": where and when each frame lies.

    A frame is {position, orientation, spacing, temporal, stack, echo, kind, component, acquisition, acquired}; what its
    own group does not say, the shared group says, but for echo, kind and component: what all share tells none of them
    apart. ValueError beyond `MAX_FRAMES` or where a group cannot be read.
    """
    groups = items_of(data, "PerFrameFunctionalGroupsSequence")
    if len(groups) > MAX_FRAMES:
        raise ValueError(f"more than {MAX_FRAMES} frames")
    shared = next(iter(items_of(data, "SharedFunctionalGroupsSequence")), None)
    if not groups and not shared:
        return {}
    shared = shared or Dataset()
    first = groups[0] if groups else Dataset()
    facts = dict(_converted(first, shared))
    facts |= _pulse_sequence(data, first, shared)
    facts |= _agent(data, [shared, *groups])
    for sequence, attribute, word in CLASSIC_WORDS:
        value = _in_group(first, shared, sequence, attribute)
        if value is not None:
            facts[word] = value
    if groups:
        facts["Frames"] = [_frame(group, shared) for group in groups]
    return facts


def _frame(group: Dataset, shared: Dataset) -> dict[str, Any]:
    nothing = Dataset()
    frame = {
        "position": _in_group(group, shared, "PlanePositionSequence", "ImagePositionPatient"),
        "orientation": _in_group(group, shared, "PlaneOrientationSequence", "ImageOrientationPatient"),
        "spacing": _in_group(group, shared, "PixelMeasuresSequence", "PixelSpacing"),
        "temporal": _in_group(group, shared, "FrameContentSequence", "TemporalPositionIndex")
        or _in_group(group, nothing, CONVERTED_FRAME, "TemporalPositionIdentifier"),
        "stack": _in_group(group, shared, "FrameContentSequence", "StackID"),
        "echo": _in_group(group, nothing, "MREchoSequence", "EffectiveEchoTime")
        or _in_group(group, nothing, CONVERTED_FRAME, "EchoTime"),
        "kind": _of_kind(group, "FrameType"),
        "component": _of_kind(group, "ComplexImageComponent"),
        "acquisition": _in_group(group, shared, "FrameContentSequence", "FrameAcquisitionNumber"),
        "acquired": _in_group(group, shared, "FrameContentSequence", "FrameAcquisitionDateTime"),
    }
    return {name: value for name, value in frame.items() if value is not None}


def _of_kind(group: Dataset, attribute: str) -> Any:
    own = (_in_group(group, Dataset(), f"{maker}ImageFrameTypeSequence", attribute) for maker in ("MR", "CT"))
    return next((value for value in own if value is not None), None)


def _in_group(group: Dataset, shared: Dataset, sequence: str, attribute: str) -> Any:
    for place in (group, shared):
        for item in items_of(place, sequence):
            value = value_of(item, attribute)
            if value is not None:
                return value
    return None


def _converted(group: Dataset, shared: Dataset) -> Iterator[tuple[str, Any]]:
    for keyword in CONVERTED:
        own = _in_group(group, shared, CONVERTED_FRAME, keyword)
        value = _in_group(group, shared, CONVERTED_SHARED, keyword) if own is None else own
        if value is not None:
            yield keyword, value


def _pulse_sequence(data: Dataset | Scanned, group: Dataset, shared: Dataset) -> Iterator[tuple[str, Any]]:
    """Enhanced MR names its pulse sequence by other attributes (PS3.3 C.8.13.4, C.8.13.5.5)."""
    pulses = PULSES.get(value_of(data, "EchoPulseSequence") or "", [])
    if _in_group(group, shared, "MRModifierSequence", "InversionRecovery") == "YES":
        pulses = [*pulses, "IR"]
    if value_of(data, "EchoPlanarPulseSequence") == "YES":
        pulses = [*pulses, "EP"]
    if pulses:
        yield "ScanningSequence", "\\".join(pulses)
    if value_of(data, "SteadyStatePulseSequence") == "FREE_PRECESSION":
        spoiling = str(_in_group(group, shared, "MRModifierSequence", "Spoiling"))
        yield "SequenceVariant", "SS\\SP" if "RF" in spoiling else "SS"
    if "YES" in (value_of(data, "TimeOfFlightContrast"), value_of(data, "PhaseContrast")):
        yield "AngioFlag", "Y"


def _agent(data: Dataset | Scanned, groups: Sequence[Dataset]) -> Iterator[tuple[str, Any]]:
    """The contrast agent, unless it was not administered yet in any frame (PS3.3 C.7.6.4b, C.7.6.16.2.12)."""
    agents = items_of(data, "ContrastBolusAgentSequence")
    usages = (item for group in groups for item in items_of(group, "ContrastBolusUsageSequence"))
    if agents and {value_of(usage, "ContrastBolusAgentAdministered") for usage in usages} != {"NO"}:
        yield "ContrastBolusAgent", value_of(agents[0], "CodeMeaning") or "present"
