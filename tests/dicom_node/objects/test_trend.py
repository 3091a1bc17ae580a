"""The trend in the summary: a group a lesion and a criterion, coded, and nothing where there is no prior."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from beside_prior import GONE_UID, GROWN_UID, NEW_UID, RECIST, TREND
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.objects.codes import OUTCOMES
from dicom_node.objects.encode import Encoded, encode
from dicom_node.objects.examine import examine
from dicom_node.objects.profile import Profile
from dicom_node.objects.trend import of_targets, since_prior
from dicom_node.objects.validate import groups
from inference.codes import NUMBER_OF_LESIONS
from inference.trend import Outcome, Size, TargetSum, Trend


def encoded(case: Any) -> dict[str, Encoded]:
    return {one.kind: one for one in encode(case.result, "job", case.files, case.context)}


def read(case: Any, kind: str = "summary") -> Dataset:
    return dcmread(BytesIO(encoded(case)[kind].part10))


def named(item: Dataset, code: str) -> list[Dataset]:
    return [c for c in item.get("ContentSequence", ()) if c.ConceptNameCodeSequence[0].CodeValue == code]


def by_track(summary: Dataset) -> dict[str, Dataset]:
    return {named(group, "112040")[0].UID: group for group in groups(summary)}


def numbers(group: Dataset) -> list[tuple[str, str, float, str]]:
    """Quantity, derivation, value and unit of a group's measurements."""
    found = []
    for item in group.ContentSequence:
        if (item.ValueType, item.RelationshipType) == ("NUM", "CONTAINS"):
            (value,) = item.MeasuredValueSequence
            derivation = named(item, "121401")
            found.append((item.ConceptNameCodeSequence[0].CodeValue,
                          derivation[0].ConceptCodeSequence[0].CodeValue if derivation else "",
                          round(float(value.NumericValue), 3), value.MeasurementUnitsCodeSequence[0].CodeValue))
    return found


def coded(group: Dataset, name: str) -> str:
    (item,) = named(group, name)
    return item.ConceptCodeSequence[0].CodeValue


def texts(group: Dataset, name: str = "121106") -> list[str]:
    return [item.TextValue for item in named(group, name)]


def with_trend(case: Any, **changes: Any) -> Any:
    return replace(case, result=replace(case.result, trend=replace(case.result.trend, **changes)))


def test_a_lesion_has_a_group_under_the_track_of_its_segment(followed_case) -> None:
    case = followed_case()
    segments = {s.TrackingUID: s.TrackingID for s in read(case, "seg").SegmentSequence}
    found = by_track(read(case))
    for uid in (GROWN_UID, NEW_UID):
        assert segments[uid] == texts(found[uid], "112039")[0]
    assert GONE_UID not in segments
    assert texts(found[GONE_UID], "112039") == ["Liver tumour 7"]


def test_a_matched_lesion_tells_its_sizes_and_their_change(followed_case) -> None:
    group = by_track(read(followed_case()))[GROWN_UID]
    assert numbers(group) == [
        ("118565006", "", 2.5, "mL"),
        ("118565006", "IN_PRIOR", 2.0, "mL"),
        ("118565006", "CHANGE", 0.5, "mL"),
        ("118565006", "RELATIVE_CHANGE", 25.0, "%"),
        ("103339001", "", 12.5, "mm"),
        ("103339001", "IN_PRIOR", 11.0, "mm"),
        ("103339001", "CHANGE", 1.5, "mm"),
        ("103339001", "RELATIVE_CHANGE", 13.636, "%"),
        ("DOUBLING_TIME", "", 372.8, "d"),
    ]
    assert coded(group, "OUTCOME") == "MATCHED"
    assert coded(group, "121071") == "108369006"
    assert coded(group, "363698007") == "10200004"


def test_the_interval_is_the_time_points_offset_from_the_prior(followed_case) -> None:
    group = by_track(read(followed_case()))[GROWN_UID]
    (offset,) = named(group, "128740")
    (value,) = offset.MeasuredValueSequence
    assert (float(value.NumericValue), value.MeasurementUnitsCodeSequence[0].CodeValue) == (120.0, "d")
    assert coded(offset, "128741") == "PRIOR_STUDY"
    assert texts(group, "C2348792") == ["2025-11-04"]


