"""The console on a small real node, with somebody of each role; passwords are hashed with little effort."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from argon2 import PasswordHasher
from browsing import NOW, PASSWORD, Browser
from console_site import chromium, come, enter, site  # noqa: F401 (fixtures for all)
from pictured import place  # noqa: F401 (a fixture for all)
from turned_clock import Clock

from dicom_node.assembly import Parts
from dicom_node.web.app import create_app, open_console
from dicom_node.web.console import Console
from dicom_node.web.passwords import Passwords
from storage.people.tickets import TicketKind
from storage.people.users import Role


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def console(parts: Parts, passwords: Passwords, clock: Clock) -> Console:
    return open_console(parts, passwords=passwords, clock=clock)


@pytest.fixture
def people(console: Console) -> dict[str, int]:
    """Vera, Otto and Ada, each with the role of that letter; by name their user ids."""
    hashed = console.passwords.hashed(PASSWORD, "")
    found = {}
    with console.parts.database.transaction() as tx:
        for name, role in (("ada", Role.ADMIN), ("otto", Role.OPERATOR), ("vera", Role.VIEWER)):
            found[name] = tx.users.add(name, role, NOW).user_id
            tx.users.set_password(found[name], hashed)
    return found


@pytest.fixture
def visitor(console: Console, people: dict[str, int]) -> Browser:
    """A browser of somebody who has not signed in."""
    return Browser(create_app(console))


MakeBrowser = Callable[[str], Browser]


@pytest.fixture
def signed_in(console: Console, people: dict[str, int], clock: Clock) -> MakeBrowser:
    """`signed_in(name)` gives a browser in which that person has signed in."""

    def make(name: str) -> Browser:
        browser = Browser(create_app(console))
        with console.parts.database.transaction() as tx:
            token = tx.tickets.issue(TicketKind.SESSION, people[name], clock(), lasts_s=console.settings.session_s)
        signed = console.cookies._signer("segnode").sign(token).decode()
        browser.cookies.set("segnode", signed)
        return browser

    return make


@pytest.fixture
def program(console: Console, people: dict[str, int], clock: Clock) -> MakeBrowser:
    """`program(name)` gives a program that calls with a token of that person."""

    def make(name: str) -> Browser:
        with console.parts.database.transaction() as tx:
            token = tx.tickets.issue(TicketKind.PROGRAM, people[name], clock())
        return Browser(create_app(console), headers={"Authorization": f"Bearer {token}"})

    return make
