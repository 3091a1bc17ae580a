"""A folder for files that one process writes and reads itself: images of patients, so nothing stays when it is killed.

Its owner holds a lock there, which the kernel lets go however the process ends. What nobody holds is cleared.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

PREFIX = "segnode-bundle-"
LOCK, FILES = "lock", "files"


class OwnFolder:
    """An empty folder `path`, among the temporary files; it goes with this object or, later, by `clear_abandoned`."""

    def __init__(self) -> None:
        self._whole = tempfile.TemporaryDirectory(prefix=PREFIX)
        lock = os.open(Path(self._whole.name, LOCK), os.O_RDWR | os.O_CREAT)
        weakref.finalize(self, os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.path = Path(self._whole.name, FILES)
        self.path.mkdir()  # last: before it is locked, nobody takes it for abandoned


def clear_abandoned() -> None:
    """Take away the folders of processes that have ended without doing so: killed ones."""
    for files in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{FILES}"):
        with suppress(OSError):  # a living process has it, or another user
            lock = os.open(files.with_name(LOCK), os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(files.parent)
            finally:
                os.close(lock)
