"""The image fallbacks: the right slices, painted where the mask is, in step with their source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicom_node.errors import ResultInvalid
from dicom_node.objects.capture import encode_key_images, encode_overlay_series
from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.decode import reference_in
from dicom_node.objects.finish import part10
from dicom_node.objects.source import load_sources
from dicom_node.objects.validate import check_capture
from inference.volume import Grid, Spacing, regular_affine
from inference.writers.dicom_series import Encoding

LARGE = (9, 240, 312)  # rows and columns that hold words beside the anatomy
FREE = np.s_[75:190, 25:250]  # of them, what no words reach


def grid(shape: tuple[int, int, int] = LARGE, turn: float = 0.0) -> Grid:
    """Axial, or tilted by `turn` degrees about the left-right axis and then about the vertical."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    tilted = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    return Grid(shape, regular_affine((-31.5, 12.25, -140.0), tilted[:, ::-1], Spacing(3.0, 0.9, 0.7)))


SOURCES = {
    "axial": (grid(), Encoding()),
    "oblique": (grid(turn=20.0), Encoding()),
    "enhanced": (grid(turn=20.0), Encoding(enhanced=True)),
}
source = pytest.mark.parametrize("name", SOURCES)


def key_images(case, count: int = 12) -> list[Dataset]:
    return encode_key_images(case.result, load_sources(case.result, case.files), case.files,
                             case.context.of_job("job"), count)


def overlay(case, **more: bool) -> list[Dataset]:
    return encode_overlay_series(case.result, load_sources(case.result, case.files), case.files,
                                 case.context.of_job("job"), **more)


def slices(case, pictures: list[Dataset]) -> list[int]:
    """The index of the source slice that each picture cites."""
    references = load_sources(case.result, case.files).references
    return [references.index(reference_in(p.SourceImageSequence[0])) for p in pictures]


@source
def test_every_picture_lies_where_its_source_slice_lies(name: str, make_case) -> None:
    case = make_case(*SOURCES[name])
    sources = load_sources(case.result, case.files)
    for picture in (*key_images(case), *overlay(case)):
        check_capture(picture, sources)
        z = slices(case, [picture])[0]
        assert np.allclose(picture.ImagePositionPatient, case.result.grid.to_lps((z, 0, 0)), atol=1e-3)


@source
def test_what_is_not_grey_is_the_mask(name: str, make_case) -> None:
    case = make_case(*SOURCES[name])
    pictures = overlay(case)
    for z, picture in zip(slices(case, pictures), pictures, strict=True):
        coloured = np.ptp(picture.pixel_array.astype(int), axis=2) > 0
        assert np.array_equal(coloured[FREE], case.labels[z][FREE] > 0), z


def test_each_finding_has_the_colour_of_its_segment(make_case) -> None:
    case = make_case(grid())
    pictures = overlay(case)
    colours = {f.number: f.structure.rgb for f in case.result.findings}
    for z, picture in zip(slices(case, pictures), pictures, strict=True):
        for number, rgb in colours.items():
            mask = case.labels[z] == number
            rim = mask & (picture.pixel_array == rgb).all(axis=2)
            assert rim.any() == mask.any()


def test_lesions_of_one_colour_on_a_slice_are_numbered(make_case) -> None:
    case = make_case(grid())
    labels = np.where(case.labels == 3, 1, case.labels)
    labels[2, 120:140, 160:190] = 3
    np.save(case.result.labelmap, labels)
    pictures = overlay(case)
    beside = np.s_[120:140, 191:210]
    white = {z: (picture.pixel_array[beside].min(axis=2) > 180).any()  # brighter than any tissue of it
             for z, picture in zip(slices(case, pictures), pictures, strict=True)}
    assert [z for z in white if white[z]] == [2]


def test_anatomy_shows_as_the_window_says(make_case) -> None:
    case = make_case(grid())
    picture = overlay(case)[0]  # -200 HU where nothing is: below the soft-tissue window
    assert not picture.pixel_array[FREE].any()
    assert "grey from -140 to 260" in picture.DerivationDescription


def test_brightness_is_one_for_the_series(make_case) -> None:
    """Two slices of equal values are equally grey, whatever is found on them."""
    case = make_case(grid())
    empty, full = overlay(case)[0].pixel_array, overlay(case)[4].pixel_array
    outside = case.labels[4][FREE] == 0
    assert np.array_equal(empty[FREE][outside], full[FREE][outside])


