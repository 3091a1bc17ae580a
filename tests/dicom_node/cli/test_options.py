"""What the commands share: one sentence for an error, and the right exit code."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dicom_node.cli.options import TASK_NAMES, aet_option, open_storage, peer_and_title, peer_called, plainly
from dicom_node.errors import ConfigurationError, Unreachable
from inference.tasks import TASKS
from storage.errors import NotFound


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigurationError(["first", "second"]), 2, "first\nsecond\n"),
        (Unreachable("nobody there"), 1, "Error: nobody there\n"),
        (NotFound("no study 1.2"), 1, "Error: no study 1.2\n"),
        (PermissionError(13, "Permission denied", "/data/segnode.sqlite"), 1,
         "Error: Permission denied: /data/segnode.sqlite\n"),
    ],
)
def test_errors_become_sentences(error: Exception, code: int, told: str) -> None:
    @click.command()
    @plainly
    def command() -> None:
        raise error

    done = CliRunner().invoke(command)
    assert (done.exit_code, done.output) == (code, told)


@pytest.mark.parametrize("title", ["", " X", "A\\B", "A" * 17])
def test_an_ae_title_has_its_form(title: str) -> None:
    @click.command()
    @aet_option
    def command(aet: str) -> None:
        """Take a title."""

    assert CliRunner().invoke(command, ["--aet", title]).exit_code == 2


def test_a_peer_is_an_address_or_a_name(conf: Path) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write("peers:\n  ct1: {ae_title: CT1, host: h, port: 104}\n")
    assert str(peer_called("127.0.0.1:104:PACS", None)) == "PACS@127.0.0.1:104"
    assert str(peer_called("ct1", conf)) == "CT1@h:104"
    with pytest.raises(click.UsageError, match=r"neither HOST:PORT:AET nor the name of a peer .*known: ct1"):
        peer_called("ct2", conf)


def test_a_destination_is_a_peer_unless_a_peer_has_its_name(conf: Path) -> None:
    node = (conf / "node.yaml").read_text().replace("ae_title: SEGNODE", "ae_title: TUMOURS")
    (conf / "node.yaml").write_text(
        f"{node}  pacs: {{kind: dimse, ae_title: PACS, host: h, port: 104, calling_ae_title: SEG_SENDER}}\n"
        "  ct1: {kind: dimse, ae_title: OTHER, host: h, port: 104, calling_ae_title: SEG_SENDER}\n"
        "peers:\n  ct1: {ae_title: CT1, host: h, port: 104}\n"
    )
    assert (str(peer_called("pacs", conf)), str(peer_called("ct1", conf))) == ("PACS@h:104", "CT1@h:104")
    with pytest.raises(click.UsageError, match=r"known: ct1, pacs"):
        peer_called("share", conf)  # a folder
    assert peer_and_title("pacs", conf, None) == (peer_called("pacs", conf), "SEG_SENDER")
    assert [peer_and_title(one, conf, None)[1] for one in ("ct1", "h:104:PACS")] == ["TUMOURS", "TUMOURS"]
    assert peer_and_title("pacs", conf, "CT9")[1] == "CT9"


def test_storage_that_is_not_there_is_not_made(conf: Path) -> None:
    with pytest.raises(NotFound), open_storage(conf):
        pass


def test_commands_take_every_task_that_there_is() -> None:
    assert set(TASK_NAMES.choices) == set(TASKS)
