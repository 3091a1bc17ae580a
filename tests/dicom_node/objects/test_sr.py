"""The measurement report: one group a segment, alike in form, readable by others."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from dicom_node.objects.codes import OWN_SCHEME
from dicom_node.objects.encode import encode
from dicom_node.objects.examine import examine
from dicom_node.objects.identity import JobNames, device_uid
from dicom_node.objects.report import number
from dicom_node.objects.sr import columns, omitted
from dicom_node.objects.validate import groups
from inference.codes import LONG_AXIS, MEAN, MILLIMETRE, SHORT_AXIS
from inference.findings import Entropy, Measurement
from inference.writers.dicom_series import Encoding


def report(case, kind: str = "sr") -> Dataset:
    (found,) = [e for e in encode(case.result, "job", case.files, case.context) if e.kind == kind]
    return dcmread(BytesIO(found.part10))


def children(item: Dataset, code: str) -> list[Dataset]:
    return [c for c in item.ContentSequence if c.ConceptNameCodeSequence[0].CodeValue == code]


@pytest.fixture
def sr(make_case) -> Dataset:
    return report(make_case())


def test_it_is_a_preliminary_unverified_measurement_report(sr: Dataset) -> None:
    assert sr.SOPClassUID == Comprehensive3DSRStorage
    assert sr.ConceptNameCodeSequence[0].CodeValue == "126000"
    assert sr.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (sr.CompletionFlag, sr.PreliminaryFlag, sr.VerificationFlag) == ("COMPLETE", "PRELIMINARY", "UNVERIFIED")


def test_there_is_one_group_a_segment_and_nothing_beside_them(sr: Dataset) -> None:
    (measurements,) = children(sr, "126010")
    assert [c.ContentTemplateSequence[0].TemplateIdentifier for c in measurements.ContentSequence] == ["1411"] * 3
    segments = [children(g, "121191")[0].ReferencedSOPSequence[0].ReferencedSegmentNumber for g in groups(sr)]
    assert segments == [1, 2, 3]


def test_groups_hold_the_same_measurements_in_the_same_order(sr: Dataset) -> None:
    rows = [[(n.ConceptNameCodeSequence[0].CodeMeaning, n.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
              .CodeValue) for n in g.ContentSequence if n.ValueType == "NUM"] for g in groups(sr)]
    assert rows[0] == [("Volume", "mL"), ("Long Axis", "mm"), ("Attenuation Coefficient", "[hnsf'U]"),
                       ("Attenuation Coefficient", "[hnsf'U]")]
    assert rows[1:] == rows[:1] * 2


def test_tracks_are_those_of_the_seg(make_case) -> None:
    case = make_case()
    seg = report(case, "seg")
    found = [(children(g, "112039")[0].TextValue, children(g, "112040")[0].UID) for g in groups(report(case))]
    assert found == [(s.TrackingID, s.TrackingUID) for s in seg.SegmentSequence]


def test_evidence_names_every_source_and_the_seg(make_case) -> None:
    case = make_case()
    (study,) = report(case).CurrentRequestedProcedureEvidenceSequence
    named = {sop.ReferencedSOPInstanceUID for series in study.ReferencedSeriesSequence
             for sop in series.ReferencedSOPSequence}
    sources = {s.sop_instance_uid for s in case.result.sources["CT"]}
    assert named == sources | {JobNames("job").instance("seg")}


@pytest.mark.parametrize("enhanced", [False, True])
def test_the_library_lists_slices_with_findings_and_the_ends(enhanced: bool, make_case) -> None:
    case = make_case(encoding=Encoding(enhanced=enhanced))
    (library,) = children(report(case), "111028")
    (group,) = children(library, "126200")
    listed = [(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID,
               i.ReferencedSOPSequence[0].get("ReferencedFrameNumber")) for i in group.ContentSequence]
    assert listed == [(s.sop_instance_uid, s.frame) for s in case.result.sources["CT"]]  # all: 1..7 have findings


def test_the_observer_is_the_model(sr: Dataset, make_case) -> None:
    model = make_case().result.model
    assert device_uid(model) == children(sr, "121012")[0].UID
    assert children(sr, "121014")[0].TextValue == model.manufacturer
    assert children(sr, "121015")[0].TextValue == model.name
    for group in groups(sr):
        assert children(group, "111001")[0].TextValue == model.name
        assert children(group, "111003")[0].TextValue == model.version


def test_the_mark_is_in_the_description_and_in_each_group(sr: Dataset) -> None:
    assert sr.SeriesDescription.startswith("DEMONSTRATION: ")
    for group in groups(sr):
        assert any("Not for clinical use" in p.TextValue for p in children(group, "111002"))


def test_what_one_finding_lacks_no_group_has_and_a_sentence_says_so(make_case) -> None:
    first, *others = make_case().result.findings
    more = replace(first, measurements=(*first.measurements, Measurement(SHORT_AXIS, 4.0, MILLIMETRE),))
    assert columns([more, *others]) == columns([first, *others])
    assert omitted([more, *others]) == ["Short Axis of Liver is not in the report: other findings have none"]


def test_lengths_stand_last_where_lesions_share_a_finding_that_has_none(make_case, tool, tmp_path: Path) -> None:
    """Readers fill a table's columns from the first group and its rows by position."""
    case = make_case()
    liver, alone, shared = case.result.findings
    without = tuple(m for m in shared.measurements if m.quantity != LONG_AXIS)
    shared = replace(shared, label="Liver tumour, 5 small ones", count=5, measurements=without)
    case = replace(case, result=replace(case.result, findings=(liver, alone, shared)))
    assert omitted(case.result.findings) == []
    report(case).save_as(tmp_path / "sr.dcm")
    assert examine(tmp_path / "sr.dcm") == []
    tool("tid1500reader", "--inputDICOM", tmp_path / "sr.dcm", "--outputMetadata", tmp_path / "sr.json")
    said = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    names = [[item["quantity"]["CodeMeaning"] for item in group["measurementItems"]] for group in said]
    assert names[0] == names[1] == ["Volume", "Attenuation Coefficient", "Attenuation Coefficient", "Long Axis"]
    assert names[2] == names[0][:3]


