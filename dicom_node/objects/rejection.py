"""The rejection note: says of results that left that they are no longer valid (IHE RAD TF-3 4.66, PS3.16 TID 2010)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

from highdicom import ko
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import ExplicitVRLittleEndian, ParametricMapStorage, SecondaryCaptureImageStorage

from dicom_node.errors import ResultInvalid
from dicom_node.objects import wording
from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.context import EncodeContext, Replaced
from dicom_node.objects.decode import SEGMENTATIONS
from dicom_node.objects.encode import Encoded, where
from dicom_node.objects.finish import finish, part10
from dicom_node.objects.source import TYPE_2, offset_of, patched

KIND = "rejection"
TITLE = dictionary.DCM.RejectedForQualityReasons
IMAGES = SEGMENTATIONS | {ParametricMapStorage, SecondaryCaptureImageStorage}  # of what we make; the rest has no pixels


def encode_rejection(
    rejected: Sequence[Replaced], subject: Path, reason: str, context: EncodeContext
) -> Encoded:
    """The note on `rejected`, all of one study; patient and study are those of the file `subject`.

    `reason` is one sentence that names no patient. ResultInvalid where the note fails a check; OSError where the
    file cannot be read now.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom and highdicom quote the values that they complain about
        try:
            header = patched(dcmread(subject, stop_before_pixels=True, force=True))
            context = replace(context, offset=offset_of(header))
            file = part10(_note(rejected, header, reason, context))
            note = dcmread(BytesIO(file))
            check_rejection(note, rejected, header)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, OSError) as fault:
            if isinstance(fault, OSError) and fault.errno is not None:  # the disk's; pydicom's own has none
                raise
            raise ResultInvalid(f"the rejection note could not be made: {where(fault)}") from None
    remarks = dciodvfy(file) if context.dciodvfy else ()
    uids = (str(note.SOPClassUID), str(note.SOPInstanceUID), str(note.SeriesInstanceUID))
    return Encoded(KIND, *uids, file, remarks)


def check_rejection(note: Dataset, rejected: Sequence[Replaced], header: Dataset) -> None:
    """ResultInvalid unless the note is of this study and names these objects and no others, twice as it must."""
    selected = {str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
                for item in note.ContentSequence if item.ValueType in ("IMAGE", "COMPOSITE")}
    evidence = {str(sop.ReferencedSOPInstanceUID): str(series.SeriesInstanceUID)
                for study in note.CurrentRequestedProcedureEvidenceSequence
                for series in study.ReferencedSeriesSequence for sop in series.ReferencedSOPSequence}
    expected = {old.sop_instance_uid: old.series_instance_uid for old in rejected}
    holds = {
        "its title": note.ConceptNameCodeSequence[0].CodeValue == TITLE.value,
        "its selection": selected == set(expected),
        "its evidence": evidence == expected,
        "its study": note.StudyInstanceUID == header.StudyInstanceUID,
        "its patient": all((note.get(k) or "") == (header.get(k) or "") for k in TYPE_2),
    }
    wrong = [what for what, right in holds.items() if not right]
    if wrong:
        raise ResultInvalid(f"the rejection note is wrong in {', '.join(wrong)}")


def _note(rejected: Sequence[Replaced], header: Dataset, reason: str, context: EncodeContext) -> Dataset:
    evidence = [_reference(old, header) for old in rejected]
    note = ko.KeyObjectSelectionDocument(
        evidence=evidence,
        content=ko.KeyObjectSelection(
            document_title=TITLE, referenced_objects=evidence, description=wording.plain(reason, 1024)
        ),
        **context.general(KIND),
        series_description="Rejection note",
        content_date=context.moment.date,
        content_time=context.moment.time,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        specific_character_set=None,  # set at the end: highdicom knows not all that archives hold
    )
    note.copy_patient_and_study_information(header)  # of the references it takes the least
    return finish(note, header, context)


def _reference(old: Replaced, header: Dataset) -> Dataset:
    """What highdicom asks of an object that a note names; the first one's patient and study become the note's."""
    item = Dataset()
    for keyword in TYPE_2:
        item[keyword] = header[keyword]
    item.StudyInstanceUID, item.SeriesInstanceUID = header.StudyInstanceUID, old.series_instance_uid
    item.SOPClassUID, item.SOPInstanceUID = old.sop_class_uid, old.sop_instance_uid
    if old.sop_class_uid in IMAGES:
        item.Rows = item.Columns = 1  # an image is told by these; their values go nowhere
    return item
