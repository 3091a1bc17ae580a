"""How full the disk may become. What is stored is deleted by nobody yet but a person."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


def free_space(root: Path) -> int:
    """Bytes that this program may still write on the disk of `root`."""
    return shutil.disk_usage(root).free


@dataclass(frozen=True)
class Watermarks:
    """Below `low_bytes` of free space nothing new is taken, so that what is here can still be finished."""

    low_bytes: int = 512 * MIB

    def refuse_new(self, root: Path) -> bool:
        return free_space(root) < self.low_bytes
