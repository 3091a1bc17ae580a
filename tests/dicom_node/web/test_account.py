"""One's own account (dicom_node.web.pages.account)."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

from browsing import PASSWORD, Browser
from turned_clock import Clock

from dicom_node.web.console import Console
from storage.people.tickets import TicketKind

MakeBrowser = Callable[[str], Browser]
NEW = {"password": "another apple a day", "again": "another apple a day"}


def test_a_new_password_ends_the_other_sessions(signed_in: MakeBrowser, visitor: Browser) -> None:
    here, elsewhere = signed_in("vera"), signed_in("vera")
    assert here.fill_in("/account/password", old=PASSWORD, **NEW).status_code == 303
    assert "Your password is changed" in here.get("/account").text
    assert "Your password is changed" not in here.get("/account").text, "said once"
    assert elsewhere.get("/account").status_code == 303
    assert visitor.sign_in("vera", NEW["password"]).status_code == 303


def test_who_does_not_know_the_old_one_changes_nothing(signed_in: MakeBrowser, visitor: Browser) -> None:
    answer = signed_in("vera").fill_in("/account/password", old="guess", **NEW)
    assert (answer.status_code, "The old password is wrong" in answer.text) == (422, True)
    assert visitor.sign_in("vera").status_code == 303


def test_guessing_the_old_one_becomes_as_slow_as_signing_in_and_is_audited(
    signed_in: MakeBrowser, clock: Clock, audited: Callable[[], list[Element]]
) -> None:
    browser = signed_in("vera")

    def answered(old: str) -> str:
        return browser.fill_in("/account/password", old=old, **NEW).text

    assert all("The old password is wrong" in answered(f"guess {number}") for number in range(5))
    assert "Too many failed attempts: try again in 1 seconds" in answered(PASSWORD)
    clock.now += 2
    assert answered(PASSWORD) == ""
    outcomes = [m.find("EventIdentification").get("EventOutcomeIndicator") for m in audited()]
    assert outcomes == ["4"] * 6 + ["0"]


def test_a_token_is_shown_once_opens_the_api_until_it_ends_and_can_be_revoked(
    signed_in: MakeBrowser, visitor: Browser, console: Console, people: dict[str, int], clock: Clock
) -> None:
    browser = signed_in("vera")
    shown = re.search(r'class="secret">([^<]+)<', browser.fill_in("/account/tokens", label="monitor", days=2).text)
    assert shown
    assert "secret" not in browser.get("/account").text
    assert "monitor" in browser.get("/account").text
    bearer = {"Authorization": f"Bearer {shown[1]}"}
    assert visitor.get("/api/v1/studies", headers=bearer).status_code == 200
    clock.now += 2 * 86400
    assert visitor.get("/api/v1/studies", headers=bearer).status_code == 401

    browser = signed_in("vera")
    browser.fill_in("/account/tokens", label="second", days=2)
    with console.parts.database.reading() as tx:
        ticket = tx.tickets.of_user(people["vera"], TicketKind.PROGRAM)[-1].ticket_id
    assert signed_in("otto").fill_in("/account/tokens/revoke", ticket=ticket).status_code == 404, "it is not his"
    assert browser.fill_in("/account/tokens/revoke", ticket=ticket).status_code == 303
    assert browser.fill_in("/account/tokens/revoke", ticket=ticket).status_code == 404
    assert browser.fill_in("/account/tokens/revoke", ticket=2**70).status_code == 422, "no database counts so far"
