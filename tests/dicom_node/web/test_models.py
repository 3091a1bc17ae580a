"""The page Models and its verbs in the API; dicom_node.web.pages.models, dicom_node.web.api.models."""

from __future__ import annotations

import errno
import html
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from browsing import NOW, Browser

from dicom_node.assembly import Parts
from dicom_node.configuring import changes as configuring
from dicom_node.web.console import Console
from storage.lifecycle import TrialState
from storage.working.shadows import Pair

MakeBrowser = Callable[[str], Browser]


@pytest.fixture
def otto(signed_in: MakeBrowser) -> Browser:
    """An operator."""
    return signed_in("otto")


def text_of(answer) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", answer.text).split()))


def test_everybody_sees_what_there_is_and_what_it_is_for(story: Parts, signed_in: MakeBrowser) -> None:
    vera = signed_in("vera")
    assert "bright threshold, threshold liver tumour 1 demonstration everything no files 1 1 waits 5.0 s" in text_of(
        vera.get("/models"))
    page = text_of(vera.get("/models/bright"))
    assert "no result of it is for a patient" in page
    assert "Verify" not in page
    assert vera.get("/models/nobody").status_code == 404


def test_an_operator_has_the_files_read_again(otto: Browser) -> None:
    assert otto.fill_in("/models/bright/verify", "/models/bright").status_code == 303
    page = text_of(otto.get("/models/bright"))
    assert "Every file of bright is as it was recorded." in page
    assert "by otto: Every file is as it was recorded." in page


def test_programs_read_and_verify(program: MakeBrowser) -> None:
    otto = program("otto")
    assert otto.get("/api/v1/models").json()[0]["verified"] is None
    checked = otto.post("/api/v1/models/bright/verify").json()
    assert (checked["by"], checked["fault"]) == ("otto", "")
    one = otto.get("/api/v1/models/bright").json()
    assert one["verified"] == checked
    assert one["card"]["facts"]["Intended use"] == "demonstration"
    assert otto.get("/api/v1/models/nobody").status_code == 404


def test_an_administrator_disables_one_and_is_asked_where_studies_wait(
    story: Parts, signed_in: MakeBrowser, conf: Path, console: Console
) -> None:
    ada = signed_in("ada")
    asked = ada.fill_in("/models/bright/disable", "/models/bright")
    assert (asked.status_code, "1 study waits for model bright" in text_of(asked)) == (409, True)
    assert "disabled" not in (conf / "models.yaml").read_text()
    assert ada.fill_in("/models/bright/disable", "/models/bright", sure="true").status_code == 303
    page = text_of(ada.get("/models/bright"))
    assert re.search(r"It is disabled since \S+ \S+ by ada: it takes no new jobs, and 1 study waits\.", page)
    assert re.search(r"It waits: model bright is disabled since \S+ \S+ by ada\.", text_of(ada.get("/studies/1.2.3")))
    assert "the job waits until it is enabled again" in text_of(ada.get("/studies/1.2.3"))
    assert "bright disabled" in text_of(ada.get("/models")).replace("threshold, threshold ", "")
    assert ada.fill_in("/models/bright/enable", "/models/bright").status_code == 303
    assert "Model bright takes jobs again." in text_of(ada.get("/models/bright"))
    assert console.parts.revision == 3
    assert "Configuration revision 3." in text_of(ada.get("/models"))
    assert "Disable" not in text_of(signed_in("otto").get("/models/bright"))


