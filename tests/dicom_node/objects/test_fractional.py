"""Probabilities leave as a FRACTIONAL SEG beside the one that viewers show, the same for every reader."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.pixels import pixel_array
from pydicom.uid import RLELossless

from dicom_node.errors import ResultInvalid
from dicom_node.objects.encode import Encoded, encode
from dicom_node.objects.finish import part10
from dicom_node.objects.identity import JobNames
from dicom_node.objects.profile import Profile
from dicom_node.objects.source import load_sources
from dicom_node.objects.validate import check_objects


@pytest.fixture
def case(make_case, tmp_path: Path) -> Any:
    made = make_case()
    chances = np.random.default_rng(4).uniform(0.5, 1, made.labels.shape) * (made.labels > 0)
    np.save(tmp_path / "chances.npy", chances.astype(np.float16))
    return replace(made, result=replace(made.result, probability=tmp_path / "chances.npy"))


def made(case: Any, **profile: Any) -> dict[str, Encoded]:
    context = replace(case.context, profile=Profile(fractional=True, **profile))
    return {one.kind: one for one in encode(case.result, "job", case.files, context)}


def test_it_stands_beside_the_binary_one_in_a_series_of_its_own(case: Any) -> None:
    objects = made(case)
    assert list(objects) == ["seg", "fractional", "sr", "summary"]
    assert objects["fractional"].series_instance_uid != objects["seg"].series_instance_uid
    seg = dcmread(BytesIO(objects["fractional"].part10))
    assert (seg.SegmentationType, seg.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    assert seg.SeriesDescription == "DEMONSTRATION: Liver and liver tumours on CT, SEG probabilities"
    binary = dcmread(BytesIO(objects["seg"].part10))
    assert [s.TrackingUID for s in seg.SegmentSequence] == [s.TrackingUID for s in binary.SegmentSequence]


@pytest.mark.parametrize("profile", [{}, {"transfer_syntax": "rle"}, {"seg": "labelmap"}, {"seg_per": "segment"}])
def test_dcmqi_reads_the_probabilities(profile: dict, case: Any, tool, tmp_path: Path) -> None:
    one = made(case, **profile)["fractional"]
    (tmp_path / "seg.dcm").write_bytes(one.part10)
    if profile.get("transfer_syntax"):
        assert dcmread(tmp_path / "seg.dcm").file_meta.TransferSyntaxUID == RLELossless
    tool("segimage2itkimage", "-t", "nrrd", "--inputDICOM", tmp_path / "seg.dcm", "--outputDirectory", tmp_path)
    chances = np.load(case.result.probability)
    for number in (1, 2, 3):
        image = sitk.ReadImage(str(tmp_path / f"{number}.nrrd"))
        values = sitk.GetArrayFromImage(image)
        indices = np.argwhere(values > 0)
        points = np.array([image.TransformIndexToPhysicalPoint([int(v) for v in index[::-1]]) for index in indices])
        where = tuple(np.rint(case.result.grid.to_index(points)).astype(int).T)
        assert {*zip(*where, strict=True)} == {tuple(i) for i in np.argwhere(case.labels == number)}
        assert np.allclose(values[values > 0] / values.max(), chances[where] / chances[where].max(), atol=0.01)


def test_the_checker_finds_no_error(case: Any, tool, tmp_path: Path) -> None:
    (tmp_path / "seg.dcm").write_bytes(made(case)["fractional"].part10)
    assert "Error" not in tool("dciodvfy", "-new", tmp_path / "seg.dcm", succeeds=False)


def test_other_probabilities_than_the_models_do_not_leave(case: Any) -> None:
    seg = dcmread(BytesIO(made(case)["fractional"].part10))
    values = pixel_array(seg)
    values[0][values[0] > 0] -= 1
    seg.PixelData = values.tobytes()
    with pytest.raises(ResultInvalid, match="frame 1 of the probabilities"):
        check_objects([part10(seg)], case.result, load_sources(case.result, case.files), JobNames("job"))


def test_a_model_without_probabilities_gives_none(make_case) -> None:
    assert "fractional" not in made(make_case())
