"""Where findings lie, in the words of those who look at the images."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.objects.encode import encode
from dicom_node.objects.places import place_sentence
from dicom_node.objects.validate import groups
from inference.findings import Place
from inference.volume import Grid

FEET_FIRST = Grid((9, 20, 26), np.array([[0, 0, 1, 0], [0, 1, 0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1]]))


def test_it_tells_centre_slices_and_flags(make_case) -> None:
    finding = replace(make_case().result.findings[1], place=Place((-42.04, 13.5, -120.0), 2, 4),
                      flags=("is seen on one slice only", "is smaller than 27 voxels"))
    assert place_sentence(finding, FEET_FIRST) == (
        "Liver tumour 1: centre at R 42.0, P 13.5, F 120.0 mm; slices 3 to 5 of 9 from the feet; "
        "is seen on one slice only; is smaller than 27 voxels.")


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
