"""Headers as archives hold them, made fit for encoding in memory only."""

from __future__ import annotations

import logging
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.errors import ResultInvalid
from dicom_node.objects.encode import encode
from dicom_node.objects.identity import Moment, frame_of_reference_for
from dicom_node.objects.profile import Profile
from dicom_node.objects.source import TYPE_2, load_sources
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding


def rewrite(files: list[Path], change) -> None:
    for n, path in enumerate(files):
        ds = dcmread(path)
        change(ds, n)
        ds.save_as(path)


def without(*keywords: str):
    def change(ds, n: int) -> None:
        for keyword in keywords:
            if keyword in ds:
                delattr(ds, keyword)
    return lambda files: rewrite(files, change)


def test_planes_follow_the_results_slices(make_case) -> None:
    case = make_case(encoding=Encoding(reverse=True))
    sources = load_sources(case.result, case.files)
    for z, (plane, reference) in enumerate(zip(sources.planes, sources.references, strict=True)):
        assert reference.sop_instance_uid == case.result.sources["CT"][z].sop_instance_uid
        assert np.allclose(plane.ImagePositionPatient, case.result.grid.to_lps((z, 0, 0)), atol=1e-4)


@pytest.mark.parametrize("keyword", ["AccessionNumber", "StudyID", "StudyDate", "StudyTime", "PatientBirthDate",
                                     "PatientSex", "PatientName", "PatientID", "ReferringPhysicianName",
                                     "SliceThickness", "PositionReferenceIndicator"])
def test_a_missing_attribute_that_may_be_empty_is_empty(keyword: str, make_case) -> None:
    case = make_case(edit=without(keyword))
    made = encode(case.result, "job", case.files, case.context)
    assert len(made) == 3
    told = f"Empty, because the source images hold nothing or no valid value: {keyword}."
    assert {one.filled for one in made} == {(told,) if keyword in TYPE_2 else ()}


@pytest.mark.parametrize(("keyword", "value"), [("PatientSex", "MALE"), ("PatientBirthDate", "1970-1"),
                                                ("StudyTime", "noon"), ("StudyDate", "00000000")])
def test_a_value_that_cannot_be_one_is_emptied(keyword: str, value: str, make_case) -> None:
    def change(ds, n: int) -> None:
        ds.add(type(ds[keyword])(ds[keyword].tag, "LO", value))

    case = make_case(edit=lambda files: rewrite(files, change))
    sources = load_sources(case.result, case.files)
    assert sources.header.get(keyword) in ("", None)
    assert sources.emptied == (keyword,)
    assert value not in "".join(sources.filled), "values may be a patient's"
    assert len(encode(case.result, "job", case.files, case.context)) == 3


@pytest.mark.parametrize("said", ["", "1", "NO"])
def test_images_that_do_not_say_whether_they_lost_something_are_taken_for_whole(said: str, make_case, tool) -> None:
    """An empty value is legal there (Type 3, PS3.3 C.7.6.1), and none in a SEG (Type 1, C.8.20.2)."""
    tool("dciodvfy", succeeds=False)
    case = make_case(edit=lambda files: rewrite(files, lambda ds, n: setattr(ds, "LossyImageCompression", said)))
    context = replace(case.context, dciodvfy=True, profile=Profile(captures="key"))
    made = [dcmread(BytesIO(one.part10)) for one in encode(case.result, "job", case.files, context)]
    assert {ds.get("LossyImageCompression", "00") for ds in made} == {"00"}


def test_what_the_images_cite_of_their_patient_is_no_citation_of_ours(make_case) -> None:
    """A photo of the patient, as systems of admission hand it on by the worklist (PS3.3 C.7.1.1)."""
    photo, instance = Dataset(), Dataset()
    instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.77.1.4", "1.2.3"
    photo.TypeOfInstances, photo.StudyInstanceUID, photo.SeriesInstanceUID = "DICOM", "1.2.4", "1.2.5"
    photo.ReferencedSOPSequence = [instance]
    case = make_case(edit=lambda files: rewrite(
        files, lambda ds, n: setattr(ds, "ReferencedPatientPhotoSequence", [photo])))
    made = [dcmread(BytesIO(one.part10)) for one in encode(case.result, "job", case.files, case.context)]
    assert all(ds.ReferencedPatientPhotoSequence[0].StudyInstanceUID == "1.2.4" for ds in made)


