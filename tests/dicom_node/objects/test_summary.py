"""The summary report: what holds for the whole study, also that nothing was found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.objects.encode import encode
from dicom_node.objects.identity import JobNames
from dicom_node.objects.sought import sought
from dicom_node.objects.summary import count_lesions
from dicom_node.objects.validate import groups
from inference.codes import BRAIN, LESIONS, LUNG, NEOPLASM, NODULE, NUMBER_OF_LESIONS
from inference.findings import Measurement


def summary(case) -> Dataset:
    (found,) = [e for e in encode(case.result, "job", case.files, case.context) if e.kind == "summary"]
    return dcmread(BytesIO(found.part10))


def named(group: Dataset, code: str) -> list[Dataset]:
    return [c for c in group.ContentSequence if c.ConceptNameCodeSequence[0].CodeValue == code]


def value(group: Dataset, code: str) -> tuple[float, str]:
    (item,) = named(group, code)
    (measured,) = item.MeasuredValueSequence
    return float(measured.NumericValue), measured.MeasurementUnitsCodeSequence[0].CodeValue


def test_it_counts_lesions_and_gives_totals_in_groups_of_their_own(make_case) -> None:
    first, second = groups(summary(make_case()))
    assert value(first, NUMBER_OF_LESIONS.value) == (2.0, "{lesions}")
    assert named(second, "112039")[0].TextValue == "Tumour burden"
    assert value(second, "118565006") == (6.25, "mL")


def test_it_says_intended_use_and_quality_flags(make_case) -> None:
    (first, *_) = groups(summary(make_case()))
    comments = [c.TextValue for c in named(first, "121106")]
    assert comments == ["Intended use: demonstration. Not for clinical use.",
                        "Two images were repeats and were left out."]


def test_a_study_without_findings_gets_the_negative_answer_alone(make_case) -> None:
    case = make_case(empty=True, totals=())
    (only,) = encode(case.result, "job", case.files, case.context)
    assert only.kind == "summary"
    (group,) = groups(dcmread(BytesIO(only.part10)))
    assert value(group, NUMBER_OF_LESIONS.value) == (0.0, "{lesions}")
    assert named(group, "121071")[0].ConceptCodeSequence[0].CodeValue == NEOPLASM.value
    assert named(group, "363698007")[0].ConceptCodeSequence[0].CodeMeaning == "Liver"


def test_an_organ_alone_is_no_lesion(make_case) -> None:
    case = make_case()
    labels = np.where(case.labels == 1, 1, 0).astype(np.uint8)
    np.save(case.result.labelmap, labels)
    result = replace(case.result, findings=case.result.findings[:1])
    (first, *_) = groups(summary(replace(case, result=result)))
    assert value(first, NUMBER_OF_LESIONS.value)[0] == 0.0


def test_regions_of_one_lesion_count_once(make_case: Callable) -> None:
    organ, second, third = make_case().result.findings
    lesions = [replace(f, lesion=number) for number, f in enumerate((second, third), start=1)]
    assert count_lesions([organ, *lesions]) == 2
    regions = [replace(f, structure=replace(f.structure, label=label, per_lesion=False), lesion=1)
               for label, f in enumerate((second, third), start=1)]
    assert count_lesions([organ, *regions]) == 1


def test_lesions_that_share_a_finding_count_each(make_case: Callable) -> None:
    organ, second, third = make_case().result.findings
    assert count_lesions([organ, replace(second, lesion=1), replace(third, lesion=2, count=21)]) == 22
    regions = [replace(f, structure=replace(f.structure, label=label, per_lesion=False), lesion=1, count=21)
               for label, f in enumerate((second, third), start=1)]
    assert count_lesions([organ, *regions]) == 21


def test_a_count_that_the_result_brings_is_taken(make_case) -> None:
    totals = (("Lesions", Measurement(NUMBER_OF_LESIONS, 7.0, LESIONS)),)
    (group,) = groups(summary(make_case(totals=totals)))
    assert value(group, NUMBER_OF_LESIONS.value)[0] == 7.0


@pytest.mark.parametrize(("task", "expected"), [
    ("lung_nodule", (NODULE, LUNG)),
    ("brain_tumour", (NEOPLASM, BRAIN)),
])
def test_what_is_sought_follows_from_the_task(task: str, expected: tuple, make_case) -> None:
    assert sought(make_case(task=task, empty=True).result) == expected


def test_it_lies_in_a_series_of_its_own(make_case) -> None:
    assert summary(make_case()).SeriesInstanceUID == JobNames("job").series("summary")


def test_what_the_study_lacked_stands_beside_the_intended_use(make_case) -> None:
    case = make_case()
    lacking = replace(case, context=replace(case.context, incomplete="incomplete: 3 of 412 images missing"))
    report = summary(lacking)
    sentences = [item.TextValue for item in named(groups(report)[0], "121106")]
    assert sentences[1] == "The study was incomplete: 3 of 412 images missing when this was computed."
    assert report.SeriesDescription.startswith("INCOMPLETE, ")
