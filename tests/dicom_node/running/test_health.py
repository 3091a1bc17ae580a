"""What a probe is told: of the roles of this machine alone, and of a database that is away only where it matters."""

from __future__ import annotations

import os
import socket

import pytest

from dicom_node.assembly import Parts
from dicom_node.running.health import troubles
from dicom_node.settings import Settings, load
from dicom_node.views.node import ROLE_SILENT_S
from storage.database import Database
from storage.errors import Unavailable

NOW = 1_000_000.0
ROLES = ("receive", "pipeline", "web", "clock")


def beat(parts: Parts, role: str, at: float, host: str | None = None) -> None:
    with parts.database.transaction() as tx:
        number = os.getpid() + ROLES.index(role)
        tx.processes.beat(role, number, host or socket.gethostname(), at, at, [], {})


def without_console(settings: Settings) -> Settings:
    web = settings.node.web.model_copy(update={"port": None})
    return settings.model_copy(update={"node": settings.node.model_copy(update={"web": web})})


@pytest.fixture
def well(parts: Parts) -> Parts:
    for role in ROLES:
        beat(parts, role, NOW - ROLE_SILENT_S + 1)
    return parts


def test_roles_that_were_heard_of_are_well(well: Parts) -> None:
    assert troubles(well.settings, ROLES, NOW) == []


def test_a_role_that_fell_silent_is_named(well: Parts) -> None:
    assert troubles(well.settings, ROLES, NOW + ROLE_SILENT_S) == [f"role {role} is silent" for role in ROLES]


def test_only_the_roles_that_should_run_here_are_asked_for(parts: Parts) -> None:
    beat(parts, "receive", NOW)
    assert troubles(parts.settings, ["receive"], NOW) == []
    assert troubles(parts.settings, ["receive", "clock"], NOW) == ["role clock is silent"]


def test_a_role_of_another_machine_is_none_of_ours(parts: Parts) -> None:
    beat(parts, "pipeline", NOW, host="elsewhere")
    assert troubles(parts.settings, ["pipeline"], NOW) == ["role pipeline is silent"]


def test_no_console_is_missed_where_none_is_wanted(parts: Parts) -> None:
    beat(parts, "receive", NOW)
    assert troubles(without_console(parts.settings), ["receive", "web"], NOW) == []


@pytest.mark.parametrize("alive", [False, True])
def test_before_the_first_start_nothing_is_well(conf, alive: bool) -> None:
    assert troubles(load(conf), ROLES, NOW, alive=alive) == ["no role has run here yet"]


@pytest.mark.parametrize(("alive", "told"), [(False, ["the database does not answer: it is away"]), (True, [])])
def test_no_restart_mends_a_database_that_is_away(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, alive: bool, told: list[str]
) -> None:
    def away(*_: object, **__: object) -> Database:
        raise Unavailable("the database does not answer: it is away")

    monkeypatch.setattr("dicom_node.running.health.Database.open", away)
    assert troubles(parts.settings, ROLES, NOW, alive=alive) == told
