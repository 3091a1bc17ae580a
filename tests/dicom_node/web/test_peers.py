"""The page Peers and its verbs in the API.

dicom_node.web.pages.peers, dicom_node.web.pages.history, dicom_node.web.api.peers, dicom_node.web.calling
"""

from __future__ import annotations

import errno
import html
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from browsing import Browser

from dicom_node.configuring import changes as configuring
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.web.console import Console
from dicom_node.web.pages.peers import by_field

MakeBrowser = Callable[[str], Browser]

PACS = "peers:  # whom we ask\n  # the archive\n  pacs: {ae_title: PACS, host: 127.0.0.1, port: 4242}  # room 3\n"
NEW = {"name": "ct1", "ae_title": "CT1", "host": "ct1.example", "port": "104", "tls": "no"}


@pytest.fixture
def node_yaml(conf: Path) -> Path:
    """The file, with a comment and a peer in it, before the node starts."""
    file = conf / "node.yaml"
    file.write_text(file.read_text() + PACS)
    return file


@pytest.fixture
def ada(node_yaml: Path, signed_in: MakeBrowser) -> Browser:
    """An administrator."""
    return signed_in("ada")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[EmbeddedArchive]:
    with EmbeddedArchive(tmp_path / "archive") as archive:
        yield archive


def text_of(answer) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


def form_of(browser: Browser, place: str) -> dict[str, str]:
    """What a form holds as it is shown."""
    page = browser.get(place).text
    found = dict(re.findall(r'<input [^>]*?name="([^"]+)" value="([^"]*)"', page))
    chosen = re.findall(r'<select id="[^"]+" name="([^"]+)".*?</select>', page, re.DOTALL)
    selected = {
        name: (re.findall(rf'name="{name}".*?</select>', page, re.DOTALL) or [""])[0] for name in chosen
    }
    picked = {name: re.findall(r'value="([^"]*)" selected', options) for name, options in selected.items()}
    return {name: html.unescape(value) for name, value in found.items()} | {
        name: value[0] for name, value in picked.items() if value
    }


def test_a_viewer_sees_who_there_is_and_changes_nothing(node_yaml: Path, signed_in: MakeBrowser) -> None:
    page = text_of(signed_in("vera").get("/peers"))
    assert "pacs peer, DICOM (C-STORE, C-FIND, C-ECHO) PACS 127.0.0.1:4242 no – store, find, commit –" in page
    assert "share destination, folder" in page
    assert "gets results of everything" in page
    assert "Somebody new" not in page
    assert "Write it" not in text_of(signed_in("vera").get("/peers/peers/pacs"))


def test_an_administrator_adds_one_and_the_file_keeps_its_comments(
    ada: Browser, node_yaml: Path, console: Console
) -> None:
    before = node_yaml.read_text()
    answer = ada.fill_in("/peers/new?group=peers&kind=dimse", **NEW)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/peers")
    added = "  ct1:\n    ae_title: CT1\n    host: ct1.example\n    port: 104\n"
    assert node_yaml.read_text() == before + added
    assert "Written to node.yaml as revision 2." in text_of(ada.get("/peers"))
    assert str(console.parts.settings.peers()["ct1"]) == "CT1@ct1.example:104"
    assert console.parts.revision == 2


def test_a_destination_is_added_with_its_profile(ada: Browser, node_yaml: Path, console: Console) -> None:
    fields = NEW | {"name": "ohif", "profile": "{preset: ohif, document: false}", "accepts": ["clinical", "research"]}
    assert ada.fill_in("/peers/new?group=destinations&kind=dimse", **fields).status_code == 303
    assert node_yaml.read_text().count("  ohif:\n    kind: dimse\n") == 1
    assert console.parts.settings.destinations()["ohif"].accepts == ("clinical", "research")
    assert "ohif, with document: false" in text_of(ada.get("/peers/destinations/ohif"))
    again = ada.fill_in("/peers/new?group=destinations&kind=dimse", **fields)
    assert (again.status_code, "there is a destination of this name already" in text_of(again)) == (422, True)


