"""The SEG on the primary series' own grid (PS3.3 A.51): BINARY segments, the same as OCCUPANCY, or a LABELMAP.

OCCUPANCY is FRACTIONAL with 0 and the maximum only (PS3.3 C.8.20.2.3): the same masks, whole bytes instead of bits, for
viewers that go wrong where a frame begins within a byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from dicom_node.errors import ResultInvalid
from dicom_node.objects import wording
from dicom_node.objects.codes import ARTIFICIAL_INTELLIGENCE, algorithm_parameters, concept, processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.finish import finish
from dicom_node.objects.labelmap import Labels, load_labels
from dicom_node.objects.segment_pixels import ANY, Form, encoded, shown_on, small_likeness
from dicom_node.objects.source import Sources
from dicom_node.objects.variation import varied
from inference.findings import Finding, ModelIdentity, Result

KIND = "seg"
_FORMS = {
    "binary": hd.seg.SegmentationTypeValues.BINARY,
    "occupancy": hd.seg.SegmentationTypeValues.FRACTIONAL,
    "labelmap": hd.seg.SegmentationTypeValues.LABELMAP,
}


@dataclass(frozen=True, eq=False)
class Segmented:
    """A SEG and the findings that its segments 1..N are."""

    seg: Dataset
    findings: tuple[Finding, ...]

    def segment_of(self, finding: Finding) -> int | None:
        """The number of the finding's segment, None where it lies in another SEG."""
        numbers = [one.number for one in self.findings]
        return numbers.index(finding.number) + 1 if finding.number in numbers else None


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A label map, and the numbers that each of its slices shows."""

    labels: Labels
    shown: Sequence[frozenset[int]]


def encode_segmentations(result: Result, sources: Sources, context: EncodeContext) -> list[Segmented]:
    """The SEG that holds every finding, or one a finding where the profile says so, each in a series of its own.

    Segments are numbered in the findings' order.
    """
    labels = load_labels(result, sources)
    drawn = _Drawn(labels, shown_on(labels))
    if any(number > len(result.findings) for seen in drawn.shown for number in seen):
        raise ResultInvalid("the mask holds voxels of no finding")
    if context.profile.seg_per == "task":
        return [_encode(drawn, result.findings, 1, result, sources, context)]
    return [_encode(drawn, (finding,), finding.number, result, sources, context) for finding in result.findings]


def _encode(drawn: _Drawn, findings: tuple[Finding, ...], number: int, result: Result,
            sources: Sources, context: EncodeContext) -> Segmented:
    """highdicom lays out the frames of a small likeness of the label map; their pixels are put in after it."""
    names, profile = context.names, context.profile
    like = small_likeness(drawn.shown, [finding.number for finding in findings])
    what = "SEG" if profile.seg_per == "task" else f"SEG {findings[0].label}"
    seg = hd.seg.Segmentation(
        source_images=[_of_size(plane, *like.shape[1:]) for plane in sources.planes],
        pixel_array=like,
        segmentation_type=_FORMS[profile.seg],
        fractional_type=hd.seg.SegmentationFractionalTypeValues.OCCUPANCY,  # read where it is FRACTIONAL only
        segment_descriptions=[_segment(n, finding, result.model, context) for n, finding in enumerate(findings, 1)],
        **context.general(KIND, number, series=number),
        content_label=wording.content_label(result.task),
        content_description=wording.content_description(result.model),
        omit_empty_frames=not profile.empty_frames,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        contributing_equipment=[processing_equipment(result.model, context)],
        content_date=context.moment.date,
        content_time=context.moment.time,
        series_description=wording.series_description(result, what, context.incomplete),
        specific_character_set=None,  # set at the end: highdicom knows not all that archives hold
    )
    name_dimensions(seg, names.dimensions(KIND, number))
    _name_segment_on_each_frame(seg)
    _put_pixels(seg, drawn.labels, findings, sources)
    _refer_to_instances(seg, sources)
    _compress(seg, context)
    return Segmented(finish(seg, sources.header, context), findings)


def _of_size(plane: Dataset, rows: int, columns: int) -> Dataset:
    """The same image with so many pixels."""
    return varied(plane, Rows=rows, Columns=columns)


def _put_pixels(seg: Dataset, labels: Labels, findings: Sequence[Finding], sources: Sources) -> None:
    """The label map's voxels in the frames that stand for them."""
    slice_of = {str(plane.SOPInstanceUID): z for z, plane in enumerate(sources.planes)}
    frames = []
    for group in seg.PerFrameFunctionalGroupsSequence:
        z = slice_of[str(group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)]
        segment = group.get("SegmentIdentificationSequence")
        frames.append((z, findings[int(segment[0].ReferencedSegmentNumber) - 1].number if segment else ANY))
    seg.Rows, seg.Columns = labels.shape[1:]
    form = Form(seg.SegmentationType, int(seg.BitsAllocated), int(seg.get("MaximumFractionalValue", 1)))
    seg.PixelData = encoded(labels, frames, form)


def _compress(seg: Dataset, context: EncodeContext) -> None:
    if context.profile.compressed:
        seg.compress(RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)


def _segment(number: int, finding: Finding, model: ModelIdentity,
             context: EncodeContext) -> hd.seg.SegmentDescription:
    structure = finding.structure
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=wording.plain(finding.label),
        segmented_property_category=concept(structure.category),
        segmented_property_type=concept(structure.type),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(model),
        tracking_uid=context.names.finding(finding),
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


def name_dimensions(seg: Dataset, uid: str) -> None:
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
