"""Which devices this machine has, asked of the operating system: the processes that ask load no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

DEVICE_NAME = re.compile(r"cpu|cuda(:\d+)?")


def resolve(devices: str | Sequence[str]) -> tuple[str, ...]:
    """Device names for `auto` or a list: every visible NVIDIA GPU, else the CPU. ValueError names a wrong one."""
    if devices == "auto":
        return tuple(f"cuda:{index}" for index in range(visible_gpus())) or ("cpu",)
    named = (devices,) if isinstance(devices, str) else tuple(devices)
    for name in named:
        if not DEVICE_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no device; allowed: auto, cpu, cuda:0, cuda:1, …")
    return named


def numbered(pids: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Process ids by what they have; of several that have the same, all but the first with a number."""
    found: dict[str, int] = {}
    for name, pid in pids:
        alike = sum(other.partition(" #")[0] == name for other in found)
        found[f"{name} #{alike + 1}" if alike else name] = pid
    return found


def visible_gpus(proc: Path = Path("/proc/driver/nvidia/gpus")) -> int:
    """How many NVIDIA GPUs the driver shows, less those that CUDA_VISIBLE_DEVICES hides."""
    present = sum(1 for _ in proc.iterdir()) if proc.is_dir() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return present
    return min(present, len([name for name in visible.split(",") if name.strip() not in ("", "-1")]))
