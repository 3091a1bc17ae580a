"""How much memory the GPUs have and use, as the driver's own tool tells it: this process need load no CUDA for that."""

from __future__ import annotations

import logging
import shutil
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass

log = logging.getLogger(__name__)

TOOL = "nvidia-smi"
QUERY = ("--query-gpu=index,name,memory.used,memory.total,utilization.gpu", "--format=csv,noheader,nounits")
EVERY_S = 15.0
PATIENCE_S = 10.0
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Gpu:
    """One GPU; memory in bytes, `busy` is the driver's utilization, 0 to 1 (None: not told)."""

    number: int
    name: str
    used_bytes: int
    total_bytes: int
    busy: float | None = None


def read_gpus(command: Sequence[str] = (TOOL, *QUERY)) -> list[Gpu]:
    """Every GPU of this machine; none where the tool does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_S)
    except (OSError, subprocess.SubprocessError) as trouble:
        log.warning("GPU memory is not known: %s", type(trouble).__name__)
        return []
    return [gpu for line in done.stdout.splitlines() if (gpu := _gpu(line)) is not None]


class Gpus:
    """Reads them from time to time in a thread of its own, where there are any."""

    def __init__(self, command: Sequence[str] = (TOOL, *QUERY), every_s: float = EVERY_S) -> None:
        self._command = command
        self._every_s = every_s
        self._last: list[Gpu] = []

    def start(self, stop: threading.Event) -> None:
        """Begin, until `stop`; nothing is done where the tool is not installed."""
        if shutil.which(self._command[0]) is not None:
            threading.Thread(target=self._run, args=(stop,), name="gpus", daemon=True).start()

    def state(self) -> list[dict[str, object]]:
        """As last read, for the heartbeat."""
        return [asdict(gpu) for gpu in self._last]

    def _run(self, stop: threading.Event) -> None:
        while True:
            self._last = read_gpus(self._command)
            if stop.wait(self._every_s):
                return


def _gpu(line: str) -> Gpu | None:
    """A line of the tool; None where it does not tell the memory, as of a GPU that is cut into parts."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 5 or not all(parts[n].isdigit() for n in (0, 2, 3)):
        return None
    busy = int(parts[4]) / 100 if parts[4].isdigit() else None
    return Gpu(int(parts[0]), parts[1], int(parts[2]) * MEBIBYTE, int(parts[3]) * MEBIBYTE, busy)
