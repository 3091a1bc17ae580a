"""The shipped bundles on real images with labels: read, answered and measured. How well they do is told, not asserted.

`make real` prints the figures and writes them to a file where FIGURES names one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from labelled_samples import CASES, Figure, RealCase, as_json, figure, table
from samples import sample

from inference.readers.dicom import read_series
from inference.tasks import TASKS

pytestmark = [pytest.mark.real, pytest.mark.measure, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RealCase:
    return CASES[request.param](sample(""), tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def figures() -> Iterator[list[Figure]]:
    """Collects the figures and tells them at the end."""
    found: list[Figure] = []
    yield found
    print(f"\n{table(found)}")
    if path := os.environ.get("FIGURES"):
        Path(path).write_text(json.dumps(as_json(found), indent=1) + "\n")


def test_the_truth_lies_on_the_series(case: RealCase) -> None:
    assert read_series(case.inputs[TASKS[case.task].primary]).grid.matches(case.grid)
    assert case.truth.shape == case.grid.shape
    assert 0 < np.count_nonzero(case.truth) < case.truth.size / 2


def test_a_bundle_answers(case: RealCase, figures: list[Figure], tmp_path: Path) -> None:
    figures.append(figure(case, tmp_path))
    assert 0 <= figures[-1].value <= 1
    assert not figures[-1].remark.startswith("refused"), figures[-1].remark
