"""How sure the model was, voxel by voxel: Parametric Maps on the source grid (PS3.3 A.75).

One of the probability of what was found, one of the entropy everywhere. The values are stored as floating point
numbers, which is what other readers of these objects take.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.pm import ParametricMap, RealWorldValueMapping
from highdicom.sr import CodedConcept
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.errors import ResultInvalid
from dicom_node.objects import wording
from dicom_node.objects.codes import ENTROPY, concept, own_scheme, processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.decode import source_of
from dicom_node.objects.finish import finish
from dicom_node.objects.sought import sought
from dicom_node.objects.source import Sources
from inference.codes import LUNG, NO_UNITS
from inference.findings import IntendedUse, Result

KIND = "map"
UNCERTAINTY = "uncertainty"
QUANTITY = dictionary.DCM.FractionalProbabilisticSegmentation  # CID 7180, which the map's quantities come from


@dataclass(frozen=True)
class _Map:
    """What one map shows: its kind, its values (.npy), what they are called and coded as."""

    kind: str
    values: Path | None
    label: str  # SH
    explanation: str
    title: str
    quantity: CodedConcept
    own_code: bool = False


def encode_probability(result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """The probability of the findings, 0..1; ResultInvalid where the model gave none."""
    shown = _Map(KIND, result.probability, "PROBABILITY", "Probability of the findings", "probability", QUANTITY)
    return _encode(shown, result, sources, context)


def encode_uncertainty(result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """The entropy of the model's probabilities, 0..1, also where nothing was found; ResultInvalid where it gave none.

    DICOM has no code for it (CID 7180 has none that means it): ours says what it is.
    """
    shown = _Map(UNCERTAINTY, result.uncertainty, "ENTROPY", "How unsure the model was, 0 to 1", "uncertainty",
                 concept(ENTROPY), own_code=True)
    return _encode(shown, result, sources, context)


def _encode(shown: _Map, result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    names = context.names
    pm = ParametricMap(
        source_images=list(sources.planes),
        pixel_array=_values(shown, sources),
        **context.general(shown.kind),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[RealWorldValueMapping(
            lut_label=shown.label,
            lut_explanation=shown.explanation,
            unit=concept(NO_UNITS),
            value_range=(0.0, 1.0),
            slope=1,
            intercept=0,
            quantity_definition=shown.quantity,
        )],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        content_label=wording.content_label(result.task),
        content_description=wording.content_description(result.model),
        content_qualification=(hd.ContentQualificationValues.PRODUCT if _clinical(result)
                               else hd.ContentQualificationValues.RESEARCH),
        contributing_equipment=[processing_equipment(result.model, context)],
        content_date=context.moment.date,
        content_time=context.moment.time,
        series_description=wording.series_description(result, shown.title, context.incomplete),
        specific_character_set=None,  # set at the end: highdicom knows not all that archives hold
    )
    for item in (*pm.DimensionOrganizationSequence, *pm.DimensionIndexSequence):
        item.DimensionOrganizationUID = names.dimensions(shown.kind)  # highdicom draws it at random; ours repeats
    pm.ContentCreatorName = ""  # Type 2: no person made it
    if shown.own_code:
        pm.CodingSchemeIdentificationSequence = [own_scheme()]
    _name_anatomy(pm, result)
    _into_slice_order(pm, sources)
    _refer_to_instances(pm, sources)
    return finish(pm, sources.header, context)


def _values(shown: _Map, sources: Sources) -> NDArray[np.float32]:
    """A map's values (z, y, x) in single precision: DICOM has no shorter floating point."""
    if shown.values is None:
        raise ResultInvalid(f"the model gave no {shown.title} to map")
    values: NDArray[np.floating] = np.load(shown.values, mmap_mode="r")
    if values.shape != (len(sources.planes), sources.planes[0].Rows, sources.planes[0].Columns):
        raise ResultInvalid(f"a map of {shown.title} of {values.shape} does not lie on {len(sources.planes)} "
                            "source slices")
    single = np.asarray(values, dtype=np.float32)
    if not (single.min() >= 0 and single.max() <= 1):  # also where it is no number
        raise ResultInvalid(f"values of {shown.title} lie outside 0 to 1")
    return single


def _clinical(result: Result) -> bool:
    return result.model.intended_use is IntendedUse.CLINICAL


def _name_anatomy(pm: Dataset, result: Result) -> None:
    """What the frames show (PS3.3 C.7.6.16.2.8): dcmqi's reader needs it, as laterality does."""
    region = sought(result).region or (result.findings[0].structure.type if result.findings else None)
    if region is None:
        return
    anatomy = Dataset()
    anatomy.FrameLaterality = "B" if region == LUNG else "U"
    anatomy.AnatomicRegionSequence = [concept(region)]
    pm.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]


def _into_slice_order(pm: Dataset, sources: Sources) -> None:
    """Frames along row × column, as the slices are: highdicom turns them round, and dcmqi goes by their order."""
    slice_of = {str(plane.SOPInstanceUID): z for z, plane in enumerate(sources.planes)}
    groups = list(pm.PerFrameFunctionalGroupsSequence)
    order = np.argsort([slice_of[source_of(group).sop_instance_uid] for group in groups])
    pm.PerFrameFunctionalGroupsSequence = [groups[place] for place in order]
    pm.FloatPixelData = np.frombuffer(pm.FloatPixelData, np.float32).reshape(len(order), -1)[order].tobytes()
    for number, group in enumerate(pm.PerFrameFunctionalGroupsSequence, start=1):
        group.FrameContentSequence[0].DimensionIndexValues = number


def _refer_to_instances(pm: Dataset, sources: Sources) -> None:
    """Point each frame at the instance, and the frame, that its plane stands for."""
    sources.resolve(item for group in pm.PerFrameFunctionalGroupsSequence
                    for derivation in group.DerivationImageSequence for item in derivation.SourceImageSequence)
    pm.SourceImageSequence = sources.instances()
    pm.ReferencedSeriesSequence[0].ReferencedInstanceSequence = sources.instances()
