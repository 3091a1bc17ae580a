"""No process has another's name, not even one with its number on a host of that name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from dicom_node.this_process import this_process


def test_it_is_host_number_and_a_word() -> None:
    host, pid, word = this_process().rsplit(":", 2)
    assert (host, int(pid), len(word)) == (socket.gethostname(), os.getpid(), 8)
    assert this_process() == this_process()


def test_one_that_comes_later_has_another_word() -> None:
    code = "from dicom_node.this_process import this_process, _word; print(this_process(), _word(1))"
    told = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
            for _ in range(2)]  # fmt: skip
    assert told[0][1] != told[1][1], "also where the number is the same, as it is in a container that is started again"


def test_a_forked_role_is_another_process_than_its_supervisor() -> None:
    ours = this_process()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, this_process().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        theirs = told.read()
    assert theirs.rsplit(":", 1)[1] != ours.rsplit(":", 1)[1]
