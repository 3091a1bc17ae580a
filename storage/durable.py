"""What power loss must not take: fsync of files, and of the names in a folder."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Make a file's bytes or a folder's names durable; syncing a file alone keeps its bytes, not its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
