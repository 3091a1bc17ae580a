"""`segnode serve`: keeps the roles alive, each a process of its own that shares only the storage.

A role is forked from this process, which has loaded what all of them need: they listen sooner, and share that memory.
This one opens no connection, file or thread of its own before. (Where forking is not safe, as on macOS, it is started.)
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

from dicom_node.log import tell_of_threads

log = logging.getLogger(__name__)

ROLES = ("receive", "pipeline", "web", "clock")
RESTART_S = 1.0  # doubled for a role that keeps dying, up to RESTART_MAX_S
RESTART_MAX_S = 30.0
LAST_WORD_S = 15.0  # for a role, after its drain_s: leases handed back, the audit trail, the database
CONFIGURATION_EXIT = 2
if sys.platform == "linux":
    PROCESS: type[BaseProcess] = multiprocessing.get_context("fork").Process
else:
    PROCESS = multiprocessing.get_context("spawn").Process


@dataclass
class RoleProcess:
    """One role, what it does in its process, and how often that has died in a row."""

    role: str
    run: Callable[[], None]
    process: BaseProcess | None = None
    deaths: int = 0
    started_at: float = 0.0
    due_at: float = 0.0

    def start(self, now: float) -> None:
        self.process = PROCESS(target=_in_child, args=(self.role, self.run, os.getpid()), name=self.role)
        self.process.start()
        self.started_at = now
        log.info("role started", extra={"role": self.role, "pid": self.process.pid})

    def watch(self, now: float) -> int | None:
        """Restart the role where it has died and is due; the exit code where its configuration never was good.

        A role that has run is started again also where the files have mistakes by now: others still use what they
        said before, and work.
        """
        if self.process is None:
            if now >= self.due_at:
                self.start(now)
            return None
        code = self.process.exitcode
        if code is None:
            return None
        lived = now - self.started_at > RESTART_MAX_S
        if code == CONFIGURATION_EXIT and not self.deaths and not lived:
            return code
        self.deaths = 1 if lived else self.deaths + 1
        wait = min(RESTART_MAX_S, RESTART_S * 2 ** (self.deaths - 1))
        log.error("role died", extra={"role": self.role, "exit_code": code, "restart_in_s": wait})
        self.process, self.due_at = None, now + wait
        return None


def _in_child(role: str, run: Callable[[], None], supervisor: int) -> None:
    """The role's process, which the signals of its supervisor end; what a closing terminal means is for that one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # …and so do the processes that it starts
    call_it(f"segnode {role}")
    die_with(supervisor)
    tell_of_threads()
    try:
        run()
    except Exception:
        log.critical("a fault that nobody foresaw ended the role", exc_info=True, extra={"role": role})
        sys.exit(1)


def run_by_command(role: str, conf: Path | None) -> None:
    """What `segnode role` does: run one role in this process, and end it with the exit code."""
    from dicom_node.cli.main import main

    main(["role", role, *(["--conf", str(conf)] if conf else [])])


def serve(
    roles: Sequence[str],
    conf: Path | None,
    run: Callable[[str, Path | None], None] = run_by_command,
    *,
    drain_s: float = 0.0,
) -> int:
    """Run `roles` until SIGTERM or SIGINT, then let them end their work for `drain_s` and a little; the exit code.

    SIGHUP ends it as well where it was started in a terminal, which has closed then; elsewhere it is only logged, since
    systemd would take that end for one that was wanted. A role that dies is started again, with growing pauses. One
    that finds its configuration wrong at its first start ends the node: starting it again would not mend that.
    """
    stop, hung_up = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        end = stop if os.isatty(0) else hung_up
        signal.signal(signal.SIGHUP, lambda *_: end.set())
    processes = [RoleProcess(role, partial(run, role, conf)) for role in roles]
    code = 0
    while not stop.is_set():
        for process in processes:
            ended = process.watch(time.monotonic())
            if ended is not None:
                code = ended
                stop.set()
        if hung_up.is_set():
            hung_up.clear()
            log.warning("SIGHUP changes nothing: a changed configuration is used by itself, and SIGTERM ends the node")
        stop.wait(0.2)
    _end([p.process for p in processes if p.process is not None], drain_s + LAST_WORD_S)
    return code


def _end(processes: Sequence[BaseProcess], grace_s: float) -> None:
    """Ask every process to end, then insist after `grace_s`."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + grace_s
    for process in processes:
        process.join(max(0.1, deadline - time.monotonic()))
        if process.is_alive():
            log.warning("role did not end in time and is killed", extra={"pid": process.pid})
            process.kill()
            process.join()


def die_with(supervisor: int) -> None:
    """Ask the kernel for SIGTERM when our parent `supervisor` dies, so that no role outlives it (Linux only)."""
    if sys.platform != "linux":
        return
    import ctypes

    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # it died before we asked
        os.kill(os.getpid(), signal.SIGTERM)


def call_it(name: str) -> None:
    """The name of this process as `ps -e` and `top` show it, cut to 15 characters (Linux only)."""
    if sys.platform != "linux":
        return
    import ctypes

    PR_SET_NAME = 15
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode()[:15])
