"""What a command prints may go nowhere: to a reader that has left, a disk that is full, or nobody at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dicom_node.cli.main import main

COMMANDS = [["check", "--no-echo", "--conf"], ["check", "--no-echo", "--json", "--conf"]]


def ended(command: str, conf: Path, given: list[str], unbuffered: str = "") -> tuple[int, str]:
    """Exit code and standard error of a line for the shell, where SEGNODE stands for `segnode` with what is given."""
    line = command.replace("SEGNODE", f"{sys.executable} -m dicom_node {' '.join(given)} {conf}")
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False, env=environment
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("given", COMMANDS, ids=["lines", "json"])
def test_a_reader_that_has_left_ends_it_without_a_word(conf: Path, given: list[str]) -> None:
    assert ended("SEGNODE | true", conf, given) == (1, "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("given", COMMANDS, ids=["lines", "json"])
def test_a_full_device_is_a_sentence(conf: Path, given: list[str], unbuffered: str) -> None:
    said = "Error: No space left on device, for what this command prints or writes\n"
    assert ended("SEGNODE > /dev/full", conf, given, unbuffered) == (1, said)


def test_a_full_device_is_a_sentence_for_help_as_well(conf: Path) -> None:
    code, said = ended("SEGNODE > /dev/full", conf, ["--help"])
    assert (code, said.count("\n")) == (1, 1)


@pytest.mark.parametrize("given", COMMANDS, ids=["lines", "json"])
def test_without_an_output_it_does_its_work(conf: Path, given: list[str]) -> None:
    assert ended("SEGNODE >&-", conf, given) == (0, "")


def test_what_else_fails_is_not_taken_for_it(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("dicom_node.checking.check.check", fails)
    with pytest.raises(OSError, match="Input/output error"):
        main(["check", "--conf", str(conf)])
