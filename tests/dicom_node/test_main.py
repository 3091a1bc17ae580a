"""`python -m dicom_node` (dicom_node.__main__) is `segnode`."""

from __future__ import annotations

import subprocess
import sys

from dicom_node.cli.main import main


def test_it_is_the_command_line() -> None:
    done = subprocess.run([sys.executable, "-m", "dicom_node", "--help"], capture_output=True, text=True, check=True)
    told = {line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    assert told == {name for name, command in main.commands.items() if not command.hidden}