def test_where_the_file_cannot_be_written_the_page_shows_the_change(
    signed_in: MakeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(path: Path, text: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(configuring, "put_in_place", locked)
    answer = signed_in("ada").fill_in("/models/bright/disable", "/models/bright")
    assert (answer.status_code, "disabled: {" in html.unescape(answer.text)) == (409, True)


def test_programs_disable_and_enable(story: Parts, program: MakeBrowser) -> None:
    ada, place = program("ada"), "/api/v1/models/bright"
    asked = ada.post(f"{place}/disable")
    assert (asked.status_code, "1 study waits" in asked.json()["detail"]) == (409, True)
    assert ada.post(f"{place}/disable", json={"sure": True}).json()["revision"] == 2
    assert ada.post(f"{place}/disable", json={"sure": True}).json() == {"revision": 2, "change": ""}
    assert ada.get(place).json()["disabled"]["by"] == "ada"
    assert ada.post(f"{place}/enable").json()["revision"] == 3
    assert ada.get(place).json()["disabled"] is None


def test_an_operator_has_one_tried_and_one_at_a_time(story: Parts, otto: Browser, console: Console) -> None:
    assert otto.fill_in("/models/bright/bench", "/models/bright").status_code == 303
    page = text_of(otto.get("/models/bright"))
    assert "Model bright is tried as soon as no job waits." in page
    assert "pending Asked for by otto" in page
    again = otto.fill_in("/models/bright/bench", "/models/bright")
    assert (again.status_code, "One at a time: model bright, which otto" in text_of(again)) == (409, True)
    run = {"precision": "auto", "windows": 0, "seconds": 0.5, "network_s": 0.5, "peak_mb": 90, "dice_with_fp32": 1.0}
    with console.parts.database.transaction() as tx:
        bench = tx.benches.claim("me", NOW, 60.0)
        answer = {"device": "cpu", "chosen": "fp32", "better": None, "runs": [run]}
        tx.benches.end(bench.bench_id, "me", TrialState.DONE, NOW + 5, answer=answer)
    assert "auto 0.5 0.5 × 1.0 1.0 0 90 MB" in text_of(otto.get("/models/bright"))


def test_programs_have_one_tried(program: MakeBrowser) -> None:
    otto = program("otto")
    asked = otto.post("/api/v1/models/bright/bench")
    assert (asked.status_code, asked.json()["state"], asked.json()["by"]) == (202, "PENDING", "otto")
    assert otto.post("/api/v1/models/bright/bench").status_code == 409


DIM = "  # next year's\n  dim: {task: liver_tumour, kind: threshold, lower: 50, upper: 3000}\n"


@pytest.fixture
def two(conf: Path) -> Path:
    """models.yaml with a second model for the same task, before the node starts."""
    file = conf / "models.yaml"
    file.write_text(file.read_text() + DIM)
    return file


def test_an_administrator_names_a_shadow_and_takes_it_back(
    two: Path, signed_in: MakeBrowser, audited: Callable[[], list[Element]]
) -> None:
    ada, before = signed_in("ada"), two.read_text()
    assert "No model runs beside it." in text_of(ada.get("/models/bright"))
    assert ada.fill_in("/models/bright/shadow", "/models/bright", shadow="dim").status_code == 303
    page = ada.get("/models/bright")
    assert "Model dim runs on the same images as bright from now on, when no job waits." in text_of(page)
    assert "<option selected>dim</option>" in page.text
    assert two.read_text() == before.replace("upper: 3000}", "upper: 3000, shadow: dim}", 1), "comments stay"
    again = ada.fill_in("/models/bright/shadow", "/models/bright", shadow="dim").headers["Location"]
    assert "It was so already; nothing was written." in text_of(ada.get(again))
    history = text_of(ada.get("/models/history"))
    assert "ada model dim is the shadow of bright What changed" in history
    assert "- bright: {task: liver_tumour" in text_of(ada.get("/models/history/1"))
    assert ada.go_back("/models/history/1").headers["Location"] == "/models"
    assert two.read_text() == before
    assert ada.fill_in("/models/bright/shadow", "/models/bright", shadow="").status_code == 303
    assert "No model runs beside it." in text_of(ada.get("/models/bright"))
    assert [message.find("ActiveParticipant").get("UserName") for message in audited()] == ["ada", "ada"]


def test_what_cannot_be_the_shadow_is_said(two: Path, signed_in: MakeBrowser) -> None:
    answer = signed_in("ada").fill_in("/models/bright/shadow", "/models/bright", shadow="nobody")
    assert (answer.status_code, "no such model; known: bright, dim" in text_of(answer)) == (422, True)
    assert "Change" not in text_of(signed_in("otto").get("/models/bright"))


def test_programs_name_a_shadow_and_take_it_back(two: Path, program: MakeBrowser) -> None:
    ada, place = program("ada"), "/api/v1/models/bright"
    assert ada.put(f"{place}/shadow", json={"shadow": "dim"}).json()["revision"] == 2
    assert ada.put(f"{place}/shadow", json={"shadow": "dim"}).json() == {"revision": 2, "change": ""}
    assert (ada.get(place).json()["shadow"], ada.get("/api/v1/models/dim").json()["shadow_of"]) == ("dim", ["bright"])
    assert ada.put(f"{place}/shadow", json={"shadow": "bright"}).status_code == 422
    assert ada.put("/api/v1/models/nobody/shadow", json={"shadow": None}).status_code == 404
    (step, _) = ada.get("/api/v1/models/history").json()["revisions"]
    assert (step["by"], step["what"]) == ("ada", "model dim is the shadow of bright")
    assert ada.post("/api/v1/models/history/1/restore").json()["revision"] == 3
    assert ada.put(f"{place}/shadow", json={"shadow": None}).json() == {"revision": 3, "change": ""}
    assert program("otto").put(f"{place}/shadow", json={"shadow": "dim"}).status_code == 403


def test_how_a_shadow_compares_is_shown_with_the_worst_studies(
    story: Parts, otto: Browser, program: MakeBrowser
) -> None:
    region = {"region": "Liver", "dice": 0.5, "ml": 10.0, "shadow_ml": 12.0}
    with story.database.transaction() as tx:
        for job in ("job-0", "job-1", "job-2"):
            tx.shadows.add(Pair(job, "1.2.3", "bright", "1", "next"), 500.0)
        found = tx.shadows.claim("me", 500.0, 60.0)
        answer = {"regions": [region], "seconds": 1.0, "shadow_seconds": 2.0}
        tx.shadows.done(found.shadow_id, "me", 510.0, version="2", mean_dice=0.5, answer=answer)
        tx.shadows.failed(tx.shadows.claim("me", 500.0, 60.0).shadow_id, "me", 510.0, "no memory", "2")
    answer = otto.get("/models/bright")
    page = text_of(answer)
    assert "bright 1 and next 2 1 study, mean Dice 0.500 ; bright took 1.0 s, next 2.0 s in the mean; 1 failed." in page
    assert "Liver 1 0.500 10.00 ml 12.00 ml" in page
    assert "No memory." in page
    assert "1 study waits for that." in page
    assert 'href="/studies/1.2.3"' in answer.text
    view = program("otto").get("/api/v1/models/bright/shadow").json()
    assert (view["waiting"], view["compared"][0]["worst"][0]["study"]) == (1, "1.2.3")
    assert program("otto").get("/api/v1/models/nobody/shadow").status_code == 404
