"""Pictures of a segmentation, read back from its SEG (dicom_node.web.pictures, dicom_node.web.pages.pictures)."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from browsing import Browser
from PIL import Image

from dicom_node.assembly import Parts
from inference.tasks import TASKS

MakeBrowser = Callable[[str], Browser]


def test_the_slices_that_show_something_in_their_order(place: str, signed_in: MakeBrowser) -> None:
    told = signed_in("vera").get(place).json()
    assert told == {"slices": [["Liver"], ["Liver"]], "best": 0}


def test_a_picture_shows_the_segment_where_it_lies(place: str, signed_in: MakeBrowser) -> None:
    answer = signed_in("vera").get(f"{place}/0")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    rgb = TASKS["liver_tumour"].structures[0].rgb
    rim = np.argwhere((np.abs(picture - rgb).max(axis=2) <= 3)[: picture.shape[0] * 3 // 4])
    scale = picture.shape[0] / 32
    assert rim.min(axis=0) == pytest.approx([8 * scale] * 2, abs=scale)
    assert signed_in("vera").get(f"{place}/best").content == answer.content


@pytest.mark.parametrize(("end", "status"), [("/2", 404), ("/-1", 404), ("/x", 404), ("/..", 404)])
def test_there_are_no_others(place: str, signed_in: MakeBrowser, end: str, status: int) -> None:
    assert signed_in("vera").get(place + end).status_code == status


def test_another_study_has_it_not(place: str, signed_in: MakeBrowser) -> None:
    sop = place.rpartition("/")[2]
    assert signed_in("ada").get(f"/studies/1.2.3/pictures/{sop}").status_code == 404
    assert signed_in("ada").get(place.rpartition("/")[0] + "/1.2.3").status_code == 404


@pytest.mark.parametrize("place", [{"BurnedInAnnotation": "YES"}], indirect=True)
def test_words_in_the_pixels_are_shown_to_those_who_may_know(place: str, signed_in: MakeBrowser) -> None:
    answer = signed_in("vera").get(f"{place}/0")
    assert (answer.status_code, "burned into this image" in answer.text) == (400, True)
    assert signed_in("otto").get(f"{place}/0").status_code == 200


def test_what_is_no_longer_held_is_said(place: str, parts: Parts, signed_in: MakeBrowser) -> None:
    (parts.archive.root / "002.dcm").unlink()
    answer = signed_in("vera").get(place)
    assert (answer.status_code, "1 of the 4 files of series" in answer.text) == (404, True)
    (parts.archive.root / "seg.dcm").unlink()
    assert "file is no longer held" in signed_in("vera").get(place).text


def test_a_result_in_two_forms_is_offered_once(place: str, parts: Parts, signed_in: MakeBrowser) -> None:
    with parts.database.transaction() as tx:
        (seg,) = tx.results.of_job("job")
        tx.results.add(replace(seg, sop_instance_uid="2.25.9", variant="occupancy"))
    page = signed_in("vera").get(place.partition("/pictures")[0]).text
    assert page.count("data-pictures=") == 1
    assert f'data-pictures="{place}"' in page


def test_the_study_offers_them(place: str, signed_in: MakeBrowser) -> None:
    assert f'data-pictures="{place}"' in signed_in("vera").get(place.partition("/pictures")[0]).text
