"""A PostgreSQL of one's own, from Debian's package: without network, without fsync unless asked, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def running_postgres(*settings: str) -> Iterator[Callable[[str], str]]:
    """Gives a function that makes a database's URL of its name; `settings` ("fsync=on") have the last word."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="segnode-pg-"))  # a socket's path is short
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    data = folder / "data"
    _as_postgres(str(binaries / "initdb"), "-D", str(data), "-U", "segnode", "-A", "trust", "-E", "UTF8", "--no-sync")
    ours = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=60")
    options = f"-k {folder} " + " ".join(f"-c {setting}" for setting in (*ours, *settings))
    server = str(binaries / "pg_ctl")
    _as_postgres(server, "-D", str(data), "-l", str(folder / "log"), "-w", "-o", options, "start")
    try:
        yield lambda name: f"postgresql://segnode@/{name}?host={folder}"
    finally:
        _as_postgres(server, "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    assert found, "PostgreSQL is missing: install the Debian package postgresql"
    return found[-1].parent


def _as_postgres(*command: str) -> None:
    """PostgreSQL refuses to run as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    done = subprocess.run([*prefix, *command], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