def test_key_images_are_the_lesions_and_the_organs_largest_slices(make_case) -> None:
    case = make_case()
    area = {n: (case.labels == n).sum(axis=(1, 2)) for n in (1, 2, 3)}
    chosen = slices(case, key_images(case, 3))
    assert all(area[n][chosen].max() == area[n].max() for n in (1, 2, 3))


def test_key_images_are_at_most_as_many_as_wished_and_only_where_something_is(make_case) -> None:
    case = make_case()
    assert len(key_images(case, 2)) == 2
    assert slices(case, key_images(case)) == list(range(1, 8))


def test_the_overlay_series_is_the_whole_source_series_or_what_shows_findings(make_case) -> None:
    case = make_case()
    assert slices(case, overlay(case)) == list(range(9))
    assert slices(case, overlay(case, every_slice=False)) == list(range(1, 8))


@pytest.mark.parametrize("encode", [key_images, overlay])
def test_nothing_found_gives_no_picture(encode, make_case) -> None:
    """The summary report says it; grey copies of the source would add nothing."""
    assert encode(make_case(empty=True)) == []


def test_images_without_a_usable_number_are_numbered_by_place(make_case) -> None:
    def edit(files: list[Path]) -> None:
        for path in files:
            image = dcmread(path)
            image["InstanceNumber"] = DataElement("InstanceNumber", "LO", "IMG-7")
            image.save_as(path)

    case = make_case(edit=edit)
    assert slices(case, overlay(case)) == sorted(slices(case, overlay(case)))


@pytest.mark.parametrize("encode", [key_images, overlay])
@pytest.mark.parametrize("encoding", [Encoding(), Encoding(reverse=True), Encoding(enhanced=True, reverse=True)],
                         ids=str)
def test_pictures_are_numbered_as_the_scanner_numbered_its_images(encode, encoding: Encoding, make_case) -> None:
    case = make_case(encoding=encoding)
    pictures = encode(case)
    assert [p.InstanceNumber for p in pictures] == list(range(1, len(pictures) + 1))
    assert slices(case, pictures) == sorted(slices(case, pictures), reverse=encoding.reverse)


def test_each_kind_is_one_series_of_its_own(make_case) -> None:
    case = make_case()
    keys, whole = key_images(case), overlay(case)
    assert len({p.SeriesInstanceUID for p in keys}) == len({p.SeriesInstanceUID for p in whole}) == 1
    assert keys[0].SeriesInstanceUID != whole[0].SeriesInstanceUID
    assert len({p.SOPInstanceUID for p in (*keys, *whole)}) == len(keys) + len(whole)
    assert (keys[0].SeriesDescription, whole[0].SeriesDescription) == (
        "DEMONSTRATION: Liver and liver tumours on CT, key images",
        "DEMONSTRATION: Liver and liver tumours on CT, overlay")


def test_the_mark_is_burned_into_every_picture(make_case) -> None:
    for picture in overlay(make_case(grid())):
        amber = (np.abs(picture.pixel_array.astype(int) - (255, 190, 60)).max(axis=2) <= 40)[:60]
        assert amber.sum() > 100


def test_an_incomplete_study_is_marked(make_case) -> None:
    case = make_case()
    lacking = replace(case, context=replace(case.context, incomplete="incomplete: 3 of 412 images missing"))
    assert overlay(lacking)[0].SeriesDescription.startswith("INCOMPLETE, DEMONSTRATION: ")


@pytest.mark.parametrize("encode", [key_images, overlay])
def test_the_same_job_gives_the_same_bytes(encode, make_case) -> None:
    case = make_case()
    assert [part10(p) for p in encode(case)] == [part10(p) for p in encode(case)]


def test_an_odd_number_of_samples_is_padded(make_case) -> None:
    case = make_case(grid((9, 21, 27)))
    (picture, *_) = key_images(case)
    sources = load_sources(case.result, case.files)
    check_capture(picture, sources)
    assert len(part10(picture)) % 2 == 0


def test_a_mask_of_another_size_is_refused(make_case) -> None:
    case = make_case()
    np.save(case.result.labelmap, case.labels[:-1])
    with pytest.raises(ResultInvalid, match="does not lie on 9 source slices"):
        overlay(case)


@pytest.mark.peer
@source
def test_dciodvfy_has_nothing_to_say(name: str, make_case, tool, tmp_path: Path) -> None:
    case = make_case(*SOURCES[name])
    for picture in (*key_images(case), *overlay(case)):
        path = tmp_path / "picture.dcm"
        path.write_bytes(part10(picture))
        assert "Error" not in tool("dciodvfy", "-new", path)
        assert dciodvfy(path.read_bytes()) == ()
        assert dcmread(path).pixel_array.shape == (240, 312, 3)
