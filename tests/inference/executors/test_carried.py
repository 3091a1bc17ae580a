"""A request's files as arrays: the same result as where they lie, and nothing of the archive beside it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from inference.backends.threshold import Threshold
from inference.errors import ModelError, Unfit
from inference.executors.carried import Carried, InHand, carry, without_files
from inference.material import OnDisk
from inference.predict import predict
from inference.request import ExplainRequest, KnownLesion, Prior, Request, SeriesFiles
from inference.volume import Volume

BACKEND = Threshold(lower=100, upper=3000, label=2).load("cpu")


@pytest.fixture
def request_of(volume_of: Callable[..., Volume], write: Callable[..., list[Path]], tmp_path: Path) -> Request:
    """A liver with one tumour, and a prior that shows the same one."""
    volume = volume_of()
    array = np.full(volume.grid.shape, -50, np.float32)
    array[1:4, 5:12, 6:14] = 200
    series = {name: SeriesFiles("1.2.3", tuple(write(volume.with_array(array), folder=name)), ())
              for name in ("now", "before")}
    np.save(tmp_path / "before.npy", (array > 100).astype(np.uint8))
    prior = Prior("1.2", date(2026, 1, 1), date(2026, 7, 1), series["before"], tmp_path / "before.npy",
                  {1: KnownLesion("Liver tumour 1", "2.25.1", 2)})
    (tmp_path / "scratch").mkdir()
    return Request("job", "liver_tumour", {"CT": series["now"]}, {}, tmp_path / "scratch", prior=prior)


def brought(request: Request) -> tuple[Request, InHand]:
    """What comes out of the pickles that travel; arrays that Ray's object store gives cannot be written to."""
    carried: Carried = pickle.loads(pickle.dumps(carry(request)))
    for volume in carried.volumes.values():
        volume.array.setflags(write=False)
    return pickle.loads(pickle.dumps(without_files(request))), InHand(request.scratch, carried)


def silent(fraction: float, step: str) -> None:
    """Progress that nobody asks for."""


def test_the_result_is_that_of_the_files(request_of: Request) -> None:
    there = predict(request_of, BACKEND, silent)
    on_disk = np.load(there.labelmap)
    there.labelmap.unlink()
    asked, material = brought(request_of)
    here = predict(asked, BACKEND, silent, material)
    assert here.labelmap == request_of.scratch / "labelmap.npy"
    assert not here.labelmap.exists(), "it is brought there by whoever asked"
    assert np.array_equal(material.masks["labelmap"], on_disk)
    assert here.findings == there.findings
    assert here.trend == there.trend is not None


def test_no_path_of_the_archive_travels(request_of: Request) -> None:
    asked, _ = brought(request_of)
    file = request_of.inputs["CT"].paths[0].name.encode()
    assert file in pickle.dumps(request_of)
    assert file not in pickle.dumps(asked)
    assert asked.prior is not None
    assert asked.prior.series.paths == ()


def test_a_prior_that_cannot_be_read_refuses_the_comparison_alone(request_of: Request) -> None:
    prior = replace(request_of.prior, series=SeriesFiles("1.2.3", (), ()))  # type: ignore[type-var]
    asked, material = brought(replace(request_of, prior=prior))
    trend = predict(asked, BACKEND, silent, material).trend
    assert trend is not None
    assert trend.refusal == "the prior's images cannot be read: The series has no images."


@pytest.mark.parametrize(
    ("changes", "kind", "sentence"),
    [({"inputs": {}}, Unfit, "also needs CT"), ({"task": "palmistry"}, ModelError, "no task palmistry")],
)
def test_what_cannot_be_read_is_told_where_it_is_read(
    request_of: Request, changes: dict, kind: type[Exception], sentence: str
) -> None:
    with pytest.raises(kind, match=sentence):
        carry(replace(request_of, **changes))


def test_the_mask_that_is_asked_about_travels(request_of: Request, tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", np.array([[[0, 3]]], np.uint8))
    asked = ExplainRequest("job", "liver_tumour", request_of.inputs, {}, tmp_path, mask=tmp_path / "mask.npy")
    for material in (OnDisk(asked), InHand(tmp_path, carry(asked))):
        mask = material.mask()
        assert mask is not None
        assert mask.tolist() == [[[False, True]]]
    assert OnDisk(request_of).mask() is None
