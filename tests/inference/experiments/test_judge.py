"""What a bundle finds is judged by the rules of the data set whose cases it is shown."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from miniatures import draw, grid_of, series_uid, write_luna16, write_marks

from inference.backends import Segmented
from inference.experiments.judge import Unseen, judge
from inference.tasks import LUNG_NODULE
from inference.training.datasets.base import Mark
from inference.training.datasets.luna16 import Luna16

IRRELEVANT, ELSEWHERE = (2, 3, 3), (9, 20, 18)


@pytest.mark.parametrize("diameter_mm", [6.0, -1.0])
def test_what_is_found_on_an_irrelevant_finding_of_luna16_is_neither_right_nor_wrong(
    diameter_mm: float, tmp_path: Path
) -> None:
    drawn = draw(LUNG_NODULE, 1)
    other = Mark(tuple(float(v) for v in grid_of().to_lps(IRRELEVANT)), diameter_mm)
    write_luna16(tmp_path, {0: drawn}, {0: [other]})
    labels = drawn.truth.copy()
    for place in (IRRELEVANT, ELSEWHERE):
        assert not labels[place], "both lie apart from the nodule"
        labels[place] = 1
    model = SimpleNamespace(judged=False, segment=lambda *_: Segmented(labels))

    def lesions() -> tuple[int, int, int, float]:
        data = Luna16(tmp_path)
        (score,) = judge(Unseen(data, tuple(data.cases()), "LUNA16", synthetic=False), model).scores
        return score.lesions.hits, score.lesions.found, score.lesions.false, score.precision

    right = int(np.count_nonzero(drawn.truth))
    assert lesions() == (1, 2, 1, right / (right + 1))
    write_marks(tmp_path / "annotations_excluded.csv", {series_uid(0): []})
    assert lesions() == (1, 3, 2, right / (right + 2))
