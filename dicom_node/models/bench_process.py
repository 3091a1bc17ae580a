"""`segnode models bench` as a process of its own, which ends with this one and lasts so long at most."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dicom_node.errors import NotTried


def bench(name: str, conf: Path | None, limit_s: float) -> Mapping[str, Any]:
    """What the command says of a model, as it says it to scripts. NotTried where it fails or takes longer."""
    command = [sys.executable, "-m", "dicom_node.cli", "models", "bench", name, "--json"]
    command += ["--supervisor", str(os.getpid()), *(["--conf", str(conf)] if conf else [])]
    return answer_of(command, limit_s)


def answer_of(command: list[str], limit_s: float) -> Mapping[str, Any]:
    """The JSON object that a command prints last. It is killed after `limit_s`, with every process that it started."""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            said, complained = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise NotTried(f"it took longer than {limit_s:g} s and was ended") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        last = next((line for line in reversed(complained.splitlines()) if line.strip()), "it said nothing")
        raise NotTried(f"{last.removeprefix('Error: ')} (exit code {process.returncode})")
    begin = f"\n{said}".rfind("\n{")  # a model's own code may print what it likes before
    try:
        answer = json.loads(said[max(begin, 0) :])
    except ValueError as fault:
        raise NotTried("its answer is not understood") from fault
    return dict(answer)
