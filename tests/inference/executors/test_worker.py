"""What a worker says to its parent, message by message."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from pydicom.charset import convert_encodings

from inference.errors import WorkerDied
from inference.executors import worker
from inference.executors.lanes import Lane, Worker
from inference.request import ExplainRequest, Request

PATIENCE_S = 10.0
REQUEST = Request("job", "liver_tumour", {}, {"kind": "threshold", "lower": 0, "upper": 1}, Path())


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The worker takes Ctrl-C for itself; the tests get it back."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def converse(request: object) -> list[Any]:
    """Everything that a worker says to one request, up to its last word."""
    ours, theirs = multiprocessing.Pipe()
    said: list[Any] = []
    parent = threading.Thread(target=_listen, args=(ours, request, said))
    parent.start()
    worker.main([theirs], "cpu", os.getppid())
    parent.join()
    return said


def _listen(pipe: Connection, request: object, said: list[Any]) -> None:
    pipe.send(request)
    while True:
        said.append(pipe.recv())
        if said[-1][0] != "progress":
            pipe.close()
            return


def test_what_pydicom_quotes_of_a_header_is_told_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's standard error is the node's log."""
    monkeypatch.setattr(worker, "predict", lambda *_: convert_encodings("Doe^Jane"))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        converse(REQUEST)
    assert told == []


def test_progress_then_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(request: Request, backend: Any, report: Any, material: Any, turn: Any) -> str:
        report(0.25, "read")
        device = turn(lambda: backend.device, report)
        report(0.75, "network")
        return f"{request.job_id} on {device}"

    monkeypatch.setattr(worker, "predict", predict)
    assert converse(REQUEST) == [
        ("progress", 0.25, "read"),
        ("progress", 0.75, "network"),
        ("result", "job on cpu"),
    ]


def test_a_job_that_has_waited_for_the_device_has_its_time_limit_again_once_it_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A kernel that never ends would stop this worker for good, and all who wait behind it."""
    first, second = (multiprocessing.Pipe() for _ in range(2))
    has_it, goes_on, over = (threading.Event() for _ in range(3))
    work = {"first": lambda: has_it.set() or goes_on.wait(PATIENCE_S), "second": lambda: over.wait(PATIENCE_S)}
    monkeypatch.setattr(worker, "predict", lambda request, _, report, __, turn: turn(work[request.job_id], report))
    ended: list[WorkerDied] = []

    def ask() -> None:
        first[0].send(replace(REQUEST, job_id="first"))
        has_it.wait(PATIENCE_S)
        lane = Lane(Worker("cpu", 0), 0)
        try:
            lane._ask(None, second[0], replace(REQUEST, job_id="second", time_limit_s=0.3), lambda *_: goes_on.set())
        except WorkerDied as died:
            ended.append(died)
            over.set()
            second[0].recv()
        first[0].recv()
        first[0].close()
        second[0].close()

    parent = threading.Thread(target=ask)
    parent.start()
    worker.main([first[1], second[1]], "cpu", os.getppid())
    parent.join()
    assert [died.timed_out for died in ended] == [True]


def test_a_network_is_looked_into_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "predict", lambda *_: "a result")
    monkeypatch.setattr(worker, "explain", lambda request, *_: f"what {request.label} looked like")
    asked = ExplainRequest("job", "liver_tumour", {}, REQUEST.model, Path(), label=2)
    assert converse(asked)[-1] == ("result", "what 2 looked like")
    assert converse(REQUEST)[-1] == ("result", "a result")


def test_our_errors_keep_their_type() -> None:
    assert converse(REQUEST)[-1] == ("error", "Unfit", "The task liver_tumour also needs CT.")


def test_a_foreign_error_is_the_models_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def predict(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(worker, "predict", predict)
    kind, name, sentence = converse(REQUEST)[-1]
    assert (kind, name) == ("error", "ModelError")
    assert sentence.startswith("ZeroDivisionError at test_worker.py:")
    assert sentence.endswith(": by zero")


def test_foreign_code_that_wants_to_end_the_program_ends_its_job_alone() -> None:
    """As scripts of a bundle may: a thread would end by it without a word, and the job wait for its time limit."""

    def leave() -> None:
        raise SystemExit("no GPU here")

    kind, name, sentence = worker.outcome(leave)
    assert (kind, name) == ("error", "ModelError")
    assert sentence.startswith("SystemExit at test_worker.py:")
    assert sentence.endswith(": no GPU here")


def test_memory_that_does_not_suffice_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def predict(*_: object) -> None:
        raise torch.OutOfMemoryError("tried to allocate 2 GiB")

    monkeypatch.setattr(worker, "predict", predict)
    kind, name, sentence = converse(REQUEST)[-1]
    assert (kind, name) == ("error", "Exhausted")
    assert sentence.endswith(": tried to allocate 2 GiB")


def test_with_a_device_that_has_failed_it_ends_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each later job on it would fail as well; by its end, the job is tried again by another."""
    import torch

    def lose_it() -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA")

    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(worker.os, "_exit", end)
    with pytest.raises(SystemExit) as ended:
        worker.outcome(lose_it)
    assert ended.value.code == worker.DEVICE_FAILED
    assert caplog.messages == ["the device has failed: CUDA error: unspecified launch failure"]


def test_it_leaves_ctrl_c_to_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    converse(REQUEST)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
