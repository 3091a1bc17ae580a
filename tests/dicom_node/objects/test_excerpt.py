"""A checker sees the first frames of a large segmentation, whole and valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_node.objects import excerpt as module
from dicom_node.objects.checker import dciodvfy
from dicom_node.objects.decode import segments_seen
from dicom_node.objects.encode import encode
from dicom_node.objects.excerpt import excerpt
from dicom_node.objects.finish import part10
from dicom_node.objects.profile import Profile
from dicom_node.objects.seg import encode_segmentations
from dicom_node.objects.source import load_sources

FRAMES = 8


@pytest.fixture
def segmentation(make_case: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dataset]:
    monkeypatch.setattr(module, "MOST", FRAMES)

    def make(**profile: Any) -> Dataset:
        case = make_case()
        context = replace(case.context, profile=Profile(**{"empty_frames": True, **profile}))
        (made,) = encode_segmentations(case.result, load_sources(case.result, case.files), context)
        return made.seg

    return make


@pytest.mark.parametrize("profile", [
    {}, {"seg": "occupancy"}, {"seg": "labelmap"}, {"seg": "occupancy", "transfer_syntax": "rle"},
], ids=str)  # fmt: skip
def test_its_frames_are_the_first_ones(profile: dict[str, Any], segmentation: Callable[..., Dataset]) -> None:
    whole = segmentation(**profile)
    before = int(whole.NumberOfFrames)
    short = dcmread(BytesIO(part10(excerpt(whole))))
    assert whole.NumberOfFrames == before > short.NumberOfFrames == FRAMES
    shown, of = (list(segments_seen(ds)) for ds in (short, dcmread(BytesIO(part10(whole)))))
    assert len(short.PerFrameFunctionalGroupsSequence) == FRAMES
    for frame, same in zip(shown, of[:len(shown)], strict=True):
        assert frame.segment == same.segment
        assert np.array_equal(frame.mask, same.mask)


def test_the_checker_takes_it_as_it_takes_the_whole(segmentation: Callable[..., Dataset], tool: Any) -> None:
    tool("dciodvfy", succeeds=False)
    whole = segmentation()
    assert dciodvfy(part10(excerpt(whole))) == dciodvfy(part10(whole)) == ()


def test_a_small_one_is_shown_whole(segmentation: Callable[..., Dataset]) -> None:
    assert excerpt(segmentation(empty_frames=False, seg="labelmap")) is None


def test_encoding_shows_the_checker_the_excerpt_and_gives_the_whole(
    make_case: Any, tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("dciodvfy", succeeds=False)
    monkeypatch.setattr(module, "MOST", FRAMES)
    seen: list[int] = []
    monkeypatch.setattr("dicom_node.objects.encode.dciodvfy", lambda file, **_: seen.append(len(file)) or ())
    case = make_case()
    made = encode(case.result, "job", case.files, replace(case.context, dciodvfy=True))
    assert min(seen) < len(made[0].part10)
    assert dcmread(BytesIO(made[0].part10)).NumberOfFrames > FRAMES