def test_a_form_shows_what_the_file_says_and_changes_only_what_was_changed(ada: Browser, node_yaml: Path) -> None:
    form = form_of(ada, "/peers/peers/pacs")
    assert (form["ae_title"], form["port"], form["tls"]) == ("PACS", "4242", "no")
    assert ada.post("/peers/peers/pacs", data=form | {"port": "11112"}).status_code == 303
    changed = "  # the archive\n  pacs: {ae_title: PACS, host: 127.0.0.1, port: 11112}  # room 3\n"
    assert changed in node_yaml.read_text()
    form = form_of(ada, "/peers/peers/pacs")
    ada.post("/peers/peers/pacs", data=form)
    assert "Nothing was different; nothing was written." in text_of(ada.get("/peers"))


@pytest.mark.parametrize(("changes", "field", "told"), [
    ({"port": "70000"}, "port", "port = 70000: input should be less than or equal to 65535"),
    ({"ae_title": "SEVENTEEN LETTERS"}, "ae_title", "an AE title is 1 to 16 plain characters"),
    ({"host": ""}, "host", "host: is needed and not there"),
    ({"tls": "yes"}, "tls-authorities", "tls.authorities: is needed and neither there nor in the node's own tls"),
    ({"tls": "yes", "tls.key_password": "{file:"}, "tls-key_password", "no valid YAML"),
])
def test_what_is_wrong_stands_at_its_field_and_nothing_is_written(
    ada: Browser, node_yaml: Path, changes: dict[str, str], field: str, told: str
) -> None:
    before, form = node_yaml.read_text(), form_of(ada, "/peers/peers/pacs")
    answer = ada.post("/peers/peers/pacs", data=form | changes)
    assert answer.status_code == 422
    assert told in text_of(answer)
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)
    assert all(f'value="{value}"' in answer.text for value in changes.values() if value not in ("", "yes"))
    assert node_yaml.read_text() == before


def test_a_form_that_somebody_was_faster_than_is_refused_with_what_changed(ada: Browser, node_yaml: Path) -> None:
    form = form_of(ada, "/peers/peers/pacs")
    node_yaml.write_text(node_yaml.read_text().replace("port: 4242", "port: 104"))
    answer = ada.post("/peers/peers/pacs", data=form | {"host": "10.0.0.1"})
    assert answer.status_code == 409
    assert "Peer pacs was changed since you looked: port was 4242, is 104." in text_of(answer)
    assert "10.0.0.1" not in node_yaml.read_text()


def test_what_is_still_named_elsewhere_is_not_removed(ada: Browser, node_yaml: Path) -> None:
    form = form_of(ada, "/peers/destinations/share")
    answer = ada.post("/peers/destinations/share/remove", data=form)
    assert (answer.status_code, "names destination 'share'" in text_of(answer)) == (422, True)
    assert ada.post("/peers/peers/pacs/remove", data=form_of(ada, "/peers/peers/pacs")).status_code == 303
    assert "pacs" not in node_yaml.read_text()


