"""Each profile gets its objects; whatever the source, all of them hold before the checkers."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from printed import words
from pydicom import dcmread
from pydicom.uid import CTImageStorage, JPEGLSLossless, SegmentationStorage

from dicom_node.conformance.contexts import objects_for
from dicom_node.destinations.folder import FolderDestination
from dicom_node.objects.encode import Encoded, encode
from dicom_node.objects.examine import examine
from dicom_node.objects.profile import Profile
from inference.findings import Entropy
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

EVERYTHING = Profile(
    fractional=True, diameters=True, captures="key", presentation_state=True, key_objects=True, document=True,
    structure_set=True, probability_map=True, uncertainty_map=True,
)  # fmt: skip
SHAPE = (9, 20, 26)
C, S = np.cos(np.radians(25)), np.sin(np.radians(25))
TILT = np.array([[1, 0, 0], [0, C, -S], [0, S, C]])
OBLIQUE = Grid(SHAPE, regular_affine((-31.5, 12.25, -140.0), TILT[:, ::-1], Spacing(3.0, 0.9, 0.7)))
SOURCES: dict[str, dict[str, Any]] = {
    "axial": {},
    "oblique": {"grid": OBLIQUE},
    "enhanced multi-frame": {"encoding": Encoding(enhanced=True)},
    "JPEG-LS": {"encoding": Encoding(transfer_syntax=JPEGLSLossless)},
}
SR_CLASSES = ("sr", "summary", "diameters", "selection")


def with_probability(case: Any, folder: Path) -> Any:
    np.save(folder / "chances.npy", ((case.labels > 0) * 0.75).astype(np.float16))
    return replace(case, result=replace(case.result, probability=folder / "chances.npy"))


def unsure(case: Any, folder: Path) -> Any:
    """The same with an entropy, of the map and of each finding."""
    np.save(folder / "unsure.npy", (case.labels / 8).astype(np.float16))
    findings = tuple(replace(f, entropy=Entropy(f.number / 8, 0.5)) for f in case.result.findings)
    return replace(case, result=replace(case.result, uncertainty=folder / "unsure.npy", findings=findings))


def made(case: Any, profile: Profile, **changes: Any) -> tuple[Encoded, ...]:
    return encode(case.result, "job", case.files, replace(case.context, profile=profile, **changes))


@pytest.mark.parametrize(("preset", "kinds"), [
    ("standard", ["seg", "sr", "summary"]),
    ("slicer", ["seg", "sr", "summary"]),
    ("ohif", ["seg", "diameters", "document"]),
    ("weasis", ["seg", "sr", "summary", "document", "contours", "selection"]),
    ("images", [*["overlay"] * SHAPE[0], "document"]),
])
def test_a_preset_makes_what_its_viewers_show(preset: str, kinds: list[str], measured_case) -> None:
    assert [one.kind for one in made(measured_case(), Profile.model_validate(preset))] == kinds


@pytest.mark.parametrize("name", SOURCES)
def test_every_object_holds_whatever_the_source(name: str, measured_case, tool, tmp_path: Path) -> None:
    case = unsure(with_probability(measured_case(**SOURCES[name]), tmp_path), tmp_path)
    objects = made(case, EVERYTHING, dciodvfy=True)
    assert {one.kind for one in objects} == {
        "seg", "fractional", "sr", "summary", "diameters", "capture", "document", "contours", "selection",
        "structures", "map", "uncertainty",
    }  # fmt: skip
    for one in objects:
        (file := tmp_path / f"{one.sop_instance_uid}.dcm").write_bytes(one.part10)
        if one.kind in SR_CLASSES:
            tool("dsrdump", file)
        if one.kind in ("seg", "sr", "summary"):
            assert examine(file, case.files["CT"]) == []
    assert len({one.sop_instance_uid for one in objects}) == len(objects)


def test_everything_repeats_to_the_byte(measured_case, tmp_path: Path) -> None:
    case = unsure(with_probability(measured_case(), tmp_path), tmp_path)
    assert made(case, EVERYTHING) == made(case, EVERYTHING)


def test_where_nothing_was_found_the_summary_and_the_page_say_so(make_case, tmp_path: Path) -> None:
    case = with_probability(make_case(empty=True), tmp_path)
    assert [one.kind for one in made(case, EVERYTHING)] == ["summary", "document"]
    assert [one.kind for one in made(case, Profile(preset="ohif"))] == ["document"]
    assert [one.kind for one in made(unsure(case, tmp_path), EVERYTHING)] == ["summary", "document", "uncertainty"]


def test_what_the_model_does_not_give_is_left_out(measured_case) -> None:
    kinds = {one.kind for one in made(measured_case(), EVERYTHING)}
    assert kinds & {"fractional", "map", "uncertainty"} == set()
    assert len(kinds) == 9


def test_key_objects_list_the_segmentation_and_the_reports(measured_case) -> None:
    objects = made(measured_case(), Profile(key_objects=True))
    (selection,) = [dcmread(BytesIO(one.part10)) for one in objects if one.kind == "selection"]
    listed = {str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
              for item in selection.ContentSequence if "ReferencedSOPSequence" in item}
    assert {one.sop_instance_uid for one in objects if one.kind != "selection"} <= listed


def test_nothing_leads_to_reports_that_a_route_keeps_in(measured_case) -> None:
    """Outputs of a route may be the segmentation alone; what it keeps in is dropped after it was made."""
    case = measured_case()
    case = replace(case, result=replace(case.result, notes=("A note.",) * 80))
    objects = made(case, Profile(key_objects=True, document=True), kept_in=frozenset({"sr", "summary"}))
    read = {one.kind: dcmread(BytesIO(one.part10)) for one in objects}
    listed = {str(item.ReferencedSOPSequence[0].ReferencedSOPClassUID)
              for item in read["selection"].ContentSequence if "ReferencedSOPSequence" in item}
    assert listed == {CTImageStorage, SegmentationStorage}
    assert "summary report" not in words(read["document"].EncapsulatedDocument)


FORMS = {
    "label map, RLE": EVERYTHING.model_copy(update={"seg": "labelmap", "transfer_syntax": "rle", "sr": "enhanced"}),
    "occupancy, RLE": Profile(seg="occupancy", transfer_syntax="rle"),
    "implicit": Profile(transfer_syntax="implicit", captures="all", seg="none", fractional=True),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_conformance_statement_names_these_objects_in_these_syntaxes(
    form: str, measured_case, tmp_path: Path
) -> None:
    case = unsure(with_probability(measured_case(), tmp_path), tmp_path)
    metas = [dcmread(BytesIO(one.part10), stop_before_pixels=True).file_meta for one in made(case, FORMS[form])]
    stated = set(objects_for(FolderDestination(path=tmp_path, profile=FORMS[form])))
    assert {(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID) for meta in metas} == stated
