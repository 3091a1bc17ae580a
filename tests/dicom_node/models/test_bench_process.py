"""The command that tries a model runs apart: its answer, its complaint, its limit."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from dicom_node.errors import NotTried
from dicom_node.models.bench_process import answer_of, bench


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def test_the_last_object_that_it_prints_is_its_answer() -> None:
    assert answer_of(python("print('loading {'); print('{\"a\": {'); print('\"b\": 1}}')"), 60.0) == {"a": {"b": 1}}


@pytest.mark.parametrize(("code", "reason"), [
    ("import sys; sys.exit('Error: out of memory\\n')", r"^out of memory \(exit code 1\)$"),
    ("import os; os.abort()", r"^it said nothing \(exit code -6\)$"),
    ("print('done')", "its answer is not understood"),
])
def test_why_it_gave_none_is_told(code: str, reason: str) -> None:
    with pytest.raises(NotTried, match=reason):
        answer_of(python(code), 60.0)


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    child = f"import time; from pathlib import Path; time.sleep(0.7); Path({str(alive)!r}).touch()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {child!r}])"
    with pytest.raises(NotTried, match=r"longer than 0\.3 s"):
        answer_of(python(code), 0.3)
    time.sleep(0.6)
    assert not alive.exists()


def test_the_command_line_is_asked_as_it_answers(conf: Path) -> None:
    with pytest.raises(NotTried, match="there is no model nobody; known: bright"):
        bench("nobody", conf, 120.0)
