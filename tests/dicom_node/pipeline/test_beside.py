"""What works beside a block begins and ends with it, however the block ends."""

from __future__ import annotations

import threading

import pytest

from dicom_node.pipeline.beside import Beside


class Waiting(Beside):
    def __init__(self) -> None:
        super().__init__("waiting")
        self.began, self.ended = threading.Event(), threading.Event()

    def _work(self) -> None:
        self.began.set()
        self._stop.wait()
        self.ended.set()


def test_it_runs_as_long_as_the_block() -> None:
    with Waiting() as beside:
        assert beside.began.wait(10)
        assert not beside.ended.is_set()
    assert beside.ended.is_set()


def test_a_fault_in_the_block_ends_it_too() -> None:
    beside = Waiting()
    with pytest.raises(ValueError, match="of the block"), beside:
        raise ValueError("of the block")
    assert beside.ended.is_set()
