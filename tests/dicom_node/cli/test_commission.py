"""`segnode commission` where something is wrong before it begins: one sentence, an exit code, no page."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dicom_node.assembly import Parts
from dicom_node.cli.main import main

Commission = Callable[..., Result]

PACS = "  {name}: {{kind: dimse, ae_title: PACS, host: 127.0.0.1, port: 1}}\n"


@pytest.fixture
def commission(conf: Path, tmp_path: Path) -> Commission:
    """Runs it on the small configuration, with two destinations that are a PACS."""
    with (conf / "node.yaml").open("a") as file:
        file.write(PACS.format(name="pacs") + PACS.format(name="other"))

    def run(*args: str) -> Result:
        command = ["commission", "--conf", str(conf), "--out", str(tmp_path / "out.pdf"), *args]
        result = CliRunner().invoke(main, command)
        assert not (tmp_path / "out.pdf").exists()
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        ((), 2, "say which PACS with --pacs; known in node.yaml: other, pacs"),
        (("--pacs", "nowhere"), 2, "'nowhere' is no destination that is a PACS; known in node.yaml: other, pacs"),
        (("--pacs", "share"), 2, "--pacs 'share' is no destination that is a PACS"),
        (("--pacs", "pacs"), 1, "no route sends results of a task that has phantoms to pacs"),
        (("--pacs", "pacs", "--tasks", "spleen"), 2, "unknown tasks: spleen; allowed: brain_tumour"),
        (("--pacs", "pacs", "--tasks", "liver_tumour"), 1, "the node is not running: no sign of receive and pipeline"),
    ],
)
def test_a_sentence_says_what_is_wrong(
    story: Parts, commission: Commission, args: tuple[str, ...], code: int, sentence: str
) -> None:
    result = commission(*args)
    assert result.exit_code == code, result.output
    assert sentence in result.output


def test_where_the_page_cannot_lie_is_told_at_once(story: Parts, commission: Commission, tmp_path: Path) -> None:
    result = commission("--pacs", "pacs", "--out", str(tmp_path / "nowhere" / "out.pdf"))
    assert result.exit_code == 2
    assert "there is no folder" in result.output


def test_a_page_that_may_not_be_written_is_told_before_anything_is_played(
    story: Parts, commission: Commission, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's `segnode` works as the user segnode, who may not write where root is: half an hour would be lost."""
    locked = tmp_path / "locked"
    locked.mkdir()
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != locked)  # root may, as whom tests may run
    result = commission("--pacs", "pacs", "--tasks", "liver_tumour", "--out", str(locked / "out.pdf"))
    assert result.exit_code == 2
    assert f"folder {locked} cannot be written to by the user who runs this" in result.output


def test_without_a_node_that_has_ever_run_there_is_nothing_to_commission(commission: Commission) -> None:
    result = commission("--pacs", "pacs")
    assert result.exit_code == 1
    assert "database" in result.output
