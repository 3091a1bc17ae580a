"""Routing: rules as forms and YAML, a dry run, going live, and what rules say of files.

dicom_node.web.pages.routing, dicom_node.web.api.routing, dicom_node.web.rehearsing;
dicom_node.configuring.route_changes, dicom_node.acts.rehearsal, dicom_node.indexed,
dicom_node.network.headers.headers_only
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from browsing import NOW, Browser
from pydicom import dcmread

from dicom_node.acts import rehearsal
from dicom_node.acts.rehearsal import rehearse
from dicom_node.assembly import Parts
from dicom_node.routing.route import Routing
from storage.archive import INCOMING
from storage.lifecycle import StudyState
from storage.records import Instance, InstanceKind, StoredFile

MakeBrowser = Callable[[str], Browser]

EVERYTHING = """name: everything
when: {kind: volume}
select: {kind: one_series, role: CT}
task: liver_tumour
model: bright
outputs: [seg]
destinations: [share]
"""


@pytest.fixture
def week(parts: Parts) -> Parts:
    """Three studies of CT slices, of 2, 5 and 9, settled yesterday; whose they are stands in a description."""
    with parts.database.transaction() as tx:
        for count in (2, 5, 9):
            study = f"1.2.{count}"
            for number in range(count):
                header = {"Modality": "CT", "SeriesDescription": "of JANE", "Rows": 512, "Columns": 512,
                          "ImagePositionPatient": [0.0, 0.0, 3.0 * number], "PixelSpacing": [0.8, 0.8],
                          "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "SliceThickness": 3.0}  # fmt: skip
                uid = f"{study}.1.{number}"
                tx.studies.add_instance(
                    Instance(uid, "1.2.840.10008.5.1.4.1.1.2", f"{study}.1", study, "1.2.840.10008.1.2.1",
                             InstanceKind.IMAGE, StoredFile(uid, 1, uid), NOW - 10.0 * count, "a", header),
                    {"PatientName": "Doe^Jane"},
                )  # fmt: skip
            tx.studies.move(study, StudyState.COMPLETE, NOW)
            tx.studies.move(study, StudyState.NOT_ROUTED, NOW)
    return parts


def narrowed(least: int) -> str:
    return EVERYTHING.replace("{kind: volume}", f"{{kind: slices, at_least: {least}}}   # thin ones only")


class TestDryRun:
    def test_it_tells_which_studies_would_change_and_how(self, week: Parts, program: MakeBrowser) -> None:
        draft = {"route": "everything", "yaml": narrowed(6)}
        told = program("otto").post("/api/v1/routing/rehearse", json=draft).json()
        assert (told["looked_at"], told["would_change"], told["taken"], told["whole"]) == (3, 2, 1, True)
        assert [one["study"] for one in told["changes"]] == ["1.2.2", "1.2.5"]
        change = told["changes"][1]
        (difference,) = change["differences"]
        assert "model bright gets a job" in difference["before"]
        assert "5 slices" in difference["after"] or "slices 5" in difference["after"]

    def test_where_results_go_and_how_urgent_they_are_is_a_change(self, week: Parts) -> None:
        before = week.settings.routing
        route = before.routes[0].model_copy(update={"destinations": ()})
        found = rehearse(week.database, before, Routing(routes=(route,)), 0.0)
        assert len(found.changes) == found.taken == 3
        assert "to nobody" in found.changes[0].differences[0].after

    def test_older_studies_and_those_beyond_the_bound_are_left_out(self, week: Parts, monkeypatch) -> None:
        before = week.settings.routing
        assert rehearse(week.database, before, Routing(), NOW - 55.0).looked_at == 2
        monkeypatch.setattr(rehearsal, "PAGE", 1)
        assert rehearse(week.database, before, Routing(), 0.0).looked_at == 3
        monkeypatch.setattr(rehearsal, "MOST", 1)
        found = rehearse(week.database, before, Routing(), 0.0)
        assert (found.looked_at, found.whole) == (1, False)

    @pytest.mark.parametrize(("yaml", "word"), [
        ("name: [", "no valid YAML"), (EVERYTHING + "colour: red\n", "no such key"),
        (EVERYTHING.replace("bright", "dark"), "dark"), ("- a", "no mapping"),
    ])
    def test_what_cannot_be_used_is_said(self, week: Parts, program: MakeBrowser, yaml: str, word: str) -> None:
        answer = program("otto").post("/api/v1/routing/rehearse", json={"route": "everything", "yaml": yaml})
        assert answer.status_code >= 400
        assert word in answer.json()["detail"]

    def test_a_new_one_does_not_take_anothers_place(self, week: Parts, program: MakeBrowser) -> None:
        otto = program("otto")
        taken = otto.post("/api/v1/routing/rehearse", json={"yaml": EVERYTHING})
        assert "another name" in taken.json()["detail"]
        gone = otto.post("/api/v1/routing/rehearse", json={"route": "gone", "yaml": EVERYTHING})
        assert gone.status_code == 404


class TestPage:
    def test_the_form_changes_the_yaml_and_the_yaml_the_form(self, week: Parts, signed_in: MakeBrowser) -> None:
        otto = signed_in("otto")
        page = otto.get("/routing/edit?route=everything").text
        assert 'name="destinations" value="share" checked' in page
        answer = otto.fill_in("/routing/edit", route="everything", was=narrowed(6), days="7",
                              **{"when.at_least": "3", "outputs": "sr"})  # fmt: skip
        shown = html.unescape(answer.text)
        assert "{kind: slices, at_least: 3}   # thin ones only" in shown
        assert "outputs: [sr]" in shown
        assert "destinations: [share]" not in shown.split("</pre>")[-1], "nothing was ticked"
        answer = otto.fill_in("/routing/edit", route="everything", was=EVERYTHING, yaml=narrowed(6), days="7")
        assert "2 studies would change" in answer.text
        assert 'name="when.at_least" value="6"' in answer.text
        assert "Go live" not in answer.text
        assert "An administrator lets it go live" in answer.text

    def test_broken_yaml_keeps_the_form_of_before(self, week: Parts, signed_in: MakeBrowser) -> None:
        sent = {"route": "everything", "was": EVERYTHING, "yaml": "when: [", "days": "7"}
        answer = signed_in("otto").fill_in("/routing/edit", **sent)
        assert answer.status_code == 422
        assert "no valid YAML" in answer.text
        assert 'name="destinations" value="share" checked' in answer.text

    def test_who_may_only_look_sees_rules_and_no_button(self, parts: Parts, signed_in: MakeBrowser) -> None:
        vera = signed_in("vera")
        assert "everything" in vera.get("/routing").text
        assert "Dry run" not in vera.get("/routing/edit?route=everything").text
        assert vera.get("/routing/edit?route=gone").status_code == 404
        assert "name: everything-2" in vera.get("/routing/edit?like=everything").text
        assert vera.get("/routing/edit").status_code == 200

    def test_it_goes_live_once_and_is_recorded(
        self, week: Parts, conf: Path, signed_in: MakeBrowser, audited: Callable[[], list[Element]]
    ) -> None:
        ada = signed_in("ada")
        page = ada.fill_in("/routing/edit", route="everything", was=EVERYTHING, yaml=narrowed(6), days="7").text
        seen = re.search(r'name="seen" value="([0-9a-f]+)"', page)
        assert seen
        answer = ada.fill_in("/routing/live", route="everything", yaml=narrowed(6), seen=seen[1])
        assert answer.headers["Location"] == "/routing"
        assert "at_least: 6}   # thin ones only" in (conf / "routes.yaml").read_text()
        with week.database.reading() as tx:
            newest, _ = tx.revisions.newest()
            assert (tx.revisions.find(newest).by, tx.revisions.find(newest).what) == ("ada", "route everything changed")
        assert ada.fill_in("/routing/live", route="everything", yaml=EVERYTHING, seen=seen[1]).status_code == 409
        assert ada.get("/api/v1/routing").json()["routes"][0]["when"]["kind"] == "slices"
        assert audited()


def test_a_browsers_line_ends_do_not_reach_the_file(parts: Parts, conf: Path, signed_in: MakeBrowser) -> None:
    ada, sent = signed_in("ada"), narrowed(6).replace("\n", "\r\n")
    page = ada.fill_in("/routing/edit", route="everything", yaml=sent).text
    assert " \n" not in html.unescape(page[page.index('<textarea name="yaml" hidden>') :].partition("</textarea>")[0])
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', page)
    assert seen
    assert ada.fill_in("/routing/live", route="everything", yaml=sent, seen=seen[1]).status_code == 303
    written = (conf / "routes.yaml").read_bytes()
    assert b"at_least: 6}   # thin ones only\n" in written
    assert b"\r" not in written


def test_a_program_goes_live_with_what_it_has_seen(parts: Parts, program: MakeBrowser) -> None:
    ada = program("ada")
    wanted = {"yaml": EVERYTHING.replace("everything", "more"), "seen": ada.get("/api/v1/routing").json()["seen"]}
    assert "name: more" in ada.post("/api/v1/routing/live", json=wanted).json()["change"]
    assert [one["name"] for one in ada.get("/api/v1/routing").json()["routes"]] == ["everything", "more"]
    assert ada.post("/api/v1/routing/live", json=wanted).status_code == 409


class TestFiles:
    def test_every_rule_says_what_it_thinks_and_nothing_is_kept(
        self, parts: Parts, signed_in: MakeBrowser, ct_series: list[Path]
    ) -> None:
        otto = signed_in("otto")
        files = [("file", (one.name, one.read_bytes())) for one in ct_series] + [("file", ("a.txt", b"hello"))]
        page = otto.post("/routing/judge", data={"csrf": otto.form_token("/routing")}, files=files).text
        assert "everything would fire" in " ".join(page.split())
        assert "a.txt: it is no DICOM file" in page
        with parts.database.reading() as tx:
            assert tx.studies.counts() == {}
        assert list((parts.archive.root / INCOMING).iterdir()) == []

    def test_one_image_is_judged_as_if_it_were_all_and_a_study_that_is_here_is_told(
        self, parts: Parts, program: MakeBrowser, ct_series: list[Path]
    ) -> None:
        otto, content = program("otto"), ct_series[0].read_bytes()
        kind = {"Content-Type": "application/dicom"}
        otto.post("/api/v1/studies", content=content, headers=kind)
        (told,) = otto.post("/api/v1/routing/judge", content=content, headers=kind).json()["studies"]
        assert told["study"] == str(dcmread(ct_series[0], stop_before_pixels=True).StudyInstanceUID)
        assert (told["is_here"], told["images"], told["fires"]) == (True, 1, ["everything"])
        assert [one["ok"] for one in told["verdicts"]] == [True, True]
        assert "chosen as CT" in told["verdicts"][0]["reason"]


def test_whose_study_it_is_stays_hidden_where_it_has_to(conf: Path, request: pytest.FixtureRequest) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write("web: {names_for: []}\n")
    request.getfixturevalue("week")
    otto = request.getfixturevalue("program")("otto")
    told = otto.post("/api/v1/routing/rehearse", json={"route": "everything", "yaml": narrowed(6)}).text
    assert "JANE" not in told
    assert "hidden" in told
