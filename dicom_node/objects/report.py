"""What every report of ours shares: TID 1500 root, observer, image library, evidence (PS3.16 TID 1500)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.objects import wording
from dicom_node.objects.codes import (
    ARTIFICIAL_INTELLIGENCE,
    COMMENT,
    PROCEDURES,
    algorithm_parameters,
    concept,
    own_scheme,
    processing_equipment,
)
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.finish import finish
from dicom_node.objects.identity import device_uid
from dicom_node.objects.source import Reference, Sources
from dicom_node.objects.variation import varied
from inference.codes import Code
from inference.findings import Measurement, ModelIdentity, Result

Group: TypeAlias = sr.VolumetricROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations

_CLASSES = {"comprehensive3d": sr.Comprehensive3DSR, "comprehensive": sr.ComprehensiveSR, "enhanced": sr.EnhancedSR}


@dataclass(frozen=True, eq=False)
class Content:
    """What one report says: its kind, its groups, the slices that its library lists, and what else it cites.

    `own_codes`: it speaks in codes of ours too, so it has to say whose they are.
    """

    kind: str
    title: str
    groups: Sequence[Group]
    library: Sequence[int]
    cites: Sequence[Dataset] = ()
    own_codes: bool = False


def write_report(content: Content, result: Result, sources: Sources, context: EncodeContext) -> Dataset:
    """An SR of the profile's class: complete, preliminary and unverified, since no person has looked at it yet."""
    root = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer(result.model, context)),
        procedure_reported=PROCEDURES[sources.modality],
        imaging_measurements=list(content.groups),
        title=dictionary.DCM.ImagingMeasurementReport,
        referenced_images=[_first_listed(content, sources)],
    )[0]
    _list_images(root, [sources.references[z] for z in content.library])
    predecessors = _predecessors(content.kind, context, str(sources.header.StudyInstanceUID))
    report = _CLASSES[context.profile.sr](
        evidence=[sources.header, *sources.evidence[1:], *content.cites],
        content=root,
        **context.general(content.kind),
        is_complete=True,
        is_final=False,
        is_verified=False,
        previous_versions=predecessors or None,
        coding_schemes=[own_scheme()] if content.own_codes else None,
        contributing_equipment=[processing_equipment(result.model, context)],
        series_description=wording.series_description(result, content.title, context.incomplete),
        content_date=context.moment.date,
        content_time=context.moment.time,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=None,  # set at the end: highdicom knows not all that archives hold
    )
    return finish(report, sources.header, context)


def number(measurement: Measurement) -> sr.Measurement:
    """A NUM item (TID 300); the value must be finite."""
    return sr.Measurement(
        name=concept(measurement.quantity),
        value=float(measurement.value),
        unit=concept(measurement.unit),
        derivation=concept(measurement.derivation) if measurement.derivation else None,
        method=concept(measurement.method) if measurement.method else None,
    )


def comment(group: Group, sentences: Sequence[str], name: Code = COMMENT) -> None:
    """Free text of a group (TID 1501, qualitative evaluation as text)."""
    for sentence in sentences:
        group[0].ContentSequence.append(sr.TextContentItem(
            name=concept(name),
            value=wording.plain(sentence, 1024),
            relationship_type=sr.RelationshipTypeValues.CONTAINS,
        ))


def algorithm(model: ModelIdentity) -> sr.AlgorithmIdentification:
    """The model as TID 4019, equal to the SEG's algorithm identification."""
    return sr.AlgorithmIdentification(
        name=wording.plain(model.name),
        version=wording.plain(model.version),
        parameters=algorithm_parameters(model),
        family=ARTIFICIAL_INTELLIGENCE,
        manufacturer=wording.plain(model.manufacturer),
    )


def observer(model: ModelIdentity, context: EncodeContext) -> sr.ObserverContext:
    """The model observes (TID 1004), by the same names as in the Contributing Equipment (IHE AIR 6.5.3.1)."""
    return sr.ObserverContext(
        observer_type=dictionary.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=device_uid(model),
            name=wording.plain(context.model_name),
            manufacturer_name=wording.plain(model.manufacturer),
            model_name=wording.plain(model.name),
        ),
    )


def _predecessors(kind: str, context: EncodeContext, study_uid: str) -> list[Dataset]:
    """What Predecessor Documents (PS3.3 C.17.2) names: the same report of an earlier generation and its SEG.

    Where that generation had no such report, all that it had.
    """
    same = [old for old in context.replaces if old.kind == kind]
    named = [old for old in context.replaces if old.kind in (kind, "seg")] if same else context.replaces
    predecessors = []
    for old in named:
        item = Dataset()
        item.SOPClassUID, item.SOPInstanceUID = old.sop_class_uid, old.sop_instance_uid
        item.StudyInstanceUID, item.SeriesInstanceUID = study_uid, old.series_instance_uid
        predecessors.append(item)
    return predecessors


def _first_listed(content: Content, sources: Sources) -> Dataset:
    """The first image of the library: where it lies, and all else as the series' first image says it."""
    return varied(sources.planes[0], ImagePositionPatient=sources.planes[content.library[0]].ImagePositionPatient)


def _list_images(root: Dataset, references: Sequence[Reference]) -> None:
    """Fill the image library (TID 1600): the first entry's descriptors hold for the series.

    highdicom would describe each image anew, at 20 ms apiece.
    """
    (entry,) = (group := _named(_named(root, "111028"), "126200")).ContentSequence
    references[0].write(entry.ReferencedSOPSequence[0])
    group.ContentSequence.extend(
        sr.ImageContentItem(
            name=entry.name,
            referenced_sop_class_uid=reference.sop_class_uid,
            referenced_sop_instance_uid=reference.sop_instance_uid,
            referenced_frame_numbers=reference.frame,
            relationship_type=sr.RelationshipTypeValues.CONTAINS,
        )
        for reference in references[1:]
    )


def _named(item: Dataset, code: str) -> Dataset:
    """The child whose concept name has this code."""
    return next(c for c in item.ContentSequence if c.ConceptNameCodeSequence[0].CodeValue == code)
