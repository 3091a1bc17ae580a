"""Coming in and going out, as a browser sees it (dicom_node.web.pages.entrance, dicom_node.web.signing_in)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from browsing import PASSWORD, Browser
from turned_clock import Clock

from dicom_node.acts.people import LINK_S, first_link, new_link
from dicom_node.web.console import Console
from dicom_node.web.signing_in import WRONG
from storage.people.tickets import TicketKind
from storage.people.users import Role

MakeBrowser = Callable[[str], Browser]


def test_who_has_not_signed_in_is_asked_to_and_goes_on_to_where_he_wanted(visitor: Browser) -> None:
    answer = visitor.get("/account?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?next=/account%3Fx%3D1")
    visitor.get(answer.headers["Location"])
    answer = visitor.fill_in("/sign-in", "/sign-in", name="Vera", password=PASSWORD, next="/account?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account?x=1")
    assert visitor.get("/account").status_code == 200
    assert visitor.get("/sign-in").headers["Location"] == "/", "who has signed in is not asked again"


def test_nobody_is_led_elsewhere(visitor: Browser) -> None:
    for place in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        answer = visitor.fill_in("/sign-in", "/sign-in", name="vera", password=PASSWORD, next=place)
        assert answer.headers["Location"] == "/"
        visitor.cookies.clear()


@pytest.mark.parametrize(("name", "password"), [("vera", "wrong"), ("nobody", PASSWORD), ("vera", ""), ("", "")])
def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(visitor: Browser, name: str, password: str) -> None:
    answer = visitor.sign_in(name, password or " ")
    if name:
        assert (answer.status_code, WRONG.capitalize() in answer.text) == (401, True)
    assert visitor.get("/account").status_code == 303


def test_who_is_shut_out_stays_out_also_with_an_open_session(
    signed_in: MakeBrowser, visitor: Browser, console: Console, people: dict[str, int]
) -> None:
    browser = signed_in("vera")
    assert browser.get("/account").status_code == 200
    with console.parts.database.transaction() as tx:
        tx.users.set_disabled(people["vera"], True)
    assert browser.get("/account").status_code == 303
    assert visitor.sign_in("vera").status_code == 401


def test_the_cookie_is_kept_from_scripts_and_bears_only_a_token_that_the_database_does_not_know(
    visitor: Browser, console: Console
) -> None:
    set_cookie = visitor.sign_in("vera").headers["Set-Cookie"]
    assert set_cookie.startswith("segnode=")
    assert all(word in set_cookie for word in ("HttpOnly", "Path=/", "SameSite=lax"))
    token = set_cookie.split("=")[1].split(".")[0]
    assert token.encode() not in (console.parts.settings.node.data_folder / "segnode.sqlite").read_bytes()


def test_a_cookie_that_was_altered_opens_nothing(signed_in: MakeBrowser) -> None:
    browser = signed_in("vera")
    cookie = browser.cookies["segnode"]
    browser.cookies.clear()
    # Its last character may hold bits that count for nothing; its first does not.
    browser.cookies.set("segnode", ("A" if cookie[0] != "A" else "B") + cookie[1:])
    assert browser.get("/account").status_code == 303


def test_a_session_ends_when_nothing_was_asked_for_and_after_its_time(signed_in: MakeBrowser, clock: Clock) -> None:
    idle, busy = signed_in("vera"), signed_in("otto")
    for _ in range(2):
        clock.now += 50 * 60
        assert busy.get("/account").status_code == 200
    assert idle.get("/account").status_code == 303
    for _ in range(11):
        clock.now += 50 * 60
        last = busy.get("/account").status_code
    assert last == 303, "ten hours are over"


def test_a_page_that_renews_itself_keeps_no_session_open(signed_in: MakeBrowser, clock: Clock) -> None:
    browser = signed_in("vera")
    for _ in range(2):
        clock.now += 40 * 60
        last = browser.get("/account", headers={"X-Background": "yes"}).status_code
    assert last == 303


def test_who_signs_out_is_out_on_our_side_too(signed_in: MakeBrowser) -> None:
    browser = signed_in("vera")
    kept = browser.cookies["segnode"]
    assert browser.fill_in("/sign-out").headers["Location"] == "/sign-in"
    browser.cookies.clear()
    browser.cookies.set("segnode", kept)
    assert browser.get("/account").status_code == 303


def test_guessing_becomes_slow_and_the_true_password_waits_too(visitor: Browser, clock: Clock) -> None:
    for _ in range(5):
        assert WRONG.capitalize() in visitor.sign_in("vera", "wrong password").text
        clock.now += 0.01
    answer = visitor.sign_in("vera")
    assert (answer.status_code, "Too many failed attempts" in answer.text) == (401, True)
    clock.now += 3
    assert visitor.sign_in("vera").status_code == 303


def test_people_who_share_an_address_and_type_no_wrong_password_never_wait(visitor: Browser) -> None:
    """Behind a terminal server or an ingress many come in from one address."""
    for n in range(25):
        visitor.cookies.clear()
        assert visitor.sign_in(("ada", "otto", "vera")[n % 3]).status_code == 303


class TestForms:
    def test_one_without_our_token_is_not_taken(self, signed_in: MakeBrowser, visitor: Browser) -> None:
        browser = signed_in("vera")
        assert browser.post("/sign-out").status_code == 403
        assert browser.post("/sign-out", data={"csrf": "guessed"}).status_code == 403
        assert visitor.post("/sign-in", data={"name": "vera", "password": PASSWORD}).status_code == 403

    def test_one_that_another_browser_was_given_is_not_taken(self, signed_in: MakeBrowser) -> None:
        foreign = signed_in("otto").form_token()
        assert signed_in("vera").post("/sign-out", data={"csrf": foreign}).status_code == 403


class TestLinks:
    def test_the_first_makes_an_administrator_once(self, visitor: Browser, console: Console) -> None:
        with console.parts.database.transaction() as tx:
            link = first_link(tx, console.clock())
        page = f"/welcome?link={link}"
        assert visitor.get(page).status_code == visitor.get(page).status_code == 200, "looking does not use it up"
        fields = {"link": link, "name": "Root", "password": "correct horse battery", "again": "correct horse battery"}
        assert visitor.fill_in("/welcome", page, **fields).headers["Location"] == "/"
        assert "root" in visitor.get("/account").text
        with console.parts.database.reading() as tx:
            assert tx.users.named("root").role is Role.ADMIN
        assert visitor.get(page).status_code == 410

    @pytest.mark.parametrize(("changed", "told"), [
        ({"again": "something else"}, "The two passwords differ"),
        ({"password": "short", "again": "short"}, "A password has 12 to 1024 characters"),
        ({"password": "a" * 20, "again": "a" * 20}, "first that somebody would guess"),
        ({"name": "vera"}, "There is a user vera already"),
        ({"name": " "}, "A name has 1 to 64 characters"),
    ])
    def test_what_is_not_taken_is_said_and_does_not_use_it_up(
        self, visitor: Browser, console: Console, changed: dict[str, str], told: str
    ) -> None:
        with console.parts.database.transaction() as tx:
            link = first_link(tx, console.clock())
        fields = {"link": link, "name": "root", "password": "correct horse battery", "again": "correct horse battery"}
        answer = visitor.fill_in("/welcome", f"/welcome?link={link}", **(fields | changed))
        assert (answer.status_code, told in answer.text) == (422, True)
        assert visitor.get(f"/welcome?link={link}").status_code == 200

    def test_one_for_somebody_changes_the_password_and_ends_open_sessions(
        self, visitor: Browser, signed_in: MakeBrowser, console: Console, people: dict[str, int]
    ) -> None:
        old = signed_in("vera")
        new_link(console.parts, "vera", console.clock())
        link = new_link(console.parts, "vera", console.clock())
        with console.parts.database.reading() as tx:
            assert len(tx.tickets.of_user(people["vera"], TicketKind.LINK)) == 1, "the newest counts"
        fields = {"link": link, "name": "ada", "password": "correct horse battery", "again": "correct horse battery"}
        assert visitor.fill_in("/welcome", f"/welcome?link={link}", **fields).status_code == 303
        assert "vera" in visitor.get("/account").text, "whose it is says the link, not the form"
        assert old.get("/account").status_code == 303
        visitor.cookies.clear()
        assert visitor.sign_in("vera").status_code == 401
        assert visitor.sign_in("vera", "correct horse battery").status_code == 303

    def test_it_is_good_for_a_day(self, visitor: Browser, console: Console, clock: Clock) -> None:
        with console.parts.database.transaction() as tx:
            link = first_link(tx, console.clock())
        clock.now += LINK_S
        answer = visitor.get(f"/welcome?link={link}")
        assert (answer.status_code, "segnode users link" in answer.text) == (410, True)


def test_who_came_and_who_was_kept_out_is_audited(visitor: Browser, audited: Callable[[], list[Element]]) -> None:
    visitor.sign_in("vera", "my secret word")
    visitor.sign_in("my secret word", "vera")
    visitor.sign_in("vera")
    visitor.fill_in("/sign-out")
    found = []
    for message in audited():
        event, who = message.find("EventIdentification"), message.find("ActiveParticipant")
        kind = event.find("EventTypeCode").get("originalText")
        found.append((kind, event.get("EventOutcomeIndicator"), who.get("UserID")))
    assert found == [("Login", "4", "vera"), ("Login", "4", "unknown"), ("Login", "0", "vera"), ("Logout", "0", "vera")]
