"""`segnode serve`: keeps the roles alive, each a process of its own that shares only the storage."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

ROLES = ("receive", "pipeline", "web", "clock")
RESTART_S = 1.0  # doubled for a role that keeps dying, up to RESTART_MAX_S
RESTART_MAX_S = 30.0
GRACE_S = 20.0
CONFIGURATION_EXIT = 2


@dataclass
class RoleProcess:
    """One role and how often it has died in a row."""

    role: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    started_at: float = 0.0
    due_at: float = 0.0

    def start(self, now: float) -> None:
        self.process = subprocess.Popen(self.command)
        self.started_at = now
        log.info("role started", extra={"role": self.role, "pid": self.process.pid})

    def watch(self, now: float) -> int | None:
        """Restart the role where it has died and is due; the exit code of a death that restarting cannot mend."""
        if self.process is None:
            if now >= self.due_at:
                self.start(now)
            return None
        code = self.process.poll()
        if code is None:
            return None
        if code == CONFIGURATION_EXIT:
            return code
        self.deaths = 1 if now - self.started_at > RESTART_MAX_S else self.deaths + 1
        wait = min(RESTART_MAX_S, RESTART_S * 2 ** (self.deaths - 1))
        log.error("role died", extra={"role": self.role, "exit_code": code, "restart_in_s": wait})
        self.process, self.due_at = None, now + wait
        return None


def role_command(role: str, conf: Path | None) -> list[str]:
    """The command line of one role's process, which is a child of this one."""
    command = [sys.executable, "-m", "dicom_node.cli", "role", role, "--supervisor", str(os.getpid())]
    return [*command, "--conf", str(conf)] if conf else command


def serve(roles: Sequence[str], conf: Path | None) -> int:
    """Run `roles` until SIGTERM or SIGINT; returns the exit code.

    A role that dies is started again, with growing pauses. A role that finds its configuration wrong
    ends the node: starting it again would not mend that.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    processes = [RoleProcess(role, role_command(role, conf)) for role in roles]
    code = 0
    while not stop.is_set():
        for process in processes:
            ended = process.watch(time.monotonic())
            if ended is not None:
                code = ended
                stop.set()
        stop.wait(0.2)
    _end([p.process for p in processes if p.process is not None])
    return code


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask every process to end, then insist after a grace."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("role did not end in time and is killed", extra={"pid": process.pid})
            process.kill()
            process.wait()


def die_with(supervisor: int) -> None:
    """Ask the kernel for SIGTERM when our parent `supervisor` dies, so that no role outlives it (Linux only)."""
    if sys.platform != "linux":
        return
    import ctypes

    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)
