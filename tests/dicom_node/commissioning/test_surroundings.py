"""The node as it stands: whether it runs, who answers, whether its models are whole."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from dicom_node.assembly import Parts
from dicom_node.commissioning.record import Partner
from dicom_node.commissioning.surroundings import of_the_node, require_running, surroundings
from dicom_node.errors import Unreachable


def beat(parts: Parts, *roles: str, ago_s: float = 0.0) -> None:
    with parts.database.transaction() as tx:
        for role in roles:
            now = time.time() - ago_s
            tx.processes.beat(role, len(role), "here", now, now, (), {})


def test_a_node_whose_pipeline_is_silent_is_not_running(story: Parts) -> None:
    beat(story, "receive")
    beat(story, "pipeline", ago_s=60)
    with pytest.raises(Unreachable, match="no sign of pipeline; start it with `segnode serve`"):
        require_running(story)


def test_what_is_found_becomes_checks(story: Parts) -> None:
    beat(story, "receive", "pipeline")
    found = surroundings(story, "share", 1.0)
    assert [(one.name, one.answers) for one in found.partners] == [("share", False)]
    assert found.configuration["node.yaml"].startswith("ae_title: SEGNODE")
    assert [one["model"] for one in found.models] == ["bright"]
    checks = {check.name: check for check in of_the_node(story, require_running(story), found)}
    assert checks["every role is alive"].passed
    assert checks["models are whole"].passed
    assert checks["configuration is in use"].words == "revision 1"
    assert not checks["share answers"].passed, "its folder is not there yet"


def test_a_broken_model_and_a_partner_that_answers_are_told(story: Parts) -> None:
    beat(story, "receive", "pipeline")
    found = surroundings(story, "share", 1.0)
    found.models = [{"model": "gone", "version": "unreadable"}]
    found.partners = [Partner("pacs", "destination, dimse", True, "fits")]
    checks = {check.name: check for check in of_the_node(story, require_running(story), found)}
    assert checks["pacs answers"].passed
    assert checks["models are whole"].words == "cannot be read: gone"


def test_files_that_the_node_has_not_read_are_not_what_is_commissioned(story: Parts) -> None:
    beat(story, "receive", "pipeline")
    status = require_running(story)
    changed = replace(story, settings=story.settings.model_copy(update={"sha256": "other"}))
    first, *_ = of_the_node(changed, status, surroundings(story, "share", 1.0))
    assert (first.passed, "restart it" in first.words) == (False, True)
    status["roles"][0]["revision"] = 0
    first, *_ = of_the_node(story, status, surroundings(story, "share", 1.0))
    assert "runs by an older revision than 1" in first.words
