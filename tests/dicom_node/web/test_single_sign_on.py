"""People come in with the account that they have at the site, as a real provider says who they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from xml.etree.ElementTree import Element

import pytest
from browsing import Browser
from oidc_provider_mock import User, run_server_in_thread
from turned_clock import Clock

from dicom_node.acts.people import LONGEST_NAME, give_role, new_link
from dicom_node.assembly import Parts
from dicom_node.audit import facts
from dicom_node.settings.oidc import OpenIdSettings
from dicom_node.web.app import open_console
from dicom_node.web.console import Console
from dicom_node.web.passwords import Passwords
from dicom_node.web.single_sign_on import ASKED_S
from storage.errors import IllegalStep
from storage.people.tickets import TicketKind
from storage.people.users import Role

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # of the provider's own

PEOPLE = (
    User(sub="1", claims={"preferred_username": "Grace", "groups": ["radiology", "all"]}),
    User(sub="2", claims={"preferred_username": "Ada", "groups": ["pacs-admins", "radiology"]}),
    User(sub="3", claims={"preferred_username": "Mallory", "groups": ["kitchen"]}),
    User(sub="4", claims={"groups": ["radiology"]}),
    User(sub="2b", claims={"preferred_username": "Ada", "groups": ["pacs-admins"]}),  # the same, registered anew
    User(sub="2c", claims={"preferred_username": "Ada", "groups": ["pacs-admins"]}),  # and once more
    User(sub="long", claims={"preferred_username": f"{'x' * LONGEST_NAME}@hospital.example", "groups": ["all"]}),
    User(sub="5", claims={"preferred_username": "Emmy", "_claim_names": {"groups": "src1"}}),  # of Entra's overage
)
ROLES = {"viewer": ["all"], "operator": ["radiology"], "admin": ["pacs-admins"]}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_server_in_thread(user_claims=PEOPLE) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def oidc(issuer: str, monkeypatch: pytest.MonkeyPatch) -> OpenIdSettings:
    monkeypatch.setenv("PROVIDER_SECRET", "open sesame")
    client = {"issuer": issuer, "client_id": "segnode", "client_secret": {"environment": "PROVIDER_SECRET"}}
    return OpenIdSettings.model_validate({**client, "roles": ROLES, "label": "Hospital account"})


@pytest.fixture
def console(parts: Parts, oidc: OpenIdSettings, passwords: Passwords, clock: Clock) -> Console:
    """One that knows the provider."""
    node = parts.settings.node
    knowing = node.model_copy(update={"web": node.web.model_copy(update={"oidc": oidc})})
    return open_console(
        replace(parts, settings=parts.settings.model_copy(update={"node": knowing})), passwords=passwords, clock=clock
    )


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def at_the_provider(address: str, subject: str) -> str:
    """Sign in there as `subject`, and give the address to which the provider sends the browser back."""
    request = Request(address, urlencode({"sub": subject}).encode())
    try:
        with build_opener(_Stay).open(request, timeout=10) as answer:
            raise AssertionError(f"the provider stays: {answer.read()[:200]!r}")
    except OSError as moved:
        return str(moved.headers["Location"])  # type: ignore[attr-defined]


def come(browser: Browser, subject: str, wanted: str = "/"):
    """All of the way, as a browser goes it."""
    sent = browser.get(f"/sign-in/oidc?{urlencode({'next': wanted})}")
    assert sent.status_code == 303
    back = urlsplit(at_the_provider(sent.headers["Location"], subject))
    return browser.get(f"{back.path}?{back.query}")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    return " ".join(parser.text.split())


def test_the_form_offers_the_other_way_where_there_is_one(visitor: Browser) -> None:
    form = visitor.get("/sign-in?next=/studies").text
    assert re.search(r'href="/sign-in/oidc\?next=/studies">Hospital account<', form)


def test_who_comes_back_is_in_and_may_what_the_groups_say(visitor: Browser, console: Console) -> None:
    answer = come(visitor, "1", "/studies?state=failed")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/studies?state=failed")
    assert "grace" in visitor.get("/account").text
    with console.parts.database.reading() as tx:
        user = tx.users.named("grace")
    assert (user.role, user.password) == (Role.OPERATOR, None), "the highest group counts"
    assert visitor.get("/users").status_code == 403
    assert come(visitor, "1").headers["Location"] == "/", "the second time it is the same user"


def test_nobody_becomes_somebody_here_by_the_name(visitor: Browser, console: Console, people: dict[str, int]) -> None:
    come(visitor, "2")
    with console.parts.database.reading() as tx:
        assert tx.users.get(people["ada"]).subject is None
        assert tx.users.named("ada@localhost").role is Role.ADMIN


def test_who_is_another_one_at_the_provider_each_time_comes_in_each_time(
    visitor: Browser, console: Console, people: dict[str, int]
) -> None:
    for subject in ("2", "2b", "2c"):  # as when the client is registered anew there, which makes new subjects
        assert come(visitor, subject).status_code == 303
    with console.parts.database.reading() as tx:
        named = [one.name for one in tx.users.list() if one.name.startswith("ada")]
    assert named == ["ada", "ada@localhost", "ada@localhost 2", "ada@localhost 3"]


def test_a_name_there_may_be_longer_than_one_that_is_chosen_here(visitor: Browser) -> None:
    assert come(visitor, "long").status_code == 303
    assert f"{'x' * LONGEST_NAME}@hospital.example" in visitor.get("/account").text


def test_who_is_in_no_group_stays_out(visitor: Browser, console: Console) -> None:
    answer = come(visitor, "3")
    assert answer.status_code == 401
    assert "in none of the groups that may come in here" in read(answer.text)
    with console.parts.database.reading() as tx:
        assert tx.users.find("mallory") is None


def test_who_has_no_name_there_is_told_which_setting_names_it(visitor: Browser) -> None:
    assert "tells no preferred_username: look at name_claim" in read(come(visitor, "4").text)


def test_a_role_follows_the_groups_at_the_next_sign_in(visitor: Browser, console: Console) -> None:
    come(visitor, "1")
    with console.parts.database.transaction() as tx:
        user = tx.users.named("grace")
        tx.users.set_role(user.user_id, Role.ADMIN)
    come(visitor, "1")
    with console.parts.database.reading() as tx:
        assert tx.users.get(user.user_id).role is Role.OPERATOR


def test_who_is_in_no_group_any_more_has_neither_session_nor_token_left(
    visitor: Browser, console: Console, people: dict[str, int], audited: Callable[[], list[Element]]
) -> None:
    with console.parts.database.transaction() as tx:
        subject = f"{console.settings.oidc.issuer} 3"  # type: ignore[union-attr]
        mallory = tx.users.add("mallory", Role.OPERATOR, console.clock(), subject=subject).user_id
        for somebody in (mallory, people["vera"]):
            for kind in (TicketKind.SESSION, TicketKind.PROGRAM):
                tx.tickets.issue(kind, somebody, console.clock())
    assert [come(visitor, "3").status_code for _ in range(2)] == [401, 401]
    with console.parts.database.reading() as tx:
        left = [len([*tx.tickets.of_user(one, TicketKind.SESSION), *tx.tickets.of_user(one, TicketKind.PROGRAM)])
                for one in (mallory, people["vera"])]  # fmt: skip
        assert not tx.users.get(mallory).disabled, "comes in again as soon as a group says so"
    assert left == [0, 2]
    kinds = [one.get("csd-code") for message in audited() for one in message.iter("EventTypeCode")]
    assert kinds.count(facts.USER_CHANGED.value) == 1, "the second time there is nothing to end"


def test_who_is_in_too_many_groups_to_be_told_loses_nothing(visitor: Browser, console: Console) -> None:
    with console.parts.database.transaction() as tx:
        subject = f"{console.settings.oidc.issuer} 5"  # type: ignore[union-attr]
        emmy = tx.users.add("emmy", Role.ADMIN, console.clock(), subject=subject).user_id
        tx.tickets.issue(TicketKind.PROGRAM, emmy, console.clock())
    answer = come(visitor, "5")
    assert (answer.status_code, "very many groups" in read(answer.text)) == (401, True)
    with console.parts.database.reading() as tx:
        assert len(tx.tickets.of_user(emmy, TicketKind.PROGRAM)) == 1


def test_who_is_shut_out_here_stays_out(visitor: Browser, console: Console) -> None:
    come(visitor, "1")
    with console.parts.database.transaction() as tx:
        tx.users.set_disabled(tx.users.named("grace").user_id, True)
    assert "shut out" in read(come(visitor, "1").text)


def test_such_a_person_has_neither_password_nor_role_of_ours(visitor: Browser, console: Console) -> None:
    come(visitor, "1")
    for change in (
        lambda: new_link(console.parts, "grace", console.clock()),
        lambda: give_role(console.parts, "grace", Role.ADMIN),
    ):
        with pytest.raises(IllegalStep, match="account of the site"):
            change()
    assert "its password is changed there" in read(visitor.get("/account").text)


@pytest.mark.parametrize("broken", ["state", "cookie", "again"])
def test_an_answer_to_another_question_opens_nothing(visitor: Browser, broken: str) -> None:
    back = urlsplit(at_the_provider(visitor.get("/sign-in/oidc").headers["Location"], "1"))
    told = {name: values[0] for name, values in parse_qs(back.query).items()}
    if broken == "state":
        told["state"] = "x" * 43
    if broken == "cookie":
        visitor.cookies.clear()
    if broken == "again":  # somebody puts his own answer before another's browser
        assert visitor.get(f"{back.path}?{back.query}").status_code == 303
        visitor.cookies.delete("segnode")
    answer = visitor.get(f"{back.path}?{urlencode(told)}")
    assert (answer.status_code, "not begun here" in read(answer.text)) == (401, True)
    assert visitor.get("/account").status_code == 303


def test_who_takes_too_long_begins_again(visitor: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    import itsdangerous.timed

    back = urlsplit(at_the_provider(visitor.get("/sign-in/oidc").headers["Location"], "1"))
    late = itsdangerous.timed.time.time() + ASKED_S + 1
    monkeypatch.setattr(itsdangerous.timed.time, "time", lambda: late)
    assert visitor.get(f"{back.path}?{back.query}").status_code == 401


def test_a_no_is_said_in_our_words(visitor: Browser) -> None:
    for error, words in (("access_denied", "you were not let through there"), ("<script>", "could not find out")):
        state = parse_qs(urlsplit(visitor.get("/sign-in/oidc").headers["Location"]).query)["state"][0]
        answer = visitor.get(f"/sign-in/oidc/back?{urlencode({'error': error, 'state': state})}")
        assert (answer.status_code, words in read(answer.text), "<script>" in answer.text) == (401, True, False)


class TestAway:
    @pytest.fixture
    def issuer(self) -> str:
        return "http://localhost:9"

    def test_a_provider_that_is_away_is_said_and_the_other_way_in_stays(self, visitor: Browser) -> None:
        answer = visitor.get("/sign-in/oidc")
        assert (answer.status_code, "cannot be reached" in read(answer.text)) == (401, True)
        assert visitor.sign_in("vera").status_code == 303


class TestNone:
    @pytest.fixture
    def oidc(self) -> None:
        return None

    def test_without_a_provider_there_is_no_such_way(self, visitor: Browser) -> None:
        assert "/sign-in/oidc" not in visitor.get("/sign-in").text
        assert [visitor.get(path).status_code for path in ("/sign-in/oidc", "/sign-in/oidc/back")] == [404, 404]


def test_every_attempt_is_audited(visitor: Browser, audited: Callable[[], list[Element]]) -> None:
    come(visitor, "3")
    come(visitor, "1")
    told = []
    for message in audited():
        event, person = message.find("EventIdentification"), message.find("ActiveParticipant")
        assert event is not None
        assert person is not None
        told.append((event.get("EventOutcomeIndicator"), person.get("UserID")))
    assert told == [("4", "unknown"), ("0", "grace"), ("0", "grace")], "kept out; made a user; came in"