def test_what_one_study_does_not_show_has_no_change(followed_case) -> None:
    found = by_track(read(followed_case()))
    assert numbers(found[NEW_UID]) == [("118565006", "", 3.75, "mL"), ("103339001", "", 13.5, "mm")]
    assert numbers(found[GONE_UID]) == [("118565006", "IN_PRIOR", 0.4, "mL"), ("103339001", "IN_PRIOR", 8.5, "mm")]
    assert [coded(found[uid], "OUTCOME") for uid in (NEW_UID, GONE_UID)] == ["NEW", "VANISHED"]


def test_a_lesion_that_the_images_cut_off_has_sizes_and_no_growth() -> None:
    cut = replace(TREND.lesions[0], after=Size(2.5, 12.5, 9.0, whole=False))
    assert [(m.quantity.meaning, m.derivation and m.derivation.value) for m in since_prior(cut, TREND)] == [
        ("Volume", None), ("Volume", "IN_PRIOR"), ("Long Axis", None), ("Long Axis", "IN_PRIOR")]


def test_nothing_is_no_share_of_nothing() -> None:
    from_nothing = replace(TREND.lesions[0], before=Size(0.0, 0.0, 0.0), doubling_days=None)
    derivations = [m.derivation and m.derivation.value for m in since_prior(from_nothing, TREND)]
    assert derivations == [None, "IN_PRIOR", "CHANGE"] * 2


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_code_and_its_reason_stands_beside_it(outcome: Outcome, followed_case) -> None:
    case = followed_case()
    first, *others = case.result.trend.lesions
    told = replace(first, outcome=outcome, reason="more than one way to pair is nearly as good")
    group = by_track(read(with_trend(case, lesions=(told, *others))))[GROWN_UID]
    assert coded(group, "OUTCOME") == OUTCOMES[outcome].value
    assert texts(group) == [told.reason]


def sum_group(case: Any) -> Dataset:
    (group,) = [g for g in groups(read(case)) if texts(g, "112039")[0].endswith("sum of target lesions")]
    return group


def test_a_sum_is_told_by_its_criterion(followed_case) -> None:
    group = sum_group(followed_case())
    assert texts(group, "112039") == ["RECIST 1.1, sum of target lesions"]
    assert coded(group, "370129005") == "126081"
    assert numbers(group) == [
        ("SUM_LONG_AXES", "", 30.5, "mm"),
        ("SUM_LONG_AXES", "C1442488", 35.0, "mm"),
        ("SUM_LONG_AXES", "C1708760", 28.0, "mm"),
        ("SUM_LONG_AXES", "FROM_BASELINE", -12.857, "%"),
        ("SUM_LONG_AXES", "FROM_NADIR", 8.929, "%"),
        (NUMBER_OF_LESIONS.value, "112074", 2.0, "{lesions}"),
        (NUMBER_OF_LESIONS.value, "SINCE_BASELINE", 0.0, "{lesions}"),
    ]
    (offset,) = named(group, "128740")
    assert float(offset.MeasuredValueSequence[0].NumericValue) == 301.0
    assert coded(offset, "128741") == "121079", "days since the baseline"


def test_a_band_by_target_lesions_alone_is_coded_and_any_other_is_text(followed_case) -> None:
    case = followed_case()
    assert coded(sum_group(case), "BAND") == "112044"
    for other in (replace(RECIST, new=1, category="progressive disease"),
                  TargetSum("RANO", "mm2", 1, 90.0, 100.0, 90.0, -0.1, 0.0, "stable disease")):
        (band,) = named(sum_group(with_trend(case, sums=(other,))), "BAND")
        assert (band.ValueType, band.TextValue) == ("TEXT", other.category)
        assert "not a response" in band.ConceptNameCodeSequence[0].CodeMeaning


def test_rano_sums_products(followed_case) -> None:
    rano = TargetSum("RANO", "mm2", 1, 90.0, 100.0, 90.0, -0.1, 0.0, "stable disease")
    group = sum_group(with_trend(followed_case(), sums=(rano,)))
    assert coded(group, "370129005") == "C114879"
    assert numbers(group)[0] == ("SUM_PRODUCTS", "", 90.0, "mm2")