@pytest.mark.parametrize("offset", ["+1300", "-1130"])
def test_results_tell_their_time_in_the_images_time(offset: str, make_case) -> None:
    """Else a node in UTC says that a scan's result was made before it (PS3.3 C.12.1.1.8)."""
    case = make_case(edit=lambda files: rewrite(files, lambda ds, n: setattr(ds, "TimezoneOffsetFromUTC", offset)))
    moment = Moment.of(case.context.created_at, offset)
    profile = Profile(captures="key", presentation_state=True, key_objects=True, document=True, structure_set=True)
    for one in encode(case.result, "job", case.files, replace(case.context, profile=profile)):
        ds = dcmread(BytesIO(one.part10))
        assert ds.TimezoneOffsetFromUTC == offset
        assert (ds.SeriesDate, ds.SeriesTime) == (moment.date, moment.time)
        assert (ds.InstanceCreationDate, ds.InstanceCreationTime) == (moment.date, moment.time)
        assert (ds.get("ContentDate", moment.date), ds.get("ContentTime", moment.time)) == (moment.date, moment.time)
        assert ds.ContributingEquipmentSequence[-1].ContributionDateTime == moment.date_time


@pytest.mark.parametrize("offset", ["", "CET", "+9", "+9900", "-1300", "+0960"])
def test_an_offset_that_is_none_is_not_handed_on(offset: str, make_case) -> None:
    case = make_case(edit=lambda files: rewrite(files, lambda ds, n: setattr(ds, "TimezoneOffsetFromUTC", offset)))
    moment = Moment.of(case.context.created_at)
    for one in encode(case.result, "job", case.files, case.context):
        ds = dcmread(BytesIO(one.part10))
        assert "TimezoneOffsetFromUTC" not in ds
        assert (ds.SeriesDate, ds.SeriesTime) == (moment.date, moment.time)


def test_a_name_that_a_backslash_parts_is_emptied(make_case) -> None:
    case = make_case(edit=lambda files: rewrite(files, lambda ds, n: setattr(ds, "PatientName", "O\\'Brien^Jo")))
    assert load_sources(case.result, case.files).emptied == ("PatientName",)
    assert len(encode(case.result, "job", case.files, case.context)) == 3


def test_a_missing_frame_of_reference_is_made_up_and_said(make_case) -> None:
    case = make_case(edit=without("FrameOfReferenceUID"))
    sources = load_sources(case.result, case.files)
    assert sources.header.FrameOfReferenceUID == frame_of_reference_for(sources.series_instance_uid)
    assert "frame of reference" in sources.notes[0]
    assert sources.filled == sources.notes


def test_orientations_that_differ_by_a_rounding_are_one(make_case) -> None:
    def change(ds, n: int) -> None:
        ds.ImageOrientationPatient = [1, n * 1e-7, 0, 0, 1, 0]

    case = make_case(edit=lambda files: rewrite(files, change))
    assert len({str(p.ImageOrientationPatient) for p in load_sources(case.result, case.files).planes}) == 1


@pytest.mark.parametrize("named", ["0", "0.5", "7", "-3"])
def test_the_distance_of_slices_is_that_of_their_places(named: str, make_case) -> None:
    case = make_case(edit=lambda files: rewrite(files, lambda ds, n: setattr(ds, "SpacingBetweenSlices", named)))
    seg = dcmread(BytesIO(encode(case.result, "job", case.files, case.context)[0].part10))
    assert seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices == 3


def test_an_only_slice_is_as_far_from_the_next_as_it_is_thick(make_case) -> None:
    """3D Slicer reckons volumes by it, and takes 1 mm where nobody tells."""
    case = make_case()
    grid = replace(case.result.grid, shape=(1, *case.result.grid.shape[1:]))
    alone = replace(case.result, grid=grid, sources={"CT": case.result.sources["CT"][:1]})
    assert load_sources(alone, case.files).planes[0].SpacingBetweenSlices == 3


def rounded(ds, n: int) -> None:
    ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], round(float(ds.ImagePositionPatient[2]), 1)]


def leaning(ds, n: int) -> None:
    ds.ImagePositionPatient[1] += 0.4 * n


