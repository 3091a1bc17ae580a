"""What runs on the machines of a cluster, without one: message by message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.errors import Unfit
from inference.executors.carried import carry, without_files
from inference.executors.remote import Model, RemoteReader, RemoteWorker, version
from inference.executors.shelf import digest_of_files, files_of
from inference.request import Request, SeriesFiles
from inference.volume import Volume

THRESHOLD = {"kind": "threshold", "lower": 100, "upper": 3000, "label": 1}


@pytest.fixture
def request_of(volume_of: Callable[..., Volume], write: Callable[..., list[Path]], tmp_path: Path) -> Request:
    paths = tuple(write(volume_of()))
    return Request("job", "liver_tumour", {"CT": SeriesFiles("1.2.3", paths, ())}, THRESHOLD, tmp_path / "far")


def said(worker: RemoteWorker, request: Request) -> list[tuple[Any, ...]]:
    return list(worker.answer(without_files(request), carry(request)))


def test_a_worker_tells_progress_and_then_the_answer_with_its_masks(request_of: Request, tmp_path: Path) -> None:
    *progress, (kind, answer) = said(RemoteWorker(Model(THRESHOLD), "cpu", 1.0, tmp_path), request_of)
    assert [one[0] for one in progress] == ["progress"] * 3
    assert [one[2] for one in progress] == ["read", "threshold", "measure"]
    assert kind == "result"
    assert answer.answer.labelmap == request_of.scratch / "labelmap.npy"
    assert answer.masks["labelmap"].sum() == answer.answer.findings[0].voxels
    assert answer.answer.seconds["read"] > 0
    assert answer.gpu_share is None
    assert not request_of.scratch.exists(), "nothing of a patient is written where it runs"


def test_errors_are_told_by_their_type(request_of: Request, tmp_path: Path) -> None:
    worker = RemoteWorker(Model(THRESHOLD | {"label": 9}), "cpu", 1.0, tmp_path)
    kind, name, sentence = said(worker, request_of)[-1]
    assert (kind, name) == ("error", "ModelError")
    assert "labels [9]" in sentence


def test_a_worker_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = RemoteWorker(Model(THRESHOLD), "cpu", 1.0, tmp_path).begin()
    assert (at.device, at.version, at.lacks) == ("cpu", version(), False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert RemoteWorker(Model(THRESHOLD), "cuda:0", 0.5, tmp_path).begin().device == "cuda:3"


def test_it_asks_for_a_model_that_its_machine_lacks(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    file.write_bytes(b"weights")
    model = Model({"kind": "torchscript", "path": str(file)}, "net.pt", digest_of_files(file))
    worker = RemoteWorker(model, "cpu", 1.0, tmp_path / "models")
    assert worker.begin().lacks
    names, contents = zip(*files_of(file), strict=True)
    assert worker.bring(list(names), np.zeros(3, np.uint8))[:2] == ("error", "BundleBroken")
    assert worker.bring(list(names), *contents)[0] == "result"
    assert not RemoteWorker(model, "cpu", 1.0, tmp_path / "models").begin().lacks


def test_a_reader_gives_what_it_read_beside_its_word_on_it(request_of: Request) -> None:
    told, images = RemoteReader().read(request_of)
    assert told == ("result",)
    assert images is not None
    assert images.volumes["CT"].array.shape == (6, 20, 24)
    told, images = RemoteReader().read(without_files(request_of))
    assert (told[:2], images) == (("error", Unfit.__name__), None)
