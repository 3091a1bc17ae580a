"""The page as an object: whose it is, what it says, and that it is no one's report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from printed import pages, words
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from dicom_node.objects.document import NOT_A_REPORT, encode_document
from dicom_node.objects.encode import encode
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames
from dicom_node.objects.overlay import write_overlays
from dicom_node.objects.places import place_sentence
from dicom_node.objects.profile import Profile
from dicom_node.objects.source import load_sources
from dicom_node.objects.validate import check_objects
from inference import codes
from inference.findings import IntendedUse
from inference.writers.dicom_series import Encoding


def made(case, pictures: Sequence[Image.Image] = ()) -> bytes:
    sources = load_sources(case.result, case.files)
    return part10(encode_document(case.result, sources, case.context.of_job("job"), pictures))


def read(case, pictures: Sequence[Image.Image] = ()) -> Dataset:
    return dcmread(BytesIO(made(case, pictures)))


def pdf(ds: Dataset) -> bytes:
    return ds.EncapsulatedDocument[:ds.EncapsulatedDocumentLength]


def renamed(**values: str) -> Callable[[list[Path]], None]:
    """Write other patient facts into all images."""
    def edit(files: list[Path]) -> None:
        for path in files:
            ds = dcmread(path)
            ds.SpecificCharacterSet = "ISO_IR 192"
            for keyword, value in values.items():
                setattr(ds, keyword, value)
            ds.save_as(path)
    return edit


@pytest.mark.parametrize("preset", ["ohif", "images"])
def test_every_finding_stands_on_it_where_no_report_is_sent(preset: str, measured_case) -> None:
    case = measured_case()
    findings = tuple(replace(case.result.findings[1], number=n, label=f"Lesion {n}x") for n in range(1, 41))
    case = replace(case, result=replace(case.result, findings=findings, notes=("The last note.",)),
                   context=replace(case.context, profile=Profile(preset=preset)))
    said = words(pdf(read(case)))
    assert [f.label for f in findings if said.count(f.label) < 2] == [], "in the table and with its place"
    assert "measurement report" not in said
    assert "summary report" not in said


def test_it_is_a_pdf_in_a_series_of_its_own(measured_case) -> None:
    ds = read(measured_case())
    assert ds.SOPClassUID == EncapsulatedPDFStorage
    assert ds.SeriesInstanceUID == JobNames("job").series("document")
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert (ds.Modality, ds.MIMETypeOfEncapsulatedDocument) == ("DOC", "application/pdf")
    assert (ds.BurnedInAnnotation, ds.VerificationFlag) == ("YES", "UNVERIFIED")
    assert ds.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert ds.SeriesDescription.startswith("DEMONSTRATION: ")
    assert pdf(ds).startswith(b"%PDF-")
    assert pdf(ds).rstrip().endswith(b"%%EOF")
    assert pages(pdf(ds)) == 1


def test_it_names_every_image_behind_it(measured_case) -> None:
    case = measured_case()
    named = [item.ReferencedSOPInstanceUID for item in read(case).SourceInstanceSequence]
    assert named == [s.sop_instance_uid for s in case.result.sources["CT"]]


def test_it_says_whose_study_what_was_found_and_by_whom(measured_case) -> None:
    case = measured_case()
    header = dcmread(case.files["CT"][0])
    said = words(pdf(read(case)))
    assert "DEMONSTRATION - not for clinical use" in said
    assert str(header.PatientID) in said
    assert ", ".join(str(header.PatientName).split("^")) in said
    tumour = case.result.findings[1]
    numbers = {(m.quantity.meaning, m.derivation and m.derivation.meaning): m.value for m in tumour.measurements}
    row = (f"{tumour.label} {numbers['Volume', None]:.2f} {numbers['Long Axis', None]:.1f} × "
           f"{numbers['Short Axis', None]:.1f} {numbers['Attenuation Coefficient', 'Mean']:.1f} HU")
    assert row in said
    assert "Tumour burden: volume 6.25 mL" in said
    assert case.result.notes[0] in said
    assert place_sentence(tumour, case.result.grid) in said
    assert "liver-net 2.1 by Segnode" in said
    assert NOT_A_REPORT in said


def test_lesions_that_share_a_finding_have_no_axes_on_it(measured_case) -> None:
    case = measured_case()
    liver, first, second = case.result.findings
    shared = replace(second, label="Liver tumour, 5 small ones", axes=None, count=5)
    case = replace(case, result=replace(case.result, findings=(liver, first, shared)))
    volume, attenuation = (next(m.value for m in second.measurements if m.quantity == quantity)
                           for quantity in (codes.VOLUME, codes.ATTENUATION))
    assert f"{shared.label} {volume:.2f} - {attenuation:.1f} HU" in words(pdf(read(case)))


def test_confidence_and_what_is_missing_are_shown_as_such(make_case) -> None:
    case = make_case()
    liver, first, second = case.result.findings
    result = replace(case.result, findings=(liver, replace(first, confidence=0.875, measurements=()), second))
    assert "Liver tumour 1 - - - 0.88" in words(pdf(read(replace(case, result=result))))


def test_that_nothing_was_found_is_said(make_case) -> None:
    assert "Nothing was found." in words(pdf(read(make_case(empty=True))))


def test_what_the_study_lacked_is_said(measured_case) -> None:
    case = measured_case()
    lacking = replace(case, context=replace(case.context, incomplete="incomplete: 3 of 412 images missing"))
    assert "3 of 412 images missing" in words(pdf(read(lacking)))


def test_a_clinical_model_has_no_mark_but_its_clearance(measured_case) -> None:
    case = measured_case()
    model = replace(case.result.model, intended_use=IntendedUse.CLINICAL, clearance="CE 0123")
    said = words(pdf(read(replace(case, result=replace(case.result, model=model)))))
    assert "not for clinical use" not in said
    assert "Intended use: clinical. CE 0123" in said


@pytest.mark.parametrize(("name", "shown"), [
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada, Tarou"),
    ("=山田^太郎", "(in letters that this page lacks)"),
    ("Müller^Jörg", "Müller, Jörg"),
    ("", "Patient -"),
])
def test_a_name_in_any_letters_is_shown_or_told(name: str, shown: str, measured_case, tmp_path: Path) -> None:
    case = measured_case(edit=renamed(PatientName=name))
    ds = read(case)
    assert shown in words(pdf(ds)).replace("\\", "")
    assert ds.PatientName == dcmread(case.files["CT"][0]).PatientName


def test_key_pictures_are_on_it(make_case, tmp_path: Path) -> None:
    case = make_case()
    seg = tmp_path / "seg.dcm"
    seg.write_bytes(encode(case.result, "job", case.files, case.context)[0].part10)
    pictures = []
    for path in write_overlays(seg, case.files["CT"], tmp_path / "painted"):
        with Image.open(path) as picture:
            pictures.append(picture.copy())
    document = pdf(read(case, pictures))
    assert document.count(b"/Subtype /Image") == len(pictures) == 4
    assert made(case, pictures) == made(case, pictures)


def test_a_trend_is_told_in_tables_and_sentences(followed_case) -> None:
    case = followed_case()
    said = words(pdf(read(case)))
    assert "2025-01-07 2025-07-07 2025-11-04 Since prior Doubles in" in said
    assert "Liver tumour 1 1.50; 10.0 2.00; 11.0 2.50; 12.5 +25 %; +14 % 373 d" in said
    assert "RECIST 1.1, long axes, mm 35.0 28.0 30.5 -12.9 % +8.9 % 0" in said
    assert "New since 2025-07-07: Liver tumour 2." in said
    assert "No longer found since 2025-07-07: Liver tumour 7." in said
    assert "thresholds of RECIST 1.1, not a response: stable disease" in said
    assert pages(pdf(read(case))) == 1
    assert made(case) == made(case)


def test_the_same_job_gives_the_same_bytes(measured_case) -> None:
    case = measured_case()
    assert made(case) == made(case)


@pytest.mark.parametrize("encoding", [Encoding(), Encoding(enhanced=True)], ids=["single", "enhanced"])
def test_checkers_accept_it(encoding: Encoding, measured_case, tool: Callable[..., str], tmp_path: Path) -> None:
    case = measured_case(encoding=encoding)
    path = tmp_path / "document.dcm"
    path.write_bytes(made(case, [Image.fromarray(np.zeros((40, 30, 3), np.uint8))]))
    assert "Error" not in tool("dciodvfy", path)
    check_objects([path.read_bytes()], case.result, load_sources(case.result, case.files), JobNames("job"))
