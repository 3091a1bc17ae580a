"""A PostgreSQL of one's own, from Debian's package: without network, without fsync unless asked, gone at the end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PrivatePostgres:
    """Called with a database's name it gives its URL."""

    folder: Path
    binaries: Path
    settings: tuple[str, ...] = ()

    def __call__(self, name: str) -> str:
        return f"postgresql://segnode@/{name}?host={self.folder}"

    def start(self) -> None:
        ours = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=100")
        options = f"-k {self.folder} " + " ".join(f"-c {setting}" for setting in (*ours, *self.settings))
        self._control("-l", str(self.folder / "log"), "-w", "-o", options, "start")

    def stop(self, mode: str) -> None:
        self._control("-m", mode, "stop")

    def restart(self) -> None:
        """End it at once, as a crash does: every session ends, what was committed comes back."""
        self.stop("immediate")
        self.start()

    def _control(self, *words: str) -> None:
        _as_postgres(str(self.binaries / "pg_ctl"), "-D", str(self.folder / "data"), *words)


@contextmanager
def running_postgres(*settings: str) -> Iterator[PrivatePostgres]:
    """Runs until the end of the block; `settings` ("fsync=on") have the last word."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="segnode-pg-"))  # a socket's path is short
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    kind = ("-U", "segnode", "-A", "trust", "-E", "UTF8", "--no-sync")
    _as_postgres(str(binaries / "initdb"), "-D", str(folder / "data"), *kind)
    server = PrivatePostgres(folder, binaries, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop("immediate")
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
