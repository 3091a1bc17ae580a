"""Pictures of a segmentation, read back from its SEG (dicom_node.web.pictures, dicom_node.web.pages.pictures)."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from browsing import Browser
from PIL import Image
from pydicom import dcmread

from dicom_node.assembly import Parts
from dicom_node.objects.context import EncodeContext
from dicom_node.objects.encode import encode
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.measure import measure_findings
from inference.readers.dicom import read_series
from inference.tasks import TASKS
from storage.lifecycle import JobState
from storage.records import Instance, InstanceKind, Job, ResultObject, StoredFile

MakeBrowser = Callable[[str], Browser]
LIVER_PIXELS = (slice(8, 24), slice(8, 24))
PLACE = "/studies/{study}/pictures/{sop}"


@pytest.fixture
def place(parts: Parts, make_slices, tmp_path, request) -> str:
    """The address of the pictures of a liver on the second and third of four slices; parameters change the images."""
    files = make_slices(4, **getattr(request, "param", {}))
    series = read_series(files)
    labels = np.zeros(series.grid.shape, np.uint8)
    labels[1][LIVER_PIXELS] = 1
    labels[2][8:12, 8:12] = 1
    measured = measure_findings(labels, TASKS["liver_tumour"].structures, series)
    np.save(tmp_path / "labels.npy", measured.labelmap)
    result = Result(
        task="liver_tumour", model=ModelIdentity("m", "1", "ab" * 32, "Segnode", IntendedUse.DEMONSTRATION),
        grid=series.grid, primary_role="CT", labelmap=tmp_path / "labels.npy", findings=measured.findings,
        sources={"CT": series.sources},
    )  # fmt: skip
    context = EncodeContext(created_at=1_763_900_000.0, dciodvfy=False)
    seg = next(one for one in encode(result, "job", {"CT": files}, context) if one.kind == "seg")
    return _kept(parts, files, seg.part10)


def _kept(parts: Parts, files, seg: bytes) -> str:
    header = dcmread(files[0], stop_before_pixels=True)
    study, series = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
    root = parts.archive.root
    uids = []
    with parts.database.transaction() as tx:
        for file in files:
            (root / file.name).write_bytes(file.read_bytes())
            uid = str(dcmread(file, stop_before_pixels=True).SOPInstanceUID)
            stored = StoredFile(file.name, 1, uid)
            instance = Instance(uid, str(header.SOPClassUID), series, study, "1.2.840.10008.1.2.1",
                                InstanceKind.IMAGE, stored, 100.0, "a")
            tx.studies.add_instance(instance, {"PatientName": "Doe^Jane"})
            uids.append(uid)
        (root / "seg.dcm").write_bytes(seg)
        sop = str(dcmread(io.BytesIO(seg), stop_before_pixels=True).SOPInstanceUID)
        inputs = {"CT": {"series": series, "instances": uids}}
        tx.jobs.add(Job("job", study, 1, "r", "liver_tumour", "m", JobState.PENDING, 0, inputs, {}, 110.0))
        tx.jobs.claim("me", 111.0, 60.0)
        tx.jobs.finish("job", "me", JobState.DONE, 120.0)
        tx.results.add(ResultObject(sop, "1.2.840.10008.5.1.4.1.1.66.4", "2.25.1", "job", "seg",
                                    StoredFile("seg.dcm", 1, "seg")))
    return PLACE.format(study=study, sop=sop)


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
    assert (answer.status_code, "1 of its 4 images are no longer held" in answer.text) == (404, True)
    (parts.archive.root / "seg.dcm").unlink()
    assert "file is no longer held" in signed_in("vera").get(place).text


def test_the_study_offers_them(place: str, signed_in: MakeBrowser) -> None:
    assert f'data-pictures="{place}"' in signed_in("vera").get(place.partition("/pictures")[0]).text
