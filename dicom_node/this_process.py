"""The name under which this process holds leases: no process before or beside it has the same, on any machine."""

from __future__ import annotations

import os
import socket
from functools import cache


def this_process() -> str:
    """Host, number and a random word: in containers hosts and numbers come again with each start."""
    return f"{socket.gethostname()}:{os.getpid()}:{_word(os.getpid())}"


@cache
def _word(pid: int) -> str:  # noqa: ARG001 (a forked process is another)
    return os.urandom(4).hex()