def test_what_cannot_be_summed_is_not_and_why() -> None:
    none = TargetSum("RECIST 1.1", "mm", 0, None, 0.0, 0.0, reason="no lesion was measurable on the first date")
    assert [m.quantity for m in of_targets(none)] == [NUMBER_OF_LESIONS] * 2


def test_the_first_group_says_with_what_it_was_compared(followed_case) -> None:
    (first, *_) = groups(read(followed_case()))
    said = texts(first)
    assert "Compared with the study of 2025-07-07, 120 days before." in said
    assert "New since 2025-07-07: Liver tumour 2." in said


def test_it_names_whose_codes_it_speaks_in(followed_case, make_case) -> None:
    (scheme,) = read(followed_case()).CodingSchemeIdentificationSequence
    assert (scheme.CodingSchemeDesignator, scheme.CodingSchemeName) == ("99SEGNODE", "Segnode")
    assert "CodingSchemeIdentificationSequence" not in read(make_case())


def test_the_measurement_report_is_untouched(followed_case, make_case) -> None:
    with_it, without = (len(groups(read(case, "sr"))) for case in (followed_case(), make_case()))
    assert with_it == without == 3


def test_a_prior_that_was_not_compared_is_told_with_its_reason(followed_case) -> None:
    trend = replace(TREND, refusal="the images do not look alike", sums=(), lesions=(
        replace(TREND.lesions[1], outcome=Outcome.NOT_COMPARED),
        replace(TREND.lesions[2], outcome=Outcome.NOT_COMPARED)))
    report = read(with_trend(followed_case(), **vars(trend)))
    assert any(t.startswith("Not compared with the study of 2025-07-07") for t in texts(groups(report)[0]))
    assert coded(by_track(report)[GONE_UID], "OUTCOME") == "NOT_COMPARED"


@pytest.mark.parametrize("form", ["comprehensive3d", "comprehensive", "enhanced"])
def test_checkers_and_readers_accept_it(form: str, followed_case, tool: Callable[..., str], tmp_path: Path) -> None:
    case = followed_case()
    case = replace(case, context=replace(case.context, profile=Profile(sr=form), dciodvfy=True))
    made = encoded(case)["summary"]
    assert not [remark for remark in made.warnings if "99SEGNODE" in remark or "defined term" in remark]
    path = tmp_path / "summary.dcm"
    path.write_bytes(made.part10)
    assert "Error" not in tool("dciodvfy", "-new", path)
    assert "Volume doubling time" in tool("dsrdump", path)
    assert examine(path) == []


def test_dcmqi_reads_the_change(followed_case, tool: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "summary.dcm"
    path.write_bytes(encoded(followed_case())["summary"].part10)
    tool("tid1500reader", "--inputDICOM", path, "--outputMetadata", tmp_path / "summary.json")
    read = {group["TrackingUniqueIdentifier"]: group["measurementItems"]
            for group in json.loads((tmp_path / "summary.json").read_text())["Measurements"]}
    changes = [item["value"] for item in read[GROWN_UID]
               if item.get("derivationModifier", {}).get("CodeValue") == "RELATIVE_CHANGE"]
    assert float(changes[0]) == 25.0


def test_the_same_trend_gives_the_same_bytes(followed_case) -> None:
    case = followed_case()
    assert encoded(case) == encoded(case)


def test_without_a_trend_nothing_changes(followed_case, make_case) -> None:
    with_it = read(followed_case())
    without = read(make_case())
    assert groups(with_it)[1] == groups(without)[1]
    assert len(groups(with_it)) == len(groups(without)) + 4
    assert "99SEGNODE" not in str(without)


def test_no_word_of_it_is_the_patients(followed_case) -> None:
    case = followed_case()
    header = dcmread(case.files["CT"][0], stop_before_pixels=True)
    said = " ".join(text for group in groups(read(case)) for text in [*texts(group), *texts(group, "112039")])
    assert not any(str(value) in said for value in (header.PatientName, header.PatientID, header.PatientBirthDate))


def test_a_trend_may_know_no_dates(followed_case) -> None:
    bare = Trend("2.25.5", TREND.prior_taken, TREND.taken, sums=(RECIST,))
    group = sum_group(with_trend(followed_case(), **vars(bare)))
    assert named(group, "128740") == []
