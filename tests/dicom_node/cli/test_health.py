"""`segnode health` answers a probe by its exit code, and says why."""

from __future__ import annotations

import os
import socket
import time

import pytest
from click.testing import CliRunner

from dicom_node.assembly import Parts
from dicom_node.cli import main as cli


@pytest.fixture
def receiving(parts: Parts) -> Parts:
    with parts.database.transaction() as tx:
        now = time.time()
        tx.processes.beat("receive", os.getpid(), socket.gethostname(), now, now, [], {})
    return parts


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--roles", "receive"), 0, "well\n"),
        (("--roles", "receive,clock"), 1, "role clock is silent\n"),
        (("--roles", "clock, pipeline", "--alive"), 1, "role clock is silent; role pipeline is silent\n"),
    ],
)
def test_the_exit_code_is_the_answer(receiving: Parts, conf, words: tuple[str, ...], code: int, told: str) -> None:
    done = CliRunner().invoke(cli.main, ["health", "--conf", str(conf), *words])
    assert (done.exit_code, done.output) == (code, told)


def test_a_container_says_once_which_roles_are_its(receiving: Parts, conf) -> None:
    done = CliRunner(env={"SEGNODE_ROLES": "receive", "SEGNODE_CONF": str(conf)}).invoke(cli.main, ["health"])
    assert (done.exit_code, done.output) == (0, "well\n")


def test_an_unknown_role_is_wrong_usage(conf) -> None:
    done = CliRunner().invoke(cli.main, ["health", "--conf", str(conf), "--roles", "wab"])
    assert done.exit_code == 2
    assert "allowed: receive, pipeline, web, clock" in done.output


@pytest.mark.parametrize(("words", "code", "told"), [((), 2, ""), (("--alive",), 0, "no restart mends that: ")])
def test_a_mistake_in_the_configuration_has_no_role_killed_that_works_on(
    receiving: Parts, conf, words: tuple[str, ...], code: int, told: str
) -> None:
    """Kubernetes brings a changed ConfigMap into running pods as well; one that is killed would not start again."""
    (conf / "routes.yaml").write_text("routes: [oops\n")
    done = CliRunner().invoke(cli.main, ["health", "--conf", str(conf), "--roles", "receive", *words])
    assert done.exit_code == code
    assert f"{told}routes.yaml:2: no valid YAML" in done.output
