"""A DICOM segmentation becomes a label map on its series, voxel for voxel, whoever wrote it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from miniatures import Miniature, draw, grid_of, write_lits_series
from pydicom.sr.coding import Code
from rounded_cosines import LONG_ROWS, round_cosines

from inference.errors import BadCase, BadGeometry, Unfit
from inference.readers.dicom import read_series
from inference.readers.dicom_seg import read_labels
from inference.tasks import LIVER_TUMOUR, LUNG_NODULE
from inference.training.datasets.lits import Lits
from inference.volume import Grid, Volume

LIVER = Code("10200004", "SCT", "Liver")
TUMOUR = Code("108369006", "SCT", "Neoplasm")
ANATOMY = Code("91723000", "SCT", "Anatomical Structure")


def write_seg(sources: list[Path], masks: list[tuple[np.ndarray, Code]], path: Path) -> None:
    """As another maker's library writes it: frames with voxels only, in the order of its segments."""
    segments = [
        hd.seg.SegmentDescription(n, f"s{n}", ANATOMY, code, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
        for n, (_, code) in enumerate(masks, start=1)
    ]
    seg = hd.seg.Segmentation(
        [pydicom.dcmread(source) for source in sources],
        np.stack([mask for mask, _ in masks], axis=-1).astype(np.uint8),
        hd.seg.SegmentationTypeValues.BINARY, segments, "1.2.3.5", 1, "1.2.3.6", 1, "Other", "Model", "1", "0",
    )  # fmt: skip
    seg.save_as(path)


@pytest.fixture
def drawn() -> Miniature:
    """On rows and columns whose pixels make no whole bytes."""
    return draw(LIVER_TUMOUR, 1, grid_of(shape=(12, 25, 21)))


@pytest.fixture
def segmented(drawn: Miniature, tmp_path: Path) -> Callable[..., Path]:
    """Writes volume-4 and its truth; the tumour first, though the liver lies under it."""

    def write(codes: tuple[Code, Code] = (TUMOUR, LIVER)) -> Path:
        sources = write_lits_series(tmp_path, 4, drawn)
        write_seg(sources, [(drawn.truth == 2, codes[0]), (drawn.truth > 0, codes[1])], tmp_path / "segmentation-4.dcm")
        return tmp_path

    return write


def test_a_lits_case_in_dicom_comes_back_voxel_for_voxel(segmented, drawn: Miniature) -> None:
    data = Lits(segmented())
    case = data.read(data.cases()[0])
    assert set(np.unique(case.truth)) == {0, 1, 2}
    np.testing.assert_array_equal(case.truth, drawn.truth)
    assert case.grid.matches(drawn.grid, 1e-3)


def test_cosines_of_three_decimals_lead_back_to_the_slices(tmp_path: Path) -> None:
    drawn = draw(LIVER_TUMOUR, 1, LONG_ROWS)
    sources = write_lits_series(tmp_path, 4, drawn)
    round_cosines(sources)
    write_seg(sources, [(drawn.truth > 0, LIVER), (drawn.truth == 2, TUMOUR)], tmp_path / "seg.dcm")
    read = read_labels(tmp_path / "seg.dcm", read_series(sources), LIVER_TUMOUR)
    np.testing.assert_array_equal(read, drawn.truth)


def test_a_segment_of_another_kind_is_named(segmented) -> None:
    data = Lits(segmented((Code("64033007", "SCT", "Kidney"), LIVER)))
    with pytest.raises(BadCase, match=r"segment 1 is of type 64033007 \(SCT\), which liver_tumour does not know"):
        data.read(data.cases()[0])


def test_another_series_or_another_place_is_refused(segmented) -> None:
    folder = segmented()
    seg, image = folder / "segmentation-4.dcm", read_series(sorted((folder / "volume-4").iterdir()))
    other = Volume(image.array, image.grid, image.units, image.sources, "1.2.3")
    with pytest.raises(Unfit, match="another series"):
        read_labels(seg, other, LIVER_TUMOUR)
    for change in (lambda affine: affine[:3, 3] + 2, lambda affine: affine[:3, 3] + 40 * affine[:3, 0]):
        affine = image.grid.affine.copy()
        affine[:3, 3] = change(affine)
        moved = Grid(image.grid.shape, affine, image.grid.frame_of_reference_uid)
        with pytest.raises(BadGeometry, match="on no slice"):
            read_labels(seg, Volume(image.array, moved, "HU", (), image.series_instance_uid), LIVER_TUMOUR)
    elsewhere = Grid(image.grid.shape, image.grid.affine, "1.9")
    with pytest.raises(Unfit, match="frame of reference"):
        read_labels(seg, Volume(image.array, elsewhere, "HU", (), image.series_instance_uid), LIVER_TUMOUR)


@pytest.mark.parametrize("spoil", ["text", "image", "cut short", "no frames", "unknown segment"])
def test_what_is_no_segmentation_is_unfit(segmented, spoil: str) -> None:
    folder = segmented()
    path, image = folder / "segmentation-4.dcm", read_series(sorted((folder / "volume-4").iterdir()))
    if spoil == "text":
        path.write_bytes(b"no segmentation")
    elif spoil == "image":
        path = next((folder / "volume-4").iterdir())
    elif spoil == "cut short":
        path.write_bytes(path.read_bytes()[:-200])
    else:
        seg = pydicom.dcmread(path)
        if spoil == "no frames":
            del seg.PerFrameFunctionalGroupsSequence
        else:
            seg.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence[0].ReferencedSegmentNumber = 9
        seg.save_as(path)
    with pytest.raises(Unfit):
        read_labels(path, image, LIVER_TUMOUR)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # pydicom's, about what was damaged
def test_damaged_bytes_are_unfit_or_read_and_nothing_else(segmented) -> None:
    folder = segmented()
    path, image = folder / "segmentation-4.dcm", read_series(sorted((folder / "volume-4").iterdir()))
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(25):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(damaged), 40):
            damaged[place] = int(rng.integers(256))
        path.write_bytes(bytes(damaged))
        with contextlib.suppress(Unfit):
            assert read_labels(path, image, LIVER_TUMOUR).shape == image.grid.shape


def test_a_card_without_its_codes_knows_nothing_of_it(segmented) -> None:
    folder = segmented()
    with pytest.raises(Unfit, match="lung_nodule does not know"):
        read_labels(folder / "segmentation-4.dcm", read_series(sorted((folder / "volume-4").iterdir())), LUNG_NODULE)
