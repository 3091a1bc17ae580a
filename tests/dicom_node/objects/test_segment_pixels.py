"""What is laid out in small and filled at once is byte for byte what highdicom makes of the whole label map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from dicom_node.errors import ResultInvalid
from dicom_node.objects import seg
from dicom_node.objects.decode import segments_seen
from dicom_node.objects.finish import part10
from dicom_node.objects.labelmap import load_labels
from dicom_node.objects.profile import Profile
from dicom_node.objects.segment_pixels import ANY, Form, encoded, shown_on, small_likeness
from dicom_node.objects.source import load_sources
from inference.volume import Grid, Spacing, regular_affine

PROFILES: dict[str, dict[str, Any]] = {
    "binary": {},
    "empty frames": {"empty_frames": True},
    "a SEG a segment": {"seg_per": "segment"},
    "occupancy": {"seg": "occupancy"},
    "labelmap": {"seg": "labelmap"},
    "occupancy, RLE": {"seg": "occupancy", "transfer_syntax": "rle"},
    "labelmap, RLE": {"seg": "labelmap", "transfer_syntax": "rle"},
}
EVEN = (9, 20, 28)
ODD = (9, 21, 27)  # whose pixels make no whole bytes


def grid_of(shape: tuple[int, int, int]) -> Grid:
    return Grid(shape, regular_affine((-31.5, 12.25, -140.0), np.eye(3)[:, ::-1], Spacing(3.0, 0.9, 0.7)))


def made(case: Any, profile: Profile) -> list[bytes]:
    context = replace(case.context, profile=profile)
    return [part10(one.seg, profile)
            for one in seg.encode_segmentations(case.result, load_sources(case.result, case.files), context)]


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, Profile], list[bytes]]:
    """The same objects with the pixels that highdicom encodes by itself."""

    def encode(case: Any, profile: Profile) -> list[bytes]:
        labels = np.array(load_labels(case.result, load_sources(case.result, case.files)))
        segment = seg.hd.seg.Segmentation

        def by_itself(*arguments: Any, **fields: Any) -> Any:
            """From one label map for all segments, or from a mask of the only one."""
            only = fields["instance_number"] if profile.seg_per == "segment" else 0
            fields["pixel_array"] = (labels == only).astype(np.uint8) if only else labels
            if profile.compressed:
                fields["transfer_syntax_uid"] = seg.RLELossless
            whole = segment(*arguments, **fields)
            if not profile.compressed:  # highdicom fills up an odd number of bytes with the digit 0 (PS3.5 8.1.1)
                bits = int(whole.NumberOfFrames) * labels[0].size * int(whole.BitsAllocated)
                whole.PixelData = whole.PixelData[:(bits + 7) // 8] + b"\0" * ((bits + 7) // 8 % 2)
            return whole

        with monkeypatch.context() as patch:
            patch.setattr(seg.hd.seg, "Segmentation", by_itself)
            patch.setattr(seg, "_of_size", lambda plane, rows, columns: plane)
            patch.setattr(seg, "_put_pixels", lambda *_: None)
            patch.setattr(seg, "_compress", lambda *_: None)
            return made(case, profile)

    return encode


@pytest.mark.parametrize(("name", "shape"), [
    *((name, EVEN) for name in PROFILES), *((name, ODD) for name in PROFILES if "RLE" not in name)
])
def test_every_byte_is_highdicoms(name: str, shape: tuple[int, int, int], make_case: Any, whole: Any) -> None:
    case, profile = make_case(grid_of(shape)), Profile(**PROFILES[name])
    assert [sha256(file).hexdigest() for file in made(case, profile)] == [
        sha256(file).hexdigest() for file in whole(case, profile)]


@pytest.mark.parametrize("name", ["binary", "occupancy", "labelmap"])
def test_a_map_of_wider_numbers_gives_the_same(name: str, make_case: Any) -> None:
    case, profile = make_case(), Profile(**PROFILES[name])
    before = made(case, profile)
    np.save(case.result.labelmap, case.labels.astype(np.uint16))
    assert made(case, profile) == before


@pytest.mark.parametrize("name", ["binary", "a SEG a segment"])
def test_voxels_of_no_finding_are_refused(name: str, make_case: Any) -> None:
    case = make_case()
    case.labels[4, 0, 0] = 4
    np.save(case.result.labelmap, case.labels)
    with pytest.raises(ResultInvalid, match="voxels of no finding"):
        made(case, Profile(**PROFILES[name]))


@pytest.mark.parametrize("name", [name for name in PROFILES if "RLE" in name])
def test_frames_of_an_odd_number_of_pixels_are_compressed(name: str, make_case: Any) -> None:
    """GDCM, which highdicom has do it, ends the process there."""
    case = make_case(grid_of(ODD))
    (file,) = made(case, Profile(**PROFILES[name]))
    shown = [(segment, int(mask.sum())) for _, segment, mask in segments_seen(dcmread(BytesIO(file)))]
    assert sum(pixels for _, pixels in shown) == np.count_nonzero(case.labels)
    assert {segment for segment, _ in shown} == {1, 2, 3}


def test_slices_show_what_they_hold() -> None:
    labels = np.zeros((3, 4, 5), np.uint16)
    labels[1, 2, 3], labels[2, 0], labels[2, 1] = 300, 2, 1
    shown = shown_on(labels)
    assert shown == [frozenset(), frozenset({300}), frozenset({1, 2})]
    assert small_likeness(shown, [300, 2]).tolist() == [[[0, 0]], [[1, 0]], [[0, 2]]]


def test_bits_run_on_from_frame_to_frame() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (20, 3, 5), dtype=np.uint8)
    frames = [(z, number) for number in (1, 2) for z in range(20)]
    bits = np.concatenate([(labels[z] == number).ravel() for z, number in frames])
    packed = encoded(labels, frames, Form("BINARY", 1))
    assert np.array_equal(np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")[:bits.size], bits)
    assert len(packed) % 2 == 0


def test_a_frame_of_all_segments_keeps_their_numbers() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (2, 3, 5), dtype=np.uint8)
    assert encoded(labels, [(1, ANY)], Form("LABELMAP", 8)) == labels[1].tobytes() + b"\0"
    assert encoded(labels, [(0, 2)], Form("FRACTIONAL", 8, 255)) == ((labels[0] == 2) * np.uint8(255)).tobytes() + b"\0"
