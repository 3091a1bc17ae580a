"""The key object selection: the slices that show the lesions, with the objects that describe them (PS3.16 TID 2010).

Its title is "Of Interest", which claims the least: "Best In Set" compares images, "For Report Attachment" and
the like say what a physician has decided. Viewers show it as the study's key images.
"""

from __future__ import annotations

from collections.abc import Sequence

from highdicom import ko
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import ExplicitVRLittleEndian

from dicom_node.errors import ResultInvalid
from dicom_node.objects import wording
from dicom_node.objects.codes import processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.finish import finish
from dicom_node.objects.labelmap import is_lesion, largest_slices, load_labels
from dicom_node.objects.report import observer
from dicom_node.objects.source import TYPE_2, Sources
from inference.findings import Result

KIND = "selection"
TITLE = dictionary.DCM.OfInterest


def encode_selection(result: Result, sources: Sources, context: EncodeContext,
                     objects: Sequence[Dataset] = ()) -> Dataset:
    """Each lesion's largest slice, in slice order, then `objects`, the SEG and reports of the same job.

    ResultInvalid where there is neither.
    """
    slices = key_slices(result, sources)
    images = [_image(sources, z) for z in slices]
    if not images and not objects:
        raise ResultInvalid("a result without lesions has no key objects")
    content = ko.KeyObjectSelection(
        document_title=TITLE,
        referenced_objects=[*images, *objects],
        observer_device_context=observer(result.model, context),
        description=_description(result, context, len(images)),
    )
    references = [item for item in content[0].ContentSequence if item.ValueType == "IMAGE"]
    for item, z in zip(references, slices, strict=False):  # a SEG is an IMAGE too, and comes after
        sources.references[z].write(item.ReferencedSOPSequence[0])
    selection = ko.KeyObjectSelectionDocument(
        evidence=[*images, *objects],
        content=content,
        **context.general(KIND),
        contributing_equipment=[processing_equipment(result.model, context)],
        series_description=wording.series_description(result, "key images", context.incomplete),
        content_date=context.moment.date,
        content_time=context.moment.time,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=None,  # set at the end: highdicom knows not all that archives hold
    )
    selection.copy_patient_and_study_information(sources.planes[0])  # of the references it takes the least
    return finish(selection, sources.header, context)


def key_slices(result: Result, sources: Sources) -> list[int]:
    """The slices on which some lesion is largest."""
    if not result.findings:
        return []
    largest = largest_slices(load_labels(result, sources), result)
    return sorted({largest[f.number] for f in result.findings if is_lesion(f) and f.number in largest})


def _image(sources: Sources, z: int) -> Dataset:
    """What highdicom asks of an image: patient and study of the first one become the selection's."""
    item = Dataset()
    for keyword in TYPE_2:
        item[keyword] = sources.header[keyword]
    reference = sources.references[z]
    item.StudyInstanceUID = sources.header.StudyInstanceUID
    item.SeriesInstanceUID = sources.series_instance_uid
    item.SOPClassUID, item.SOPInstanceUID = reference.sop_class_uid, reference.sop_instance_uid
    item.Rows = item.Columns = 1  # an image is told by these; their values go nowhere
    return item


def _description(result: Result, context: EncodeContext, images: int) -> str:
    """The mark, what is shown, and what the study lacked."""
    shown = [f.label for f in result.findings if is_lesion(f)]
    sentences = [f"{wording.content_description(result.model)}."]
    if images:
        sentences.append(f"The largest slice of each of these: {', '.join(shown)}.")
    if context.incomplete:
        sentences.append(wording.incomplete_sentence(context.incomplete))
    return wording.plain(" ".join(sentences), 1024)
