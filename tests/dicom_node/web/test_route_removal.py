"""A rule is deleted, and comes back: what is asked first, who may, what is written down.

dicom_node.configuring.route_removal, dicom_node.web.pages.history, dicom_node.web.api.history
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from xml.etree.ElementTree import Element

import pytest
from browsing import Browser

from dicom_node.assembly import Parts

MakeBrowser = Callable[[str], Browser]

SECOND = """
  # at night
  - name: second
    when: {kind: volume}
    select: {kind: one_series, role: CT}
    task: liver_tumour
    model: bright
    outputs: [seg]
    destinations: [share]
"""
ON_THEIR_WAY = "1 study is on its way by it"
ONLY = "It is the only rule: without it nothing is segmented."


@pytest.fixture
def two(conf: Path) -> Path:
    """routes.yaml with a second rule, before the node starts; the studies of `story` go by the first."""
    file = conf / "routes.yaml"
    file.write_text(file.read_text().rstrip("\n") + SECOND)
    return file


def names(browser: Browser) -> list[str]:
    return [one["name"] for one in browser.get("/api/v1/routing").json()["routes"]]


def seen_on(page: str) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


class TestOnThePage:
    def test_a_rule_by_which_nothing_goes_is_deleted_and_comes_back(
        self, two: Path, story: Parts, signed_in: MakeBrowser, audited: Callable[[], list[Element]]
    ) -> None:
        ada, before = signed_in("ada"), two.read_text()
        page = ada.get("/routing/edit?route=second").text
        assert 'name="sure"' not in page
        answer = ada.fill_in("/routing/remove", route="second", seen=seen_on(page))
        assert answer.headers["Location"] == "/routing"
        assert names(ada) == ["everything"]
        assert "# at night" in two.read_text()
        history = html.unescape(ada.get("/routing/history").text)
        assert "route second removed" in history
        assert "-  - name: second" in history
        assert "+  - name: second" in html.unescape(ada.get("/routing/history/1").text)
        assert ada.go_back("/routing/history/1").headers["Location"] == "/routing"
        assert names(ada) == ["everything", "second"]
        assert two.read_text() == before
        told = [message.find("ActiveParticipant").get("UserName") for message in audited()]
        assert told == ["ada", "ada"]

    def test_it_is_asked_first_where_studies_are_on_their_way(
        self, two: Path, story: Parts, signed_in: MakeBrowser
    ) -> None:
        ada = signed_in("ada")
        page = ada.get("/routing/edit?route=everything").text
        assert ON_THEIR_WAY in page
        assert ONLY not in page
        sent = {"route": "everything", "seen": seen_on(page)}
        unsure = ada.fill_in("/routing/remove", **sent)
        assert (unsure.status_code, ON_THEIR_WAY in unsure.text) == (409, True)
        assert names(ada) == ["everything", "second"]
        assert ada.fill_in("/routing/remove", **sent, sure="true").status_code == 303
        assert names(ada) == ["second"]

    def test_the_only_one_goes_with_a_warning_and_a_new_one_comes(
        self, parts: Parts, conf: Path, signed_in: MakeBrowser
    ) -> None:
        ada = signed_in("ada")
        page = ada.get("/routing/edit?route=everything").text
        assert ONLY in page
        assert ada.fill_in("/routing/remove", route="everything", seen=seen_on(page), sure="true").status_code == 303
        assert "There is no rule: nothing is segmented." in ada.get("/routing").text
        yaml = dedent(SECOND.replace("# at night", "").replace("- name", "  name"))
        new = {"route": "", "seen": ada.get("/api/v1/routing").json()["seen"], "yaml": yaml.strip()}
        assert ada.fill_in("/routing/live", **new).status_code == 303
        assert names(ada) == ["second"]

    def test_not_what_was_changed_meanwhile(self, two: Path, parts: Parts, signed_in: MakeBrowser) -> None:
        answer = signed_in("ada").fill_in("/routing/remove", route="second", seen="0" * 64)
        assert (answer.status_code, "has been changed since" in answer.text) == (409, True)

    def test_who_may_not_sees_no_button(self, two: Path, parts: Parts, signed_in: MakeBrowser) -> None:
        otto = signed_in("otto")
        assert "Delete" not in otto.get("/routing/edit?route=second").text
        assert "/routing/history" not in otto.get("/routing").text
        assert otto.fill_in("/routing/remove", route="second", seen="x").status_code == 403
        assert signed_in("ada").fill_in("/routing/remove", route="gone", seen="x").status_code == 404


class TestForPrograms:
    def test_it_is_deleted_and_comes_back(self, two: Path, parts: Parts, program: MakeBrowser) -> None:
        ada = program("ada")
        told = ada.delete("/api/v1/routing/second").json()
        assert (told["revision"], "-  - name: second" in told["change"]) == (2, True)
        assert ada.delete("/api/v1/routing/second").status_code == 404
        (step, _) = ada.get("/api/v1/routing/history").json()["revisions"]
        assert (step["number"], step["by"], step["what"]) == (2, "ada", "route second removed")
        assert ada.post("/api/v1/routing/history/1/restore").json()["revision"] == 3
        assert names(ada) == ["everything", "second"]

    def test_only_if_sure(self, story: Parts, program: MakeBrowser) -> None:
        ada = program("ada")
        answer = ada.delete("/api/v1/routing/everything")
        assert (answer.status_code, answer.headers["Content-Type"]) == (409, "application/problem+json")
        assert ON_THEIR_WAY in answer.json()["detail"]
        assert ONLY in answer.json()["detail"]
        assert ada.delete("/api/v1/routing/everything?sure=true&seen=x").status_code == 409
        assert ada.delete("/api/v1/routing/everything?sure=true").status_code == 200
        assert names(ada) == []
