"""Who may, decided by an administrator (dicom_node.web.pages.users, dicom_node.acts.people)."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from browsing import Browser

from dicom_node.web.console import Console
from storage.people.users import Role

MakeBrowser = Callable[[str], Browser]


def test_somebody_new_comes_in_by_the_link_that_is_shown(signed_in: MakeBrowser, visitor: Browser) -> None:
    answer = signed_in("ada").fill_in("/users", name="Noa", role="operator")
    shown = re.search(r'class="secret">http://127.0.0.1:8470(/welcome\?link=([^<]+))<', answer.text)
    assert shown
    fields = {"link": shown[2], "password": "correct horse battery", "again": "correct horse battery"}
    assert visitor.fill_in("/welcome", shown[1], **fields).status_code == 303
    assert re.search(r"noa</a>\s*<span class=\"role\">operator", visitor.get("/account").text)


def test_a_role_is_changed_and_counts_at_once(signed_in: MakeBrowser, console: Console) -> None:
    vera, ada = signed_in("vera"), signed_in("ada")
    assert vera.get("/users").status_code == 403
    assert ada.fill_in("/users/role", name="vera", role="admin").status_code == 303
    assert "vera has the role admin from now on." in ada.get("/users").text
    assert vera.get("/users").status_code == 200


def test_who_is_shut_out_is_out_at_once_and_may_be_let_in_again(
    signed_in: MakeBrowser, program: MakeBrowser
) -> None:
    otto, his_program, ada = signed_in("otto"), program("otto"), signed_in("ada")
    assert ada.fill_in("/users/shut-out", name="otto").status_code == 303
    assert otto.get("/account").status_code == 303
    assert his_program.get("/api/v1/studies").status_code == 401
    ada.fill_in("/users/shut-out", name="otto", again="true")
    assert otto.get("/account").status_code == 303, "the old session stays ended"
    assert signed_in("otto").get("/account").status_code == 200


@pytest.mark.parametrize(("place", "fields", "told"), [
    ("/users/shut-out", {"name": "ada"}, "only administrator"),
    ("/users/role", {"name": "ada", "role": "viewer"}, "only administrator"),
    ("/users", {"name": "VERA", "role": "viewer"}, "There is a user vera already"),
    ("/users", {"name": " ", "role": "viewer"}, "A name has 1 to 64 characters"),
])
def test_what_cannot_be_is_said(signed_in: MakeBrowser, console: Console, place, fields, told: str) -> None:
    answer = signed_in("ada").fill_in(place, **fields)
    assert (answer.status_code, told in answer.text) == (409, True)
    with console.parts.database.reading() as tx:
        assert tx.users.named("ada").role is Role.ADMIN


def test_wrong_input_is_named_without_what_was_sent(signed_in: MakeBrowser) -> None:
    answer = signed_in("ada").fill_in("/users", name="x", role="<script>god")
    assert (answer.status_code, "ody.role: " in answer.text, "god" in answer.text) == (422, True, False)
    assert signed_in("ada").fill_in("/users/link", name="nobody").status_code == 404


def test_every_change_is_audited_with_who_made_it(
    signed_in: MakeBrowser, audited: Callable[[], list[Element]]
) -> None:
    ada = signed_in("ada")
    ada.fill_in("/users", name="noa", role="viewer")
    ada.fill_in("/users/role", name="noa", role="operator")
    ada.fill_in("/users/link", name="noa")
    ada.fill_in("/users/shut-out", name="noa")
    found = []
    for message in audited():
        kind = message.find("EventIdentification/EventTypeCode").get("csd-code")
        about = message.find("ParticipantObjectIdentification").get("ParticipantObjectID")
        found.append((kind, message.find("ActiveParticipant").get("UserID"), about))
    made, role = ("110137", "ada", "urn:segnode:user:noa"), ("110136", "ada", "urn:segnode:user:noa")
    assert found == [made, role, made, made]
