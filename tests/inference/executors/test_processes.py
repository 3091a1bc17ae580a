"""Which device a job is given; the rest stands in tests/contracts/test_executors.py."""

from __future__ import annotations

from inference.executors.processes import Processes


def test_a_gpu_is_kept_busy_by_more_jobs_than_a_cpu() -> None:
    assert [Processes(devices).slots for devices in ("cpu", ["cuda:0"], ["cuda:0", "cuda:1"])] == [2, 4, 8]


def test_a_job_is_given_to_the_device_that_has_least_to_do() -> None:
    executor = Processes(["cuda:0", "cuda:1"], at_a_time=2)
    assert executor.slots == 4
    executor._free += executor._lanes
    first, second = executor._taken(), executor._taken()
    assert {first.worker.device, second.worker.device} == {"cuda:0", "cuda:1"}
    executor._free.append(first)
    assert executor._taken().worker is first.worker, "the other one is busy"
