"""A known patient is looked for in everything that each role is shown, and in the logs: only who may finds him."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest
from browsing import Browser

from dicom_node.assembly import Parts, cleaner
from dicom_node.web.permissions import ROUTES

MakeBrowser = Callable[[str], Browser]

WHO = ("Doe", "Jane", "P-17", "19700101")
READ = [
    route.split()[1].replace("{uid}", "1.2.3")
    for route in ROUTES
    if route.startswith("GET") and route != "GET /api/v1/changes" and "pictures" not in route
]
ASKED = [*READ, "/studies?q=jane", "/studies?q=P-17", "/api/v1/studies?q=Doe", "/studies?trouble=true",
         "/studies/1.2.9", "/deliveries?state=DEAD", "/api/v1/deliveries?state=DEAD"]


@pytest.fixture
def told_on(story: Parts) -> Parts:
    """The story, in which the patient's name stands where it does not belong as well."""
    with story.database.transaction() as tx:
        tx.journal.add(131.0, "refused", "unknown patient Doe^Jane, P-17, 19700101", study="1.2.3")
        tx.journal.add(132.0, "verdict", "description is 'JANE DOE liver'", study="1.2.3", series="1.2.3.1",
                       detail={"route": "other", "ok": False})
    return story


def shown(browser: Browser, places: list[str]) -> dict[str, str]:
    """What is answered, without what was asked for: a search shows its own words again."""
    answers = {}
    for place in places:
        text = browser.get(place).text
        for word in ("jane", "P-17", "Doe"):
            text = text.replace(f'value="{word}"', "")
        answers[place] = text
    return answers


def finds(text: str) -> list[str]:
    return [word for word in WHO if re.search(rf"\b{word}\b", text, re.IGNORECASE)]


@pytest.mark.parametrize("name", ["vera", None])
def test_who_may_not_know_finds_him_nowhere(
    name: str | None, told_on: Parts, signed_in: MakeBrowser, visitor: Browser
) -> None:
    found = shown(signed_in(name) if name else visitor, ASKED)
    assert {place: finds(text) for place, text in found.items() if finds(text)} == {}


def test_nor_once_the_study_that_named_him_has_gone(told_on: Parts, signed_in: MakeBrowser) -> None:
    with told_on.database.transaction() as tx:
        tx.journal.add(133.0, "verdict", "series description “LOCALIZER JANE DOE”", study="1.2.4", series="1.2.4.1",
                       detail={"route": "other", "ok": False})
    cleaner(told_on).remove_now("1.2.4", 200.0)
    text = signed_in("vera").get("/api/v1/studies/1.2.4/explain").text
    assert ("LOCALIZER hidden hidden" in text, finds(text)) == (True, [])
    with told_on.database.reading() as tx:
        assert not finds("".join(entry.text for entry in tx.journal.of_study("1.2.4")))


@pytest.mark.parametrize("name", ["otto", "ada"])
def test_who_may_know_is_shown_him(name: str, told_on: Parts, signed_in: MakeBrowser) -> None:
    found = shown(signed_in(name), ["/studies", "/studies/1.2.3", "/api/v1/studies", "/api/v1/studies/1.2.3/explain"])
    assert all("Doe" in text and "P-17" in text for text in found.values())
    found = shown(signed_in(name), ["/", "/deliveries", "/models", "/about", "/account", "/api/v1/status"])
    assert not [place for place, text in found.items() if finds(text)]


def test_a_program_is_shown_what_its_person_is(told_on: Parts, program: MakeBrowser) -> None:
    assert finds(program("vera").get("/api/v1/studies/1.2.3/explain").text) == []
    assert "Doe" in program("otto").get("/api/v1/studies/1.2.3/explain").text


def test_the_settings_may_have_it_otherwise(conf, request) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write("web: {names_for: [viewer]}\n")
    request.getfixturevalue("told_on")
    signed_in = request.getfixturevalue("signed_in")
    assert "Doe" in signed_in("vera").get("/studies").text
    assert finds(signed_in("ada").get("/studies").text) == []


def test_no_log_tells_it(told_on: Parts, signed_in: MakeBrowser, caplog: pytest.LogCaptureFixture, capsys) -> None:
    caplog.set_level(logging.DEBUG)
    browser = signed_in("otto")
    for place in ASKED:
        browser.get(place)
    browser.fill_in("/studies/1.2.3/retry")
    told = [record for record in caplog.records if not record.name.startswith(("httpx", "asyncio"))]
    text = "\n".join(f"{record.getMessage()} {vars(record)}" for record in told) + "".join(capsys.readouterr())
    assert finds(text) == []
