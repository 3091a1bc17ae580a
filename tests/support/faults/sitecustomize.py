"""Loaded by every Python process that has this folder on its path: disks and databases that fail now and then.

`TEST_FAULT_SHARE` is the share of calls that fail: fsync, rename and opening for writing below `TEST_FAULT_ROOT` with
ENOSPC or EIO, statements of SQLite with "database is locked" or "disk I/O error".
"""

import errno
import os
import random
import sqlite3
from pathlib import Path

SHARE = float(os.environ.get("TEST_FAULT_SHARE", "0"))
ROOT = os.environ.get("TEST_FAULT_ROOT", "/nowhere")


def _strikes() -> bool:
    return random.random() < SHARE


def _disk_fault() -> OSError:
    number = random.choice((errno.ENOSPC, errno.EIO))
    return OSError(number, os.strerror(number))


def _fsync(descriptor: int, real=os.fsync) -> None:
    if _strikes():
        raise _disk_fault()
    real(descriptor)


def _replace(path: Path, target: Path, real=Path.replace) -> Path:
    if str(path).startswith(ROOT) and _strikes():
        raise _disk_fault()
    return real(path, target)


def _open(path: Path, mode: str = "r", *args, real=Path.open, **kwargs):
    if "r" not in mode and str(path).startswith(ROOT) and _strikes():
        raise _disk_fault()
    return real(path, mode, *args, **kwargs)


class _Cursor(sqlite3.Cursor):
    def execute(self, *args):
        if _strikes():
            raise sqlite3.OperationalError(random.choice(("database is locked", "disk I/O error")))
        return super().execute(*args)


class _Connection(sqlite3.Connection):
    def cursor(self, factory=_Cursor):
        return super().cursor(factory)


def _connect(*args, real=sqlite3.connect, **kwargs):
    return real(*args, **{"factory": _Connection} | kwargs)


if SHARE:
    os.fsync, Path.replace, Path.open = _fsync, _replace, _open
    sqlite3.connect = sqlite3.dbapi2.connect = _connect
