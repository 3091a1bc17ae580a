"""As much is said on a picture as its matrix holds; the marks are always said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import ImageFont

from dicom_node.objects.caption import Caption, caption
from dicom_node.objects.painting import Segment
from dicom_node.objects.wording import series_description
from inference.findings import IntendedUse, Result


@pytest.fixture
def result(make_case) -> Result:
    return make_case().result


def made(result: Result, side: int, incomplete: str = "") -> Caption:
    return caption(result, series_description(result, "overlay", incomplete), incomplete, (side, side))


def text(made: Caption) -> str:
    return " ".join(" ".join(line for line, _ in made.lines).split())


def segments(count: int) -> list[Segment]:
    return [Segment(n, f"Nodule {n}", (255, 255, 0), lesion=True, in_lung=True) for n in range(1, count + 1)]


def test_a_large_picture_says_series_mark_and_model(result: Result) -> None:
    said = text(made(result, 512))
    assert said.startswith(series_description(result, "overlay"))
    assert "DEMONSTRATION - not for clinical use" in said
    assert said.endswith("liver-net 2.1")


def test_one_of_256_pixels_leaves_out_the_model(result: Result) -> None:
    said = text(made(result, 256))
    assert said == f"{series_description(result, 'overlay')} DEMONSTRATION - not for clinical use"


@pytest.mark.parametrize(("side", "expected"), [
    (128, "DEMONSTRATION - not for clinical use"),
    (64, "DEMONSTRATION"),
])
def test_a_small_one_says_the_mark_alone(side: int, expected: str, result: Result) -> None:
    assert text(made(result, side)) == expected


@pytest.mark.parametrize("side", [64, 96, 128, 192, 256, 512, 1024])
@pytest.mark.parametrize("use", [IntendedUse.DEMONSTRATION, IntendedUse.RESEARCH])
def test_the_marks_stand_on_every_size_within_the_picture(side: int, use: IntendedUse, result: Result) -> None:
    used = replace(result, model=replace(result.model, intended_use=use))
    on_it = made(used, side, "incomplete: 3 of 412 images missing")
    assert use.upper() in text(on_it)
    assert "INCOMPLETE" in text(on_it)
    font = ImageFont.load_default(on_it.lettering.text)
    assert all(font.getlength(line) + on_it.lettering.margin < side for line, _ in on_it.lines)
    assert on_it.lettering.margin + len(on_it.lines) * on_it.lettering.pitch < 0.4 * side


def test_a_model_for_clinical_use_is_not_marked(result: Result) -> None:
    clinical = replace(result, model=replace(result.model, intended_use=IntendedUse.CLINICAL, clearance="CE 1234"))
    assert text(made(clinical, 512)) == f"{series_description(clinical, 'overlay')} liver-net 2.1"
    assert made(clinical, 64).lines == ()


def test_the_legend_names_what_finds_room_and_counts_the_rest(result: Result) -> None:
    on_it = made(result, 256)
    room = on_it.legend_rows
    assert [label.split() for label, _ in on_it.beside(segments(room)).legend][-1] == ["Nodule", str(room)]
    crowded = on_it.beside(segments(room + 5)).legend
    assert len(crowded) == room
    assert crowded[-1] == ("and  6  more", None)


def test_a_label_too_long_for_its_picture_is_cut(result: Result) -> None:
    long = replace(segments(1)[0], label="Nodule in the right upper lobe, part-solid")
    (entry,) = made(result, 256).beside([long]).legend
    assert entry[0].endswith("...")
    assert entry[0].startswith("Nodule")


def test_a_small_picture_has_no_legend(result: Result) -> None:
    assert made(result, 64).beside(segments(1)).legend == ()