def test_where_the_file_cannot_be_written_the_page_shows_the_change(
    ada: Browser, node_yaml: Path, monkeypatch: pytest.MonkeyPatch, console: Console
) -> None:
    def locked(path: Path, text: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(configuring, "put_in_place", locked)
    answer = ada.post("/peers/peers/pacs", data=form_of(ada, "/peers/peers/pacs") | {"port": "104"})
    assert answer.status_code == 409
    assert "The file node.yaml cannot be written here (Read-only file system): make this change" in text_of(answer)
    assert "\n+  pacs: {ae_title: PACS, host: 127.0.0.1, port: 104}  # room 3" in html.unescape(answer.text)
    with console.parts.database.reading() as tx:
        assert tx.revisions.newest()[0] == 1, "what was not written is no revision"


def test_history_tells_who_changed_what_and_leads_back(ada: Browser, node_yaml: Path) -> None:
    before = node_yaml.read_text()
    ada.fill_in("/peers/new?group=peers&kind=dimse", **NEW)
    told = text_of(ada.get("/peers/history"))
    assert "ada peer ct1 added What changed" in told
    assert "+ ct1:" in told
    assert "edited by hand the first that was recorded" in told
    assert "- ct1:" in text_of(ada.get("/peers/history/1"))
    assert ada.go_back("/peers/history/1").status_code == 303
    assert node_yaml.read_text() == before
    assert "node.yaml says again what it said under revision 1; this is revision 3." in text_of(ada.get("/peers"))
    assert ada.get("/peers/history/9").status_code == 404


def test_going_back_undoes_nothing_that_was_not_seen(ada: Browser, node_yaml: Path, monkeypatch) -> None:
    ada.fill_in("/peers/new?group=peers&kind=dimse", **NEW)
    shown = ada.get("/peers/history/1")
    ada.fill_in("/peers/new?group=peers&kind=dimse", **NEW | {"name": "ct2"})  # by a colleague
    monkeypatch.setattr(ada, "get", lambda place: shown)
    answer = ada.go_back("/peers/history/1")
    assert (answer.status_code, "has been changed since" in text_of(answer)) == (409, True)
    assert "- ct2:" in text_of(answer), "what it would undo by now is shown"
    assert "ct2" in node_yaml.read_text()


def test_echo_and_probe_say_in_words_what_came(
    ada: Browser, node_yaml: Path, archive: EmbeddedArchive, signed_in: MakeBrowser
) -> None:
    form = form_of(ada, "/peers/peers/pacs")
    ada.post("/peers/peers/pacs", data=form | {"port": str(archive.port), "ae_title": "ARCHIVE"})
    otto = signed_in("otto")
    answer = text_of(otto.fill_in("/peers/peers/pacs/echo"))
    assert re.search(r"pacs : \S+@127.0.0.1:\d+ answers C-ECHO \(\d\.\d\d s\)", answer)
    probed = text_of(otto.fill_in("/peers/peers/pacs/probe"))
    assert "What pacs takes" in probed
    assert "The standard profile fits: nothing to set." in probed
    assert "is not there, or cannot be written" in text_of(otto.fill_in("/peers/destinations/share/echo"))
    assert otto.fill_in("/peers/destinations/share/probe").status_code == 409


def test_a_peer_that_does_not_answer_is_an_answer_too(ada: Browser, node_yaml: Path) -> None:
    node_yaml.write_text(node_yaml.read_text().replace("port: 4242", "port: 1"))
    ada.post("/peers/peers/pacs", data=form_of(ada, "/peers/peers/pacs"))
    answer = ada.fill_in("/peers/peers/pacs/echo")
    assert (answer.status_code, 'class="wrong" role="status"' in answer.text) == (200, True)


def test_every_input_of_a_form_has_a_label(ada: Browser) -> None:
    for group, kind in (("peers", "dimse"), ("peers", "dicomweb"), ("destinations", "dimse"), ("destinations", "stow"),
                        ("destinations", "folder")):
        page = ada.get(f"/peers/new?group={group}&kind={kind}").text
        ids = re.findall(r'<(?:input|select) id="([^"]+)"', page)
        assert len(ids) > 3
        assert all(f'<label for="{one}">' in page for one in ids)
        assert all(f'id="{one}"' in page for line in re.findall(r'aria-describedby="([^"]+)"', page)
                   for one in line.split())
    assert ada.get("/peers/new?group=peers&kind=folder").status_code == 404


def test_every_change_and_call_is_audited_with_who(
    ada: Browser, audited: Callable[[], list[Element]]
) -> None:
    ada.fill_in("/peers/new?group=peers&kind=dimse", **NEW)
    ada.fill_in("/peers/destinations/share/echo")
    told = [
        (message.find("EventIdentification/EventTypeCode").get("originalText"),
         message.find("ActiveParticipant").get("UserName"),
         message.find("ParticipantObjectIdentification/ParticipantObjectName").text)
        for message in audited()
        if message.find("EventIdentification/EventID").get("csd-code") == "110113"
    ]
    assert told == [("Network Configuration", "ada", "urn:segnode:peer:ct1"),
                    ("Use of Restricted Function", "ada", "urn:segnode:peer:share")]


def test_programs_read_change_and_undo(node_yaml: Path, program: MakeBrowser) -> None:
    ada, otto, place = program("ada"), program("otto"), "/api/v1/peers/peers/ct1"
    entry = {"ae_title": "CT1", "host": "ct1.example", "port": 104}
    first = ada.put(place, json={"entry": entry}).json()
    assert (first["revision"], "+  ct1:" in first["change"]) == (2, True)
    assert ada.put(place, json={"entry": entry}).json() == {"revision": 2, "change": ""}, "sent again, not done again"
    assert ada.get(f"{place}/entry").json() == entry
    assert otto.get(f"{place}/entry").status_code == 403
    assert otto.put(place, json={"entry": entry}).status_code == 403
    late = ada.put(place, json={"entry": entry | {"port": 105}, "was": entry | {"port": 1}})
    assert (late.status_code, "port was 1, is 104" in late.json()["detail"]) == (409, True)
    wrong = ada.put(place, json={"entry": entry | {"port": 0}})
    assert (wrong.status_code, wrong.headers["Content-Type"]) == (422, "application/problem+json")
    assert "peers.ct1.port = 0" in wrong.json()["detail"]
    assert ada.delete(place).json()["revision"] == 3
    assert ada.delete(place).status_code == 404
    assert ada.post("/api/v1/peers/history/2/restore?seen=other").status_code == 409
    seen = ada.get("/api/v1/peers/history").json()["seen"]
    assert ada.post(f"/api/v1/peers/history/2/restore?seen={seen}").json()["revision"] == 4
    assert otto.get(place).json()["address"] == "ct1.example:104"


def test_lists_have_pages(node_yaml: Path, program: MakeBrowser) -> None:
    ada = program("ada")
    ada.put("/api/v1/peers/peers/ct1", json={"entry": {"ae_title": "CT1", "host": "h", "port": 104}})
    first = ada.get("/api/v1/peers?limit=2").json()
    second = ada.get("/api/v1/peers", params={"limit": 2, "after": first["next"]}).json()
    assert [one["name"] for one in first["peers"] + second["peers"]] == ["share", "ct1", "pacs"]
    assert second["next"] is None
    newest = ada.get("/api/v1/peers/history?limit=1").json()
    older = ada.get("/api/v1/peers/history", params={"limit": 1, "before": newest["next"]}).json()
    assert [(one["number"], one["by"]) for one in newest["revisions"] + older["revisions"]] == [(2, "ada"), (1, "")]
    assert older["next"] is None
    echoed = program("otto").post("/api/v1/peers/destinations/share/echo").json()
    assert echoed["answers"] is False
    assert program("otto").post("/api/v1/peers/destinations/share/probe").status_code == 409


def test_a_sentence_finds_its_field() -> None:
    problems = ["node.yaml:9: peers.ct1.port = 0: no", "node.yaml:1: ae_title = 'x y': no", "profile: no valid YAML"]
    assert by_field([*problems, "routes.yaml:3: route a: no"], "peers.ct1.") == {
        "port": ["port = 0: no"],
        "profile": ["profile: no valid YAML"],
        "": ["ae_title = 'x y': no", "routes.yaml:3: route a: no"],
    }


def test_the_form_brings_back_what_it_showed(ada: Browser) -> None:
    was = json.loads(form_of(ada, "/peers/peers/pacs")["was"])
    assert was == {"ae_title": "PACS", "host": "127.0.0.1", "port": 4242}
    assert ada.fill_in("/peers/peers/pacs", ae_title="X").status_code == 404
