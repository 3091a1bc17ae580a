"""`segnode conformance` writes the statement of the configuration that it is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicom_node.cli import main as cli


@pytest.fixture
def run(conf: Path):
    with (conf / "node.yaml").open("a") as file:
        file.write("port: 11999\n")

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli.main, ["conformance", *words, "--conf", str(conf)], catch_exceptions=False)

    return run


def test_it_is_printed_as_markdown_or_written(run, tmp_path: Path) -> None:
    printed = run()
    assert printed.exit_code == 0
    assert printed.output.startswith("# DICOM conformance statement of SEGNODE\n")
    assert "- Listens on: 127.0.0.1:11999" in printed.output
    assert run("--out", str(tmp_path / "statement.md")).output == ""
    assert (tmp_path / "statement.md").read_text() == printed.output


def test_scripts_read_its_contexts(run) -> None:
    told = json.loads(run("--json").output)
    assert {"Verification SOP Class", "CT Image Storage"} <= {one["name"] for one in told["accepted"]}
    assert told["proposed"] == []


@pytest.mark.slow
def test_it_is_written_as_pdf(run, tmp_path: Path) -> None:
    assert run("--pdf", str(tmp_path / "statement.pdf")).output == ""
    assert (tmp_path / "statement.pdf").read_bytes().startswith(b"%PDF-")
