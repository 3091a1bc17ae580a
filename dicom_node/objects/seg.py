"""The SEG: one BINARY segmentation on the primary series' own grid (PS3.3 A.51)."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.errors import ResultInvalid
from dicom_node.objects import wording
from dicom_node.objects.codes import ARTIFICIAL_INTELLIGENCE, algorithm_parameters, concept, processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.finish import finish
from dicom_node.objects.source import Sources
from inference.findings import Finding, ModelIdentity, Result

KIND = "seg"


def encode_segmentation(result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """One segment a finding, numbered in the findings' order; frames without voxels are left out."""
    labels: NDArray[np.unsignedinteger] = np.load(result.labelmap, mmap_mode="r")
    if [f.number for f in result.findings] != list(range(1, len(result.findings) + 1)):
        raise ResultInvalid("findings are not numbered 1..N in order")
    if labels.shape != (len(sources.planes), sources.planes[0].Rows, sources.planes[0].Columns):
        raise ResultInvalid(f"a mask of {labels.shape} does not lie on {len(sources.planes)} source slices")
    names = context.names
    seg = hd.seg.Segmentation(
        source_images=list(sources.planes),
        pixel_array=np.asarray(labels),  # a label map: a stack of segments takes four times the memory
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_segment(finding, result.model, context) for finding in result.findings],
        series_instance_uid=names.series(KIND),
        series_number=names.series_number(KIND),
        sop_instance_uid=names.instance(KIND),
        instance_number=1,
        manufacturer=wording.plain(context.manufacturer),
        manufacturer_model_name=wording.plain(context.model_name),
        software_versions=wording.plain(context.software_version),
        device_serial_number=wording.plain(context.serial_number),
        content_label=wording.content_label(result.task),
        content_description=wording.content_description(result.model),
        transfer_syntax_uid=ExplicitVRLittleEndian,
        contributing_equipment=[processing_equipment(result.model, context)],
        content_date=context.moment.date,
        content_time=context.moment.time,
        series_description=wording.series_description(result, "SEG", context.incomplete),
        specific_character_set=None,  # set at the end: highdicom knows not all that archives hold
    )
    _name_dimensions(seg, names.dimensions(KIND))
    _name_segment_on_each_frame(seg)
    _refer_to_instances(seg, sources)
    return finish(seg, sources.header, context)


def _segment(finding: Finding, model: ModelIdentity, context: EncodeContext) -> hd.seg.SegmentDescription:
    structure = finding.structure
    description = hd.seg.SegmentDescription(
        segment_number=finding.number,
        segment_label=wording.plain(finding.label),
        segmented_property_category=concept(structure.category),
        segmented_property_type=concept(structure.type),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(model),
        tracking_uid=context.names.tracking(str(finding.number)),
        tracking_id=wording.plain(finding.label),
        anatomic_regions=[concept(structure.region)] if structure.region else None,
        display_color=hd.color.CIELabColor.from_rgb(*structure.rgb),
    )
    if structure.region and finding.laterality:
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [concept(finding.laterality)]
    return description


def _algorithm(model: ModelIdentity) -> hd.AlgorithmIdentificationSequence:
    """Name, version and source equal those of the Contributing Equipment (IHE AIR 6.5.3.1)."""
    algorithm = hd.AlgorithmIdentificationSequence(
        name=wording.plain(model.name),
        family=ARTIFICIAL_INTELLIGENCE,
        version=wording.plain(model.version),
        source=wording.plain(model.manufacturer),
    )
    algorithm[0].AlgorithmParameters = "; ".join(algorithm_parameters(model))
    return algorithm


def _name_dimensions(seg: Dataset, uid: str) -> None:
    """highdicom draws this UID at random; ours repeats."""
    for item in (*seg.DimensionOrganizationSequence, *seg.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid


def _name_segment_on_each_frame(seg: Dataset) -> None:
    """highdicom shares the identification of an only segment; viewers look for it on the frame."""
    shared = seg.SharedFunctionalGroupsSequence[0]
    if "SegmentIdentificationSequence" in shared:
        for group in seg.PerFrameFunctionalGroupsSequence:
            group.SegmentIdentificationSequence = shared.SegmentIdentificationSequence
        del shared.SegmentIdentificationSequence


def _refer_to_instances(seg: Dataset, sources: Sources) -> None:
    """Point each frame at the instance, and the frame, that its plane stands for."""
    items = [item for group in seg.PerFrameFunctionalGroupsSequence for derivation in group.DerivationImageSequence
             for item in derivation.SourceImageSequence]
    sources.resolve(items)
    seg.SourceImageSequence = sources.instances()
    seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence = sources.instances()
