"""What expires, and keys that others may use."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Identity

from dicom_node.checking.outlook import outlook_of
from dicom_node.settings import NodeSettings


def in_days(days: float) -> float:
    return time.time() + days * 86400


@pytest.fixture
def node(ours: Identity, hospital: Authority, tmp_path: Path) -> NodeSettings:
    shutil.copy(ours.key, tmp_path / "node.key")
    (tmp_path / "node.key").chmod(0o600)
    files: dict[str, Any] = {"certificate": ours.certificate, "key": tmp_path / "node.key"}
    peer = {"ae_title": "PACS", "host": "h", "port": 104, "tls": files | {"authorities": hospital.certificate}}
    return NodeSettings.model_validate(
        {"tls": files | {"authorities": hospital.certificate}, "peers": {"pacs": peer}}
    )


def test_each_file_says_once_until_when_it_is_valid(node: NodeSettings) -> None:
    outlook = outlook_of(node, in_days(0))
    assert outlook.problems == []
    ours, authority = sorted(outlook.remarks, key=lambda remark: "Hospital" in remark)
    assert "tls.certificate" in ours
    assert "segnode.hospital.example is valid until" in ours
    assert ours.endswith(("(30 days): renew it", "(30 days)"))
    assert "tls.authorities" in authority
    assert authority.endswith(("(3650 days)", "(3649 days)"))


def test_what_ends_within_a_month_is_to_be_renewed(node: NodeSettings) -> None:
    (ours,) = [remark for remark in outlook_of(node, in_days(10)).remarks if "tls.certificate" in remark]
    assert ours.endswith("(20 days): renew it")


def test_what_has_expired_is_a_problem_with_its_way_out(node: NodeSettings) -> None:
    (problem,) = outlook_of(node, in_days(31)).problems
    assert "segnode.hospital.example has expired on" in problem
    assert "put a new one in its place, no restart is needed" in problem


def test_a_certificate_of_tomorrow_questions_the_clock(node: NodeSettings) -> None:
    problems = outlook_of(node, in_days(-20 * 365)).problems
    assert all("is the clock of this machine right?" in problem for problem in problems)
    assert len(problems) == 2


@pytest.mark.parametrize(("mode", "told"), [(0o600, 0), (0o640, 0), (0o644, 1), (0o660, 1)])
def test_a_key_that_others_may_use_is_told(node: NodeSettings, tmp_path: Path, mode: int, told: int) -> None:
    (tmp_path / "node.key").chmod(mode)
    assert len([remark for remark in outlook_of(node, in_days(0)).remarks if "chmod 600" in remark]) == told


def test_without_tls_there_is_nothing_to_say() -> None:
    outlook = outlook_of(NodeSettings(), in_days(0))
    assert (outlook.problems, outlook.remarks) == ([], [])
