"""The matrix: every route with every role, none forgotten; who may not is kept out whatever he sends."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from browsing import Browser
from fastapi import APIRouter

from dicom_node.web.app import ROUTERS
from dicom_node.web.permissions import ROUTES, Permission, check_complete, permitted
from storage.people.users import Role

MakeBrowser = Callable[[str], Browser]

# Restated by hand: who may what.
MAY = {
    None: {"anybody"},
    "vera": {"anybody", "look"},
    "otto": {"anybody", "look", "act"},
    "ada": {"anybody", "look", "act", "administer"},
}
ENDLESS = {"GET /api/v1/changes", "GET /changes"}


def address(route: str) -> tuple[str, str]:
    """Method and an address, where what the route names is not there."""
    method, path = route.split()
    return method, re.sub(r"\{[^}]+\}", "1.9.9", path)


def test_every_route_is_in_the_table_and_nothing_else() -> None:
    check_complete(ROUTERS)
    further = APIRouter()
    further.get("/backdoor")(lambda: "open")
    with pytest.raises(ValueError, match="GET /backdoor"):
        check_complete([*ROUTERS, further])


@pytest.mark.parametrize("name", list(MAY), ids=str)
def test_who_may_is_let_through_and_who_may_not_is_kept_out(
    name: str | None, visitor: Browser, signed_in: MakeBrowser
) -> None:
    browser = signed_in(name) if name else visitor
    wrong = []
    for route, needed in ROUTES.items():
        if route in ENDLESS and needed in MAY[name]:
            continue
        method, place = address(route)
        token = browser.form_token("/account" if name else "/sign-in") if method != "GET" else ""
        if route == "POST /sign-out":
            continue  # it would end the session of this test; see test_entrance
        answer = browser.request(method, place, headers={"X-CSRF-Token": token} if token else {})
        kept_out = answer.status_code in (401, 403) or answer.headers.get("Location", "").startswith("/sign-in")
        by_itself = route in ("POST /sign-in", "POST /welcome")  # they answer 401 to a wrong password
        if not by_itself and kept_out is (needed in MAY[name]):
            wrong.append((route, answer.status_code))
    assert wrong == []


@pytest.mark.parametrize("name", ["vera", "otto", "ada"])
def test_a_form_without_its_token_is_taken_from_nobody(name: str, signed_in: MakeBrowser) -> None:
    browser = signed_in(name)
    answers = {route: browser.request(*address(route)).status_code for route in ROUTES if not route.startswith("GET")}
    assert set(answers.values()) == {403}


def test_a_program_needs_no_form_token_and_may_what_its_person_may(program: MakeBrowser, visitor: Browser) -> None:
    programs = {name: program(name) for name in ("vera", "otto", "ada")}
    for route, needed in ROUTES.items():
        method, place = address(route)
        if not place.startswith("/api/") or route in ENDLESS:
            continue
        for name, one in programs.items():
            assert (one.request(method, place).status_code in (401, 403)) is (needed not in MAY[name]), route
        stranger = visitor.request(method, place, headers={"Authorization": "Bearer guessed"})
        assert stranger.status_code == 401
        assert stranger.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("host", ["segnode", "segnode/api/v1/studies?", "segnode/api/v1/studies#"])
def test_a_programs_token_opens_no_page(program: MakeBrowser, host: str) -> None:
    assert program("ada").get("/users", headers={"Host": host}).status_code == 303


def test_each_role_may_what_those_below_it_may() -> None:
    for needed in Permission:
        allowed = [permitted(role, needed) for role in (None, Role.VIEWER, Role.OPERATOR, Role.ADMIN)]
        assert allowed == sorted(allowed)
