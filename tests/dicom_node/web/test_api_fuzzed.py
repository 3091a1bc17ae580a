"""The API against its own description: whatever it is asked, it answers as it says, and never with a fault of ours.

`make fuzz` asks more (environment FUZZ=long). dicom_node.web.api.answers, dicom_node.web.problems
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from browsing import Browser
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks
from schemathesis.config import SchemathesisConfig
from turned_clock import Clock

from dicom_node.assembly import Parts
from dicom_node.web.app import create_app, open_console
from dicom_node.web.passwords import Passwords
from storage.people.tickets import TicketKind

LONG = os.environ.get("FUZZ") == "long"
ASKED = settings(max_examples=500 if LONG else 5, derandomize=not LONG, database=None, deadline=None,
                 phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
# Left out: a word may be allowed and name nothing that is here; who may what is told by the permissions' tests.
NOT_CHECKED = [checks.positive_data_acceptance, checks.ignored_auth]
KNOWN = {"uid": "1.2.3", "sop": "2.25.7", "group": "destinations", "name": "share", "number": 1}


@pytest.fixture
def node(story: Parts) -> Parts:
    """A node whose roles are at work, with two studies whose files are there."""
    with story.database.transaction() as tx:
        for role in ("receive", "pipeline", "clock"):
            tx.processes.beat(role, 1, role, 1000.0, 1000.0, [], {})
    (story.archive.root / "ab").mkdir()
    for name in ("1.2.3", "1.2.4", "seg"):
        (story.archive.root / "ab" / f"{name}.dcm").write_bytes(b"DICM")
    return story


@pytest.fixture
def ada(node: Parts, people: dict[str, int], passwords: Passwords, clock: Clock) -> Browser:
    """A program of an administrator; the news that it asks for end at once."""
    stop = threading.Event()
    stop.set()
    app = create_app(open_console(node, stop, passwords=passwords, clock=clock))
    with node.database.transaction() as tx:
        token = tx.tickets.issue(TicketKind.PROGRAM, people["ada"], clock())
    return Browser(app, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def described(ada: Browser, ct_series: list[Path]) -> Any:
    """What the API says of itself; files that are brought are bytes of any kind, or a CT slice."""
    for kind in ("application/zip", "application/dicom"):
        brought = st.binary(max_size=64) | st.just(ct_series[0].read_bytes())
        schemathesis.openapi.media_type(kind, brought)
    refused = {"negative_data_rejection": {"expected-statuses": ["400", "404", "405", "409", "413", "415", "422"]}}
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}, "checks": refused})
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", ada.app, headers=dict(ada.headers), config=config)


def trouble(ada: Browser, cases: st.SearchStrategy[Case], known: st.SearchStrategy[bool]) -> str:
    """What is wrong with the answers to some of `cases`; `known` says when one is about what is there."""

    @ASKED
    @given(cases, known)
    def ask(case: Case, about_known: bool) -> None:
        if about_known:
            case.path_parameters.update({name: KNOWN[name] for name in case.path_parameters})
        answer = case.call(headers=dict(ada.headers))
        case.validate_response(answer, excluded_checks=NOT_CHECKED)
        assert answer.status_code < 400 or answer.headers["content-type"] == ["application/problem+json"]

    try:
        ask()
    except (Exception, BaseExceptionGroup) as told:
        return f"{type(told).__name__}: {told}"
    return ""


ANY_WORD = {"type", "title", "description", "default"}


def can_be_asked_badly(operation: Any) -> bool:
    """Whether there is something that it does not allow: any word may stand for a name."""
    asked = [one["schema"] for one in operation.definition.raw.get("parameters", ())]
    in_json = any(body.media_type == "application/json" for body in operation.body)
    return in_json or any(one.get("type") != "string" or one.keys() - ANY_WORD for one in asked)


def in_words(case: Case) -> bool:
    """Whether it can be told by its address: there an object, a list or null are just words, which may be allowed."""
    return all(isinstance(value, str | int | float) for value in (case.query or {}).values())


def test_asked_well_it_answers_as_it_says(ada: Browser, described: Any) -> None:
    operations = [one.ok() for one in described.get_all_operations()]
    troubles = {one.label: trouble(ada, one.as_strategy(), st.booleans()) for one in operations}
    assert not any(troubles.values()), "\n\n".join(f"{label}: {text}" for label, text in troubles.items() if text)
    assert len(troubles) > 30


def test_asked_badly_too(ada: Browser, described: Any) -> None:
    operations = [one for one in (some.ok() for some in described.get_all_operations()) if can_be_asked_badly(one)]
    cases = {one.label: one.as_strategy(generation_mode=GenerationMode.NEGATIVE).filter(in_words) for one in operations}
    troubles = {label: trouble(ada, some, st.just(False)) for label, some in cases.items()}
    assert not any(troubles.values()), "\n\n".join(f"{label}: {text}" for label, text in troubles.items() if text)
    assert len(troubles) > 15
