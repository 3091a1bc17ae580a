"""What is done about one study from its page and by programs: routed, run, fetched, downloaded, deleted; measured."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element
from zipfile import ZipFile

import pytest
from audit_schema import code
from browsing import Browser

from dicom_node.assembly import Parts, assemble
from dicom_node.settings import load
from storage.lifecycle import DeliveryState, JobState, StudyState

MakeBrowser = Callable[[str], Browser]
STUDY = "/api/v1/studies/1.2.3"


@pytest.fixture
def parts(conf: Path, empty_sqlite: Callable[[Path], None]) -> Iterator[Parts]:
    """The storage of a node with two models for one task, and an archive to fetch from."""
    with (conf / "models.yaml").open("a") as models:
        models.write("  brighter: {task: liver_tumour, kind: threshold, lower: 200, upper: 3000}\n")
    with (conf / "node.yaml").open("a") as node:
        node.write("peers:\n  pacs: {ae_title: PACS, host: 127.0.0.1, port: 104}\nweb: {names_for: [admin]}\n")
    settings = load(conf)
    empty_sqlite(settings.node.data_folder / "segnode.sqlite")
    parts = assemble(settings)
    yield parts
    parts.close()


@pytest.fixture
def otto(story: Parts, program: MakeBrowser) -> Browser:
    """A program of an operator, who is not shown names here."""
    return program("otto")


@pytest.fixture
def ada(story: Parts, program: MakeBrowser) -> Browser:
    """A program of an administrator."""
    return program("ada")


def give_up_what_waits(parts: Parts) -> None:
    with parts.database.transaction() as tx:
        tx.jobs.claim("me", 200.0, 60.0)
        tx.jobs.finish("job-3", "me", JobState.REFUSED, 201.0)


def test_a_program_has_it_routed_and_run_and_fetched_once_each(otto: Browser, story: Parts) -> None:
    key = {"headers": {"Idempotency-Key": "k"}}
    assert otto.post(f"{STUDY}/run", json={"model": "brighter"}, **key).json() == {"jobs": 1}
    assert otto.post(f"{STUDY}/run", json={"model": "brighter"}, **key).json() == {"jobs": 1}
    assert otto.post(f"{STUDY}/run", json={"model": "brighter"}).status_code == 409
    assert otto.post(f"{STUDY}/run", json={"model": "gone"}).status_code == 404
    assert otto.post(f"{STUDY}/route").json() == {"routed": True}
    assert otto.post(f"{STUDY}/route").status_code == 409
    asked = {"peer": "pacs"}
    assert otto.post("/api/v1/studies/1.2.9/fetch", json=asked).json() == {"studies": ["1.2.9"], "peer": "pacs"}
    assert otto.post("/api/v1/studies/1.2.9/fetch", json=asked).json() == {"studies": [], "peer": "pacs"}
    unnamed = otto.post("/api/v1/studies/1.2.9/fetch")
    assert (unnamed.status_code, "known: pacs" in unnamed.json()["detail"]) == (400, True)


def test_each_is_audited_with_who_asked(otto: Browser, ada: Browser, audited: Callable[[], list[Element]]) -> None:
    otto.post(f"{STUDY}/route")
    otto.post(f"{STUDY}/fetch", json={"peer": "pacs"})
    ada.delete("/api/v1/studies/1.2.4")
    told = audited()
    kinds = [message.find("EventIdentification/EventTypeCode") for message in told]
    assert [code(one)[0] if one is not None else "deleted" for one in kinds] == ["route", "fetch", "deleted"]
    assert [message.find("ActiveParticipant").get("UserID") for message in told] == ["otto", "otto", "ada"]


class TestDelete:
    def test_not_while_work_hangs_on_it(self, ada: Browser, story: Parts) -> None:
        answer = ada.delete(STUDY)
        assert (answer.status_code, "PENDING" in answer.json()["detail"]) == (409, True)

    def test_what_waited_for_a_person_is_dropped_with_it(self, ada: Browser, story: Parts) -> None:
        give_up_what_waits(story)
        assert ada.delete(STUDY).json() == {"files": 2, "bytes": 20}
        with story.database.reading() as tx:
            assert tx.studies.get("1.2.3").state is StudyState.REMOVED
            assert tx.deliveries.counts() == {DeliveryState.SUPERSEDED: 2, DeliveryState.SENT: 1}
        assert ada.delete(STUDY).status_code == 409
        assert ada.delete("/api/v1/studies/1.2.9").status_code == 404

    def test_an_operator_may_not(self, otto: Browser) -> None:
        assert otto.delete("/api/v1/studies/1.2.4").status_code == 403

    def test_on_the_page_only_where_the_box_is_ticked(self, story: Parts, signed_in: MakeBrowser) -> None:
        browser = signed_in("ada")
        for sure, state in ({}, StudyState.NOT_ROUTED), ({"sure": "true"}, StudyState.REMOVED):
            browser.fill_in("/studies/1.2.4/delete", "/studies/1.2.4", **sure)
            with story.database.reading() as tx:
                assert tx.studies.get("1.2.4").state is state


class TestDownload:
    def test_the_files_for_who_is_shown_names(
        self, place: str, parts: Parts, program: MakeBrowser, audited: Callable[[], list[Element]]
    ) -> None:
        study = place.split("/")[2]
        answer = program("ada").get(f"/api/v1/studies/{study}/download")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{study}.zip"'
        assert len(ZipFile(io.BytesIO(answer.content)).namelist()) == 5
        (told,) = audited()
        assert code(told.find("EventIdentification/EventTypeCode"))[0] == "download"

    def test_not_for_who_is_not(self, otto: Browser, story: Parts) -> None:
        assert otto.get(f"{STUDY}/download").status_code == 403

    def test_a_file_that_is_gone_is_told_before_anything_is_sent(self, ada: Browser) -> None:
        answer = ada.get("/api/v1/studies/1.2.4/download")
        assert (answer.status_code, answer.json()["detail"]) == (404, "ab/1.2.4.dcm is not in the archive")

    def test_nothing_where_nothing_is_held(self, ada: Browser) -> None:
        ada.delete("/api/v1/studies/1.2.4")
        assert ada.get("/api/v1/studies/1.2.4/download").status_code == 404


def test_measurements(otto: Browser) -> None:
    found = otto.get(f"{STUDY}/measurements").json()
    assert found["results"][0]["findings"] == [{"label": "Liver", "ml": 12.5, "voxels": 9}]


class TestPage:
    def test_it_offers_what_the_one_who_looks_may(self, story: Parts, signed_in: MakeBrowser) -> None:
        offered = {name: signed_in(name).get("/studies/1.2.3").text for name in ("vera", "otto", "ada")}
        for name, words in (("Route again", "otto ada"), ("Run with another model", "otto ada"),
                            ("Fetch from an archive", "otto ada"), ("Download", "ada"), ("Delete", "ada")):
            assert [who for who, page in offered.items() if name in page] == words.split()
        assert "<option>brighter</option>" in offered["otto"]
        assert "<option>bright</option>" not in offered["otto"]

    def test_it_does_and_says_so(self, story: Parts, signed_in: MakeBrowser) -> None:
        browser = signed_in("otto")
        for verb, fields, said in (
            ("run", {"model": "brighter"}, "1 job of model brighter will take the place"),
            ("fetch", {"peer": "pacs"}, "pacs will be asked for 1 study."),
            ("fetch", {"peer": "pacs"}, "It is being fetched already."),
            ("route", {}, "Every route looks at this study again."),
        ):
            browser.fill_in(f"/studies/1.2.3/{verb}", "/studies/1.2.3", **fields)
            assert said in browser.get("/studies/1.2.3").text
        browser.fill_in("/fetch", "/studies", study=" 1.2.9 ", peer="pacs")
        assert "pacs will be asked for 1 study." in browser.get("/studies").text

    def test_it_draws_how_lesions_changed(self, story: Parts, signed_in: MakeBrowser) -> None:
        seen = {"label": "Tumour 1", "ml": 2.0, "long_mm": 16.0, "short_mm": 9.0}
        history = [{"taken": day, "seen": {"2.25.1": seen | {"ml": ml}}, "new": [], "vanished": []}
                   for day, ml in (("2026-01-01", 2.0), ("2026-03-01", 4.0))]
        with story.database.transaction() as tx:
            tx.jobs.claim("me", 200.0, 60.0)
            tx.jobs.finish("job-3", "me", JobState.DONE, 201.0, "", {"trend": {"prior": "1.2.2", "history": history}})
            tx.journal.add(201.0, "compared", "compared with the study before", study="1.2.3", job="job-3")
        page = signed_in("vera").get("/studies/1.2.3").text
        assert 'points="10.0,80.0 990.0,10.0"' in page
        assert "Compared with the study before." in page
        assert "4.00 ml, 16.0 mm" in page
