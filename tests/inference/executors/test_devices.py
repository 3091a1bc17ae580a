"""Devices are found without torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.executors import devices
from inference.executors.devices import numbered, resolve, visible_gpus


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver that shows two GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for address in ("0000:3b:00.0", "0000:af:00.0"):
        (tmp_path / address).mkdir()
    return tmp_path


def test_auto_is_every_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "visible_gpus", lambda: 2)
    assert resolve("auto") == ("cuda:0", "cuda:1")


def test_auto_is_the_cpu_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "visible_gpus", lambda: 0)
    assert resolve("auto") == ("cpu",)


@pytest.mark.parametrize("named", [("cuda:1", "cpu"), ("cuda",), ("cpu",)])
def test_names_stay_as_they_are(named: tuple[str, ...]) -> None:
    assert resolve(named) == named


def test_one_name_is_a_list_of_one() -> None:
    assert resolve("cuda:3") == ("cuda:3",)


@pytest.mark.parametrize("wrong", ["gpu", "cuda:", "cuda:x", "CPU", ""])
def test_a_wrong_name_is_told(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no device; allowed: auto, cpu, cuda:0"):
        resolve([wrong])


def test_gpus_are_those_of_the_driver(proc: Path) -> None:
    assert visible_gpus(proc) == 2


def test_without_a_driver_there_is_none(tmp_path: Path) -> None:
    assert visible_gpus(tmp_path / "nowhere") == 0


@pytest.mark.parametrize(
    ("visible", "count"), [("0", 1), ("0,1", 2), ("1,0,7", 2), ("", 0), ("-1", 0), ("GPU-8a56a4bc", 1)]
)
def test_hidden_ones_do_not_count(proc: Path, monkeypatch: pytest.MonkeyPatch, visible: str, count: int) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus(proc) == count


def test_several_processes_of_one_device_are_told_apart() -> None:
    told = numbered([("cpu", 7), ("cuda:0", 8), ("cpu", 9), ("cpu", 10)])
    assert told == {"cpu": 7, "cuda:0": 8, "cpu #2": 9, "cpu #3": 10}
