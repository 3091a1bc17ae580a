"""How a command ends where what it prints goes nowhere: without a traceback, and not with 0."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import Any

import click

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Commands(click.Group):
    """Commands that end with 1: without a word where their reader has left, with a sentence where a disk is full."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """What click's does; standard output is empty and open at its end, so that Python has nothing to add."""
        if sys.stdout is None:  # `>&-`, as some schedulers start their programs: then nobody wants to read it
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (open as long as the process)
        try:
            try:
                return super().main(*args, **kwargs)
            finally:
                sys.stdout.flush()
        except OSError as lost:
            if lost.errno != errno.EPIPE and lost.errno not in NO_ROOM:
                raise
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would be tried once more
                if lost.errno in NO_ROOM:
                    click.echo(f"Error: {lost.strerror}, for what this command prints or writes", err=True)
            sys.exit(1)