@pytest.mark.parametrize("places", [rounded, leaning])
def test_overlapping_slices_are_told_by_their_distance_where_places_are_rounded_or_lean(places, make_case) -> None:
    """3D Slicer takes the thickness where nobody tells the distance, and draws the overlay twice as long."""
    def change(ds, n: int) -> None:
        ds.SliceThickness = 2.5
        places(ds, n)

    thin = Grid((9, 20, 26), regular_affine((0.0, 0.0, -140.0), np.eye(3)[:, ::-1], Spacing(1.25, 0.9, 0.7)))
    case = make_case(thin, edit=lambda files: rewrite(files, change))
    profile = Profile(fractional=True, probability_map=True)
    np.save(case.result.labelmap.with_name("chances.npy"), np.full(case.labels.shape, 0.5, np.float16))
    result = replace(case.result, probability=case.result.labelmap.with_name("chances.npy"))
    made = encode(result, "job", case.files, replace(case.context, profile=profile))
    frames = [dcmread(BytesIO(one.part10)) for one in made if one.kind in ("seg", "fractional", "map")]
    told = [ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0] for ds in frames]
    assert [float(one.get("SpacingBetweenSlices", 0)) for one in told] == pytest.approx([1.25] * 3, abs=1e-6)


def test_missing_images_are_an_error(make_case) -> None:
    case = make_case()
    with pytest.raises(ResultInvalid, match="1 of 9 source images"):
        load_sources(case.result, {"CT": case.files["CT"][1:]})


def test_blanks_around_a_patients_number_make_no_other_patient(make_case) -> None:
    case = make_case()
    number = dcmread(case.files["CT"][0]).PatientID
    rewrite(case.files["CT"][4:], lambda ds, n: setattr(ds, "PatientID", f"  {number} "))  # PS3.5 6.2: no part of it
    objects = encode(case.result, "job", case.files, case.context)
    assert {dcmread(BytesIO(made.part10)).PatientID for made in objects} == {number}


def test_images_of_another_patient_are_an_error(make_case) -> None:
    case = make_case()
    rewrite(case.files["CT"][-1:], lambda ds, n: setattr(ds, "PatientID", "SOMEONE-ELSE"))
    with pytest.raises(ResultInvalid, match="different studies or patients") as error:
        load_sources(case.result, case.files)
    assert "SOMEONE" not in str(error.value)


def test_names_of_patients_reach_no_log(make_case, caplog: pytest.LogCaptureFixture,
                                        recwarn: pytest.WarningsRecorder) -> None:
    def change(ds, n: int) -> None:
        ds.PatientName = "Unmistakable"
        ds.add_new("PatientAge", "LO", "Unmistakable")

    case = make_case(edit=lambda files: rewrite(files, change))
    recwarn.clear()
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        encode(case.result, "job", case.files, case.context)
    assert "Unmistakable" not in caplog.text
    assert not [w for w in recwarn if "Unmistakable" in str(w.message)]


def test_names_keep_their_characters(make_case) -> None:
    def change(ds, n: int) -> None:
        ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
        ds.PatientName = "Yamada^Tarou=山田^太郎"

    case = make_case(edit=lambda files: rewrite(files, change))
    for item in encode(case.result, "job", case.files, case.context):
        assert dcmread(BytesIO(item.part10)).PatientName == "Yamada^Tarou=山田^太郎"


@pytest.mark.parametrize("character_set", ["ISO_IR 13", "ISO 2022 IR 13"])
def test_katakana_of_half_width_beside_latin_letters_are_kept(character_set: str, make_case) -> None:
    def change(ds, n: int) -> None:
        ds.SpecificCharacterSet, ds.StudyDescription = character_set, "CT ----"

    def edit(files: list[Path]) -> None:
        rewrite(files, change)
        for path in files:  # pydicom itself would write "CT ????"
            path.write_bytes(path.read_bytes().replace(b"CT ----", "CT ﾌｸﾌﾞ".encode("shift_jis")))

    case = make_case(edit=edit)
    for item in encode(case.result, "job", case.files, case.context):
        assert dcmread(BytesIO(item.part10)).StudyDescription == "CT ﾌｸﾌﾞ"


@pytest.mark.parametrize("character_set", [b"ISO 2022 IR 87", b"ISO 2022 IR 87\\ISO 2022 IR 13 "])
def test_names_are_kept_where_the_first_character_set_is_of_several_bytes(character_set: bytes, make_case) -> None:
    """None of these may be the first (PS3.3 C.12.1.1.2), and there are scanners that say no other."""
    name = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B "

    def change(ds, n: int) -> None:
        ds.SpecificCharacterSet, ds.PatientName = "C" * len(character_set), "N" * len(name)

    def edit(files: list[Path]) -> None:
        rewrite(files, change)
        for path in files:  # pydicom itself would write another name
            content = path.read_bytes().replace(b"N" * len(name), name)
            path.write_bytes(content.replace(b"C" * len(character_set), character_set))

    case = make_case(edit=edit)
    for item in encode(case.result, "job", case.files, case.context):
        assert dcmread(BytesIO(item.part10)).PatientName == "Yamada^Tarou=山田^太郎"
