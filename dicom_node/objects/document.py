"""The result as a page to read: an Encapsulated PDF (PS3.3 A.45.1), for archives that show no report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from highdicom.base import SOPClass
from highdicom.sr import CodedConcept
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dictionary
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian
from pydicom.valuerep import DA

from dicom_node.objects import sr, wording
from dicom_node.objects.codes import processing_equipment
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.finish import finish
from dicom_node.objects.page import Page, Row, draw
from dicom_node.objects.places import place_sentence, thick_slices_sentence
from dicom_node.objects.source import Sources
from dicom_node.objects.trend_table import trend_tables
from dicom_node.objects.trend_wording import trend_sentences
from inference import codes
from inference.codes import Code
from inference.findings import Finding, Measurement, Result

KIND = "document"
NOT_A_REPORT = "This page was written by software. It is not a radiologist's report."
TITLE = dictionary.DCM.ImagingMeasurementReport  # CID 7021; it is no diagnosis
_COLUMNS = (("Finding", 62.0), ("Volume, mL", 26.0), ("Long × short axis, mm", 42.0), ("Mean", 32.0),
            ("Confidence", 20.0))


def encode_document(result: Result, sources: Sources, context: EncodeContext,
                    pictures: Sequence[Image.Image] = ()) -> Dataset:
    """A page about a result; `pictures` are its key slices as they are painted elsewhere, the first four of them."""
    header = sources.header
    ds = SOPClass(
        study_instance_uid=header.StudyInstanceUID,
        **context.general(KIND),
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=wording.series_description(result, "report", context.incomplete),
        content_date=context.moment.date,
        content_time=context.moment.time,
    )
    ds.copy_patient_and_study_information(header)
    ds.ContributingEquipmentSequence = [processing_equipment(result.model, context)]
    ds.ConversionType = "WSD"
    ds.BurnedInAnnotation = "YES"
    ds.AcquisitionDateTime = ""
    ds.VerificationFlag = "UNVERIFIED"
    ds.DocumentTitle = wording.plain(_title(result), 1024)
    ds.ConceptNameCodeSequence = [CodedConcept.from_code(TITLE)]
    ds.SourceInstanceSequence = _instances(sources)
    pdf = draw(_page(result, sources, context, pictures))
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocumentLength = len(pdf)
    ds.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    return finish(ds, header, context)


def _page(result: Result, sources: Sources, context: EncodeContext, pictures: Sequence[Image.Image]) -> Page:
    model = result.model
    return Page(
        title=_title(result),
        mark=wording.mark(model.intended_use),
        facts=list(_facts(sources.header, len(sources.planes))),
        pictures=pictures,
        columns=_COLUMNS,
        rows=[_row(finding) for finding in result.findings],
        notes=list(_notes(result, sources, context)),
        closing=(
            NOT_A_REPORT,
            f"Model: {model.name} {model.version} by {model.manufacturer}, SHA-256 {model.sha256[:16]}",
            f"Written by {context.model_name} {context.software_version} on {_day(context.moment.date)}",
        ),
        created_at=context.created_at,
        tables=trend_tables(result, context.names),
        reported=_reported(context),
    )


def _reported(context: EncodeContext) -> bool:
    """Whether reports say what the page has no room for."""
    return context.profile.sr != "none" and context.profile.measurements and sr.KIND not in context.kept_in


def _title(result: Result) -> str:
    return f"{wording.task_title(result.task)}: findings by software"


def _facts(header: Dataset, slices: int) -> Iterator[tuple[str, str]]:
    """Patient and study as the archive has them."""
    yield "Patient", _name(header)
    yield "Patient ID", str(header.PatientID or "")
    yield "Born, sex", f"{_day(header.PatientBirthDate)} {header.PatientSex or ''}".strip()
    yield "Study", str(header.get("StudyDescription") or "")
    yield "Study date", _day(header.StudyDate)
    yield "Accession number", str(header.AccessionNumber or "")
    yield "Series", f"{header.Modality} {header.get('SeriesNumber') or ''} {header.get('SeriesDescription') or ''}"
    yield "Slices", str(slices)
    yield "Institution", str(header.get("InstitutionName") or "")


def _name(header: Dataset) -> str:
    """The alphabetic form, or whichever there is (PS3.5 6.2.1)."""
    groups = [group for group in str(header.PatientName or "").split("=") if group.strip("^ ")]
    return ", ".join(part.strip() for part in groups[0].split("^") if part.strip()) if groups else ""


def _day(value: str | DA | None) -> str:
    digits = str(value or "")
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if len(digits) == 8 else digits


def _row(finding: Finding) -> Row:
    lengths = (codes.LONG_AXIS, codes.SHORT_AXIS) if finding.count == 1 else ()  # from lesion to lesion is no length
    axes = [_number(finding, quantity, 1) for quantity in lengths]
    mean = _number(finding, codes.ATTENUATION, 1, codes.MEAN, " HU") or _number(finding, codes.MR_SIGNAL, 1, codes.MEAN)
    confidence = f"{finding.confidence:.2f}" if finding.confidence is not None else ""
    cells = (finding.label, _number(finding, codes.VOLUME, 2), " × ".join(a for a in axes if a), mean, confidence)
    return Row(finding.structure.rgb, tuple(cell or "-" for cell in cells))


def _number(finding: Finding, quantity: Code, digits: int, derivation: Code | None = None, unit: str = "") -> str:
    for m in finding.measurements:
        if (m.quantity, m.derivation) == (quantity, derivation):
            return f"{m.value:.{digits}f}{unit}"
    return ""


def _notes(result: Result, sources: Sources, context: EncodeContext) -> Iterator[str]:
    if not result.findings:
        yield "Nothing was found."
    for name, measurement in result.totals:
        yield f"{name}: {_total(measurement)}"
    yield wording.intended_use_sentence(result.model)
    if context.incomplete:
        yield wording.incomplete_sentence(context.incomplete)
    yield from trend_sentences(result.trend)
    yield from sources.notes
    yield from result.notes
    if measurable := thick_slices_sentence(result, sources.planes):
        yield measurable
    yield from (sentence for finding in result.findings if (sentence := place_sentence(finding, result.grid)))


def _total(measurement: Measurement) -> str:
    digits = 0 if measurement.quantity == codes.NUMBER_OF_LESIONS else 2
    unit = "" if measurement.unit in (codes.LESIONS, codes.NO_UNITS) else f" {measurement.unit.value}"
    return f"{measurement.quantity.meaning.lower()} {measurement.value:.{digits}f}{unit}"


def _instances(sources: Sources) -> list[Dataset]:
    """Every image behind the result (PS3.3 C.24.2, Source Instance Sequence)."""
    items = []
    for image in sources.evidence:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        items.append(item)
    return items