def test_a_value_that_is_no_number_is_not_written(make_case) -> None:
    first, *others = make_case().result.findings
    broken = replace(first.measurements[1], value=float("nan"))
    assert len(columns([replace(first, measurements=(first.measurements[0], broken)), *others])) == 1


def test_dcmqi_reads_our_numbers(make_case, tool: Callable[..., str], tmp_path: Path) -> None:
    case = make_case()
    path = tmp_path / "sr.dcm"
    report(case).save_as(path)
    tool("tid1500reader", "--inputDICOM", path, "--outputMetadata", tmp_path / "sr.json")
    read = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    assert len(read) == len(case.result.findings)
    for group, finding in zip(read, case.result.findings, strict=True):
        assert group["TrackingIdentifier"] == finding.label
        assert group["ReferencedSegment"] == finding.number
        assert group["segmentationSOPInstanceUID"] == JobNames("job").instance("seg")
        assert [(m["quantity"]["CodeValue"], m["units"]["CodeValue"], float(m["value"]),
                 m.get("derivationModifier", {}).get("CodeValue")) for m in group["measurementItems"]] == [
            (m.quantity.value, m.unit.value, m.value, m.derivation and m.derivation.value)
            for m in finding.measurements]


@pytest.mark.parametrize("kind", ["sr", "summary"])
def test_dcmtk_accepts_its_tree(kind: str, make_case, tool: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "sr.dcm"
    report(make_case(), kind).save_as(path)
    assert "Measurement Group" in tool("dsrdump", path)


def test_a_number_keeps_its_value_unit_derivation_and_method(make_case) -> None:
    for measurement in make_case().result.findings[0].measurements:
        (item,) = number(measurement)
        measured = item.MeasuredValueSequence[0]
        assert float(measured.NumericValue) == measurement.value
        assert measured.MeasurementUnitsCodeSequence[0].CodeValue == measurement.unit.value
        modifiers = [c.ConceptCodeSequence[0].CodeValue for c in item.get("ContentSequence") or ()]
        assert modifiers == [c.value for c in (measurement.method, measurement.derivation) if c]


@pytest.fixture
def unsure(make_case):
    case = make_case()
    findings = tuple(replace(f, confidence=0.75, entropy=Entropy(f.number / 8, f.number / 4))
                     for f in case.result.findings)
    return replace(case, result=replace(case.result, findings=findings))


def test_how_unsure_the_model_was_stands_in_every_group_in_codes_of_ours(unsure) -> None:
    found = report(unsure)
    for group, finding in zip(groups(found), unsure.result.findings, strict=True):
        for name, value in (("ENTROPY", finding.entropy.inside), ("BORDER_ENTROPY", finding.entropy.border)):
            (item,) = children(group, name)
            assert item.ConceptNameCodeSequence[0].CodingSchemeDesignator == OWN_SCHEME
            assert float(item.MeasuredValueSequence[0].NumericValue) == value
            assert [c.ConceptCodeSequence[0].CodeValue for c in item.ContentSequence] == [MEAN.value]
    (scheme,) = found.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == OWN_SCHEME
    assert len(columns(unsure.result.findings)) == len(columns(unsure.result.findings[:1])) == 7


def test_who_says_nothing_of_it_speaks_in_no_code_of_ours(make_case) -> None:
    assert "CodingSchemeIdentificationSequence" not in report(make_case())


def test_checkers_and_dcmqi_take_it(unsure, tool: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "sr.dcm"
    report(unsure).save_as(path)
    assert "Error" not in tool("dciodvfy", path)
    assert "Entropy of the model's probability" in tool("dsrdump", path)
    tool("tid1500reader", "--inputDICOM", path, "--outputMetadata", tmp_path / "sr.json")
    read = json.loads((tmp_path / "sr.json").read_text())["Measurements"]
    values = [{m["quantity"]["CodeValue"]: float(m["value"]) for m in group["measurementItems"]} for group in read]
    assert [(v["ENTROPY"], v["BORDER_ENTROPY"]) for v in values] == [(n / 8, n / 4) for n in (1, 2, 3)]
