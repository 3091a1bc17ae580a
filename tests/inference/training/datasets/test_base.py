"""A labelled case is whole, or it is not made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from miniatures import SHAPE, draw

from inference.tasks import BRAIN_TUMOUR, LIVER_TUMOUR
from inference.training.datasets.base import LabelledCase, digest_files


def test_a_case_has_every_role_and_a_truth_on_the_primary_grid() -> None:
    drawn = draw(BRAIN_TUMOUR, 1)
    case = LabelledCase("a", "a", BRAIN_TUMOUR, drawn.volumes, drawn.truth)
    assert case.grid is drawn.volumes["T1ce"].grid
    with pytest.raises(ValueError, match="other roles than CT"):
        LabelledCase("a", "a", BRAIN_TUMOUR, draw(LIVER_TUMOUR, 1).volumes, drawn.truth)
    for truth in (drawn.truth[1:], drawn.truth.astype(np.int16)):
        with pytest.raises(ValueError, match="does not lie on"):
            LabelledCase("a", "a", BRAIN_TUMOUR, drawn.volumes, truth)
    assert drawn.truth.shape == SHAPE


def test_a_digest_is_of_what_the_files_hold_not_of_where_they_lie(tmp_path: Path) -> None:
    def digest(folder: str, image: bytes, truth: bytes, *more: object) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "image").write_bytes(image)
        (tmp_path / folder / f"truth {folder}").write_bytes(truth)
        return digest_files({"CT": tmp_path / folder / "image"}, [tmp_path / folder / f"truth {folder}"], *more)

    first = digest("a", b"1234", b"5678")
    assert digest("b", b"1234", b"5678") == first
    assert len({first, digest("a", b"12345", b"5678"), digest("a", b"1234", b"5679"),
                digest("a", b"1234", b"5678", "row")}) == 4  # fmt: skip
    assert digest("a", b"4321", b"5678") == first, "an image counts by its size: to read all of it would take too long"


def test_a_series_and_a_metaimage_count_with_all_their_files(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    for name in ("series/1", "series/2", "scan.mhd", "scan.raw"):
        (tmp_path / name).write_bytes(b"1234")
    for image, part in (("series", "series/2"), ("scan.mhd", "scan.raw")):
        before = digest_files({"CT": tmp_path / image}, [])
        (tmp_path / part).write_bytes(b"12")
        assert digest_files({"CT": tmp_path / image}, []) != before
