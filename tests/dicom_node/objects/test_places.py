"""Where findings lie, in the words of those who look at the images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from printed import words
from pydicom import dcmread

from dicom_node.objects.encode import encode
from dicom_node.objects.places import place_sentence, thick_slices_sentence
from dicom_node.objects.profile import Profile
from dicom_node.objects.source import load_sources
from dicom_node.objects.validate import groups
from inference.findings import Place
from inference.volume import Grid, Spacing, regular_affine

FEET_FIRST = Grid((9, 20, 26), np.array([[0, 0, 1, 0], [0, 1, 0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1]]))


def test_it_tells_centre_slices_and_flags(make_case) -> None:
    finding = replace(make_case().result.findings[1], place=Place((-42.04, 13.5, -120.0), 2, 4),
                      flags=("is seen on one slice only", "is smaller than 27 voxels"))
    assert place_sentence(finding, FEET_FIRST) == (
        "Liver tumour 1: centre at R 42.0, P 13.5, F 120.0 mm; slices 3 to 5 of 9 from the feet; "
        "is seen on one slice only; is smaller than 27 voxels.")


AXIAL = Grid((9, 20, 26), regular_affine((-31.5, 12.25, -140.0), np.eye(3)[:, ::-1], Spacing(3.0, 0.9, 0.7)))
THICK = Grid((9, 20, 26), regular_affine((-31.5, 12.25, -140.0), np.eye(3)[:, ::-1], Spacing(7.0, 0.9, 0.7)))
MEASURABLE = "RECIST 1.1 and RANO take a lesion for measurable from twice that, {:g} mm, not from 10 mm"


def stated(millimetres: float) -> Callable[[list[Path]], None]:
    """Write this slice thickness into all images, wherever they lie."""
    def edit(files: list[Path]) -> None:
        for path in files:
            ds = dcmread(path)
            ds.SliceThickness = millimetres
            ds.save_as(path)
    return edit


@pytest.mark.parametrize(("grid", "thickness", "told"), [
    (THICK, 7.0, f"Slices are 7 mm thick or lie so far apart: {MEASURABLE.format(14)}."),
    (THICK, 3.0, f"Slices are 7 mm thick or lie so far apart: {MEASURABLE.format(14)}."),  # with gaps between them
    (AXIAL, 8.0, f"Slices are 8 mm thick or lie so far apart: {MEASURABLE.format(16)}."),  # overlapping
    (AXIAL, 5.0, ""),
    (AXIAL, 3.0, ""),
])
def test_from_which_size_lesions_are_measurable_on_thick_slices(
    grid: Grid, thickness: float, told: str, make_case
) -> None:
    case = make_case(grid, edit=stated(thickness))
    planes = load_sources(case.result, case.files).planes
    assert thick_slices_sentence(case.result, planes) == told
    assert thick_slices_sentence(replace(case.result, findings=case.result.findings[:1]), planes) == "", "an organ"


def test_that_a_sum_of_targets_does_not_heed_thick_slices_is_told(followed_case) -> None:
    case = followed_case(THICK)
    said = thick_slices_sentence(case.result, load_sources(case.result, case.files).planes)
    assert said.endswith("not from 10 mm. The sum of target lesions takes them from 10 mm all the same.")


@pytest.mark.parametrize(("grid", "times"), [(THICK, 1), (AXIAL, 0)])
def test_summary_and_page_say_it(grid: Grid, times: int, make_case) -> None:
    case = make_case(grid)
    made = {item.kind: dcmread(BytesIO(item.part10)) for item in encode(
        case.result, "job", case.files, replace(case.context, profile=Profile(document=True)))}
    texts = [str(item.get("TextValue", "")) for group in groups(made["summary"]) for item in group.ContentSequence]
    assert sum(MEASURABLE.format(14) in text for text in texts) == times
    page = words(made["document"].EncapsulatedDocument)
    assert page.count("Slices are 7 mm thick") == times


def test_one_slice_is_told_as_one(make_case) -> None:
    finding = replace(make_case().result.findings[1], place=Place((1.0, -2.0, 3.0), 0, 0))
    assert place_sentence(finding, FEET_FIRST) == (
        "Liver tumour 1: centre at L 1.0, A 2.0, H 3.0 mm; slice 1 of 9 from the feet.")


@pytest.mark.parametrize(("along", "end"), [
    ((0, 0, -1), "head"), ((0, 0, 1), "feet"), ((0, 1, 0.2), "front"), ((0, -1, 0), "back"), ((1, 0, 0), "right"),
    ((-1, 0, 0), "left"),
])
def test_slices_count_from_where_they_begin(along: tuple, end: str, make_case) -> None:
    others = [v for v in np.eye(3) if abs(np.dot(v, along)) < 0.5]
    affine = np.eye(4)
    affine[:3, :3] = np.array([along, *others]).T
    finding = replace(make_case().result.findings[1], place=Place((0, 0, 0), 0, 1))
    assert f"from the {end}" in place_sentence(finding, Grid((9, 20, 26), affine))


def test_of_what_is_not_known_nothing_is_said(make_case) -> None:
    assert place_sentence(make_case().result.findings[1], FEET_FIRST) == ""


def test_the_summary_tells_of_every_finding(measured_case) -> None:
    case = measured_case()
    (made,) = [e for e in encode(case.result, "job", case.files, case.context) if e.kind == "summary"]
    first = groups(dcmread(BytesIO(made.part10)))[0]
    told = [c.TextValue for c in first.ContentSequence if c.ConceptNameCodeSequence[0].CodeValue == "121106"]
    assert told[-3:] == [place_sentence(f, case.result.grid) for f in case.result.findings]


def test_several_lesions_have_no_centre_together(make_case) -> None:
    shared = replace(make_case().result.findings[1], label="Liver tumour, 5 small ones", count=5,
                     place=Place((1.0, -2.0, 3.0), 0, 4))
    assert place_sentence(shared, FEET_FIRST) == "Liver tumour, 5 small ones: slices 1 to 5 of 9 from the feet."
