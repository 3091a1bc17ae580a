"""The table of `segnode watch` (dicom_node.cli.watch): where each study is, whose it is not, at any width."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from dicom_node.assembly import Parts
from dicom_node.cli.main import main
from dicom_node.terminal.watching import screen, table

LINE = {"received_at": 1000.0, "description": "CT Abdomen", "study": "1.2.3", "modalities": ["CT"], "images": 40,
        "state": "DISPATCHED", "time_to_result_s": None, "jobs": [], "deliveries": []}  # fmt: skip


def job(state: str, **more: Any) -> dict[str, Any]:
    return {"job": "j", "state": state, "step": "", "progress": None, "route": "liver-tumour", "model": "net"} | more


def shown(line: dict[str, Any], width: int = 160) -> str:
    out = Console(width=width, force_terminal=False)
    with out.capture() as capture:
        out.print(table([line], 1090.0, width))
    return capture.get()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"state": "RECEIVING"}, ("CT Abdomen", "40", "receive", "2 min …")),
        ({"state": "NOT_ROUTED"}, ("no route",)),
        ({"jobs": [job("PENDING")]}, ("waits", "liver-tumour", "net")),
        ({"jobs": [job("RUNNING", step="network", progress=0.5)]}, ("50 % network", "━")),
        ({"jobs": [job("REFUSED")]}, ("refused",)),
        (
            {
                "jobs": [job("DONE")],
                "time_to_result_s": 41.0,
                "deliveries": [{"job": "j", "destination": "pacs", "state": "SENT"}],
            },
            ("done", "41 s", "pacs SENT"),
        ),
    ],
)
def test_where_a_study_is(line: dict[str, Any], words: tuple[str, ...]) -> None:
    text = shown(LINE | line)
    assert all(word in text for word in words), text


def test_a_strangers_description_is_no_markup_and_moves_no_cursor() -> None:
    text = shown(LINE | {"description": "[bold]Brain[/] \x1b[2J"})
    assert "[bold]Brain[/]" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("width", [50, 80, 100, 200])
def test_on_a_narrow_terminal_what_matters_is_still_to_be_read(width: int) -> None:
    sent = [{"job": "j", "destination": "pacs", "state": "COMMITTED"}]
    running = job("RUNNING", step="a step with a long name", progress=0.5)
    text = shown(LINE | {"jobs": [running], "deliveries": sent}, width)
    assert max(map(len, text.splitlines())) <= width
    assert "50 % a s" in text
    assert "pacs COMMITTED" in text
    assert ("net" in text) is (width > 100)


def test_it_shows_what_is_in_the_database_and_nobodys_name(story: Parts) -> None:
    out = Console(width=160)
    with out.capture() as capture:
        out.print(screen(story.database, 10, time.time(), 160))
    text = capture.get()
    assert "the node is not running" in text
    assert "DEAD" in text
    assert "Doe" not in text


def test_once_prints_one_table_and_ends(story: Parts, conf: Path) -> None:
    done = CliRunner().invoke(main, ["watch", "--once", "--conf", str(conf)])
    assert done.exit_code == 0, done.output
    assert "refused" in done.output


def test_it_goes_on_until_ctrl_c(story: Parts, conf: Path) -> None:
    code = (  # tests that run in the background of a shell inherit that Ctrl-C counts for nothing
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys; from rich.console import Console; import dicom_node.terminal.present as present\n"
        "present.console = lambda: Console(force_terminal=True, width=120, height=30)\n"
        "from dicom_node.cli.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "watch", "--conf", str(conf)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        seen = b""
        while b"refused" not in seen and process.poll() is None:
            seen += process.stdout.read1()
        process.send_signal(signal.SIGINT)
        rest, errors = process.stdout.read(), process.stderr.read()
    assert process.returncode == 0, errors
    assert b"\x1b[?1049l" in rest, "the screen of before is back"
    assert errors == b""
