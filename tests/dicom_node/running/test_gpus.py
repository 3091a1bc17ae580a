"""GPU memory as the driver's tool tells it; the tool is played."""

from __future__ import annotations

import threading
import time

import pytest

from dicom_node.running.gpus import Gpu, Gpus, read_gpus

TOLD = "0, NVIDIA A30, 512, 24576, 37\n1, NVIDIA A30, 0, 24576, [N/A]\n2, MIG, [N/A], [N/A], [N/A]\n"


def test_memory_in_bytes_and_none_of_what_is_not_told() -> None:
    first, second = read_gpus(["printf", TOLD])
    assert first == Gpu(0, "NVIDIA A30", 512 << 20, 24576 << 20, 0.37)
    assert second.busy is None


@pytest.mark.parametrize("command", [["false"], ["no-such-tool"]])
def test_a_tool_that_does_not_answer_tells_none(command: list[str]) -> None:
    assert read_gpus(command) == []


def test_it_is_read_beside_the_work() -> None:
    gpus, stop = Gpus(["printf", TOLD], every_s=60), threading.Event()
    gpus.start(stop)
    deadline = time.monotonic() + 10
    while not gpus.state() and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    assert [one["number"] for one in gpus.state()] == [0, 1]
