"""Each page of the console used in Chromium for what it is there for; the node is a real one, and Orthanc its PACS.

`make viewers` runs this (SCREENSHOTS=folder keeps what was shown).
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ball_scan import ball
from browsing import PASSWORD
from console_site import sign_in
from lived_in import LivedIn, ct, mr
from pydicom import dcmread
from shown_pages import SHOWN, Open, Take, keep, pages, shows, words

pytestmark = [pytest.mark.viewer, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(600)]

BY_A_PROVIDER = {"/sign-in/oidc", "/sign-in/oidc/back"}  # which a site has beside the node; see test_single_sign_on
BALL_ML = round(float((ball().array > 150).sum()) * ball().grid.voxel_ml, 3)


def test_no_page_is_without_a_test() -> None:
    assert set(SHOWN) == pages() - BY_A_PROVIDER


@shows("/sign-in")
def test_sign_in_says_what_was_wrong_and_leads_on_to_what_was_wanted(stranger: Open) -> None:
    page = stranger()
    page.goto("/studies?state=DISPATCHED")
    keep(page, "sign-in")
    sign_in(page, "ada", "a pear a day")
    assert words(page.get_by_role("alert")) == "Name or password is wrong."
    sign_in(page, "ada")
    page.get_by_role("heading", name="Studies").wait_for()
    assert page.get_by_label("State").input_value() == "DISPATCHED"


@shows("/")
def test_overview_begins_with_what_needs_a_person(page: Any) -> None:
    page.goto("/")
    first = page.get_by_role("main").get_by_role("region").first
    assert "1 delivery given up" in words(first)
    assert words(page.get_by_role("region", name="Receiver and roles")).count(" runs ") == 4
    assert "pacs up" in words(page.get_by_role("region", name="Destinations"))
    assert "2 dispatched" in words(page.get_by_role("region", name="Queues"))
    keep(page, "overview")
    first.get_by_role("link").first.click()
    page.get_by_role("heading", name="Deliveries").wait_for()
    assert page.get_by_label("State").input_value() == "DEAD"


@shows("/studies")
def test_studies_are_found_and_the_list_renews_itself(page: Any, lived_in: LivedIn, tmp_path: Path) -> None:
    def listed() -> list[str]:
        return [words(row) for row in page.locator("#live-studies tbody tr").all()]

    page.goto("/studies")
    assert len(listed()) >= 2
    page.get_by_label("Patient, accession number or study UID").fill("jane")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Show all").wait_for()
    assert ["Doe, Jane" in row for row in listed()] == [True]
    page.goto("/studies")
    page.get_by_label("waits for a person").check()
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="Show all").wait_for()
    assert ["viewer dead" in row for row in listed()] == [True]

    page.get_by_role("link", name="Show all").click()
    page.evaluate("document.body.dataset.loaded = 'once'")
    lived_in.send(mr("pelvis", tmp_path))
    page.locator("#live-studies").get_by_text("not routed").wait_for()
    assert any("MR · Pelvis · 40 images not routed" in row for row in listed())
    assert page.evaluate("document.body.dataset.loaded") == "once"
    keep(page, "studies")


@shows("/studies/{uid}", "/studies/{uid}/pictures/{sop}", "/studies/{uid}/pictures/{sop}/{number}",
       "/studies/{uid}/results/{sop}", "/studies/{uid}/results/{sop}/pdf", "/studies/{uid}/download")
def test_a_study_shows_its_way_verdicts_and_pictures_and_gives_files(page: Any, take: Take, lived_in: LivedIn) -> None:
    page.goto(f"/studies/{lived_in.whole.uid}")
    way = [words(step) for step in page.get_by_role("region", name="Its way").get_by_role("listitem").all()]
    assert [step.split()[0] for step in way][:5] == ["received", "complete", "routed", "inferred", "delivered"]
    assert all(re.search(r" [\d.]+ s\b", step) for step in way[:5]), "each with its duration"
    scout = page.get_by_role("row").filter(has_text="Scout")
    assert "abdomen no: series 2 “Scout”: left out as localizer" in words(scout)
    liver = page.get_by_role("region", name="Results").get_by_role("row").filter(has_text="Liver").first
    assert words(liver) == f"Liver {BALL_ML:.2f} ml"

    page.locator(".pictures summary").click()
    caption, image = page.locator(".pictures figcaption"), page.locator(".pictures img")
    caption.get_by_text(re.compile(r"of \d+: Liver")).wait_for()
    first, before = words(caption), image.get_attribute("src")
    page.get_by_label("Slice").press("ArrowRight")
    caption.filter(has_not_text=first).wait_for()
    image.evaluate("image => image.decode()")
    assert image.get_attribute("src") != before
    page.locator("[id^=objects-] summary").click()
    keep(page, "study")

    objects = page.locator("[id^=objects-]")
    assert dcmread(io.BytesIO(take(page, objects.get_by_role("link", name="seg")))).Modality == "SEG"
    whole = zipfile.ZipFile(io.BytesIO(take(page, page.get_by_role("link", name="Download"))))
    assert len(whole.namelist()) >= len(lived_in.whole.paths) + 4
    with page.expect_response(re.compile("/pdf$")) as report:
        objects.get_by_role("link", name="PDF").click()
    assert (report.value.status, report.value.headers["content-type"]) == (200, "application/pdf")


def test_a_study_that_was_refused_says_why(page: Any, lived_in: LivedIn) -> None:
    page.goto(f"/studies/{lived_in.holed.uid}")
    result = words(page.get_by_role("region", name="Results"))
    assert "liver tumour refused" in result
    assert "Slices are missing" in result
    keep(page, "study-refused")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("status").get_by_text("1 job and 0 deliveries go again.").wait_for()


@shows("/try")
def test_try_takes_a_study_of_ones_own_and_sends_nothing(page: Any, lived_in: LivedIn, tmp_path: Path) -> None:
    brought, packed = ct("brought", tmp_path), io.BytesIO()
    with zipfile.ZipFile(packed, "w") as pack:
        for path in brought.paths:
            pack.write(path, path.name)
    page.goto("/try")
    page.get_by_label("Task").select_option("liver_tumour")
    file = {"name": "study.zip", "mimeType": "application/zip", "buffer": packed.getvalue()}
    page.get_by_label("A zip of DICOM files, or files").set_input_files(file)
    keep(page, "try")
    page.get_by_role("button", name="Bring it").click()
    page.get_by_role("status").get_by_text("42 objects taken. Nothing is sent unless you ask.").wait_for()
    page.get_by_role("region", name="Results").get_by_text(f"{BALL_ML:.2f} ml").first.wait_for()
    page.locator(".pictures summary").wait_for()
    assert "Nothing is to be sent." in words(page.get_by_role("region", name="Deliveries"))
    keep(page, "tried")
    assert not any(one["MainDicomTags"]["Modality"] == "SEG" for one in lived_in.orthanc.series(brought.uid))


@shows("/routing", "/routing/edit", "/routing/history", "/routing/history/{number}")
def test_a_rule_is_tried_changed_and_brought_back(page: Any, lived_in: LivedIn) -> None:
    file = lived_in.node.conf / "routes.yaml"
    before = file.read_text()
    page.goto("/routing")
    keep(page, "routing")
    page.get_by_label("DICOM files, or a zip of them").set_input_files(lived_in.whole.paths[-1])
    page.get_by_role("button", name="Look at them").click()
    told = words(page.get_by_role("region", name="What fires, and why"))
    assert "abdomen no: series 2 “Scout”: left out as localizer" in told
    page.get_by_role("link", name="abdomen", exact=True).click()
    yaml = page.get_by_label("The rule in routes.yaml; comments stay")
    yaml.fill(yaml.input_value().replace("[CT]", "[PT]"))
    page.get_by_role("button", name="Dry run of the YAML").click()
    page.get_by_role("heading", name=re.compile(r"^\d+ studies would change$")).wait_for()
    assert page.locator(f'a[href="/studies/{lived_in.whole.uid}"]').count() == 1
    keep(page, "route")
    page.get_by_role("button", name="Go live").click()
    page.get_by_role("status").get_by_text("routes.yaml is written; this is revision").wait_for()
    assert file.read_text() == before.replace("[CT]", "[PT]"), "and every comment stays"
    page.get_by_role("link", name="Who changed what, and the way back").click()
    assert "ada route abdomen changed" in words(page.get_by_role("row").nth(1))
    keep(page, "routing-history")
    page.get_by_role("link", name="Back to revision").first.click()
    assert "+ - {kind: modality, any_of: [CT]}" in words(page.locator("pre.diff"))
    page.get_by_role("button", name="Write it").click()
    page.get_by_role("heading", name="Routing").wait_for()
    assert file.read_text() == before


@shows("/peers", "/peers/new", "/peers/{group}/{name}", "/peers/history", "/peers/history/{number}")
def test_a_peer_is_called_probed_added_and_undone(page: Any, lived_in: LivedIn) -> None:
    file = lived_in.node.conf / "node.yaml"
    before = file.read_text()
    page.goto("/peers")
    page.get_by_role("button", name="C-ECHO pacs").click()
    page.get_by_role("status").get_by_text("answers C-ECHO").wait_for()
    page.get_by_role("button", name="Probe pacs").click()
    taken = page.get_by_role("region", name="What pacs takes").get_by_role("row")
    assert words(taken.filter(has_text="seg").first).startswith("seg yes")
    keep(page, "peers")
    page.get_by_role("link", name="A peer").first.click()
    for label, value in (("Name", "ct1"), ("AE title", "CT1"), ("Host", "127.0.0.1"), ("Port", "0")):
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Write it").click()
    assert "Nothing was written." in words(page.get_by_role("alert"))
    keep(page, "peer-wrong")
    page.get_by_label("Port", exact=True).fill("104")
    page.get_by_role("button", name="Write it").click()
    page.get_by_role("link", name="ct1").click()
    assert "127.0.0.1:104" in words(page.get_by_role("region", name="As it is"))
    page.get_by_role("link", name="history").click()
    assert "ada peer ct1 added" in words(page.get_by_role("row").nth(1))
    page.get_by_role("link", name="Back to revision").first.click()
    assert "- ct1:" in words(page.locator("pre.diff"))
    page.get_by_role("button", name="Write it").click()
    page.get_by_role("heading", name="Peers").wait_for()
    assert page.get_by_role("link", name="ct1").count() == 0
    assert file.read_text() == before


@shows("/models", "/models/{name}", "/models/history", "/models/history/{number}")
def test_a_model_is_read_again_rests_and_gets_a_shadow(page: Any, lived_in: LivedIn) -> None:
    file = lived_in.node.conf / "models.yaml"
    page.goto("/models")
    keep(page, "models")
    page.get_by_role("link", name="bright", exact=True).click()
    page.get_by_role("button", name="Verify").click()
    page.get_by_role("status").get_by_text("Every file of bright is as it was recorded.").wait_for()
    page.get_by_role("button", name="Disable").click()
    page.get_by_text("by ada: it takes no new jobs.").wait_for()
    page.get_by_role("button", name="Enable").click()
    page.get_by_role("status").get_by_text("Model bright takes jobs again.").wait_for()
    before = file.read_text()
    page.get_by_label("Shadow", exact=True).select_option("dim")
    page.get_by_role("button", name="Change").click()
    page.get_by_role("status").get_by_text("Model dim runs on the same images as bright").wait_for()
    assert file.read_text() == before.replace("upper: 3000}", "upper: 3000, shadow: dim}", 1)
    keep(page, "model")
    page.goto("/models/history")
    assert "ada model dim is the shadow of bright" in words(page.get_by_role("row").nth(1))
    page.get_by_role("link", name="Back to revision").first.click()
    page.get_by_role("button", name="Write it").click()
    page.get_by_role("heading", name="Models").wait_for()
    assert file.read_text() == before


@shows("/deliveries")
def test_what_was_given_up_goes_again_once_it_is_mended(page: Any, lived_in: LivedIn) -> None:
    page.goto("/deliveries")
    page.get_by_label("State").select_option("DEAD")
    page.get_by_role("button", name="Show").click()
    dead = page.locator("#live-deliveries tbody tr")
    dead.filter(has_text="VIEWER").wait_for()
    assert "did not keep 4 of 4 objects" in words(dead)
    keep(page, "deliveries")
    lived_in.viewer.understands = True
    page.get_by_role("button", name="Send again what was given up (1)").click()
    page.get_by_role("status").get_by_text("0 jobs and 1 delivery go again.").wait_for()
    row = page.locator("#live-deliveries tbody tr").filter(has_text="viewer")
    row.get_by_text(re.compile("^(sent|committed)$", re.I)).wait_for()
    assert len(lived_in.viewer.kept()) == 4


@shows("/audit")
def test_the_audit_trail_says_who_looked_at_whom(page: Any, take: Take, lived_in: LivedIn) -> None:
    page.goto(f"/studies/{lived_in.whole.uid}")
    page.goto("/audit")
    page.get_by_label("Person, process, AE title or address").fill("ada")
    page.get_by_label("What was done").select_option("study looked at by a person")
    page.get_by_role("button", name="Show").click()
    row = page.get_by_role("row").filter(has_text="Doe, Jane").first
    assert "Study looked at by ada" in words(row)
    keep(page, "audit")
    told = take(page, page.get_by_role("link", name="All of these as JSON lines")).decode().splitlines()
    assert lived_in.whole.uid in {json.loads(line)["study"] for line in told}


@shows("/users", "/welcome")
def test_somebody_new_comes_in_by_a_link_and_sees_no_names(page: Any, stranger: Open, lived_in: LivedIn) -> None:
    page.goto("/users")
    page.get_by_label("Name", exact=True).fill("vera")
    page.get_by_label("Role", exact=True).select_option("viewer")
    page.get_by_role("button", name="Make").click()
    link = words(page.get_by_role("status").locator("code"))
    keep(page, "users")
    hers = stranger()
    hers.goto(link)
    assert words(hers.get_by_role("heading")) == "Welcome, vera"
    hers.get_by_label("Password", exact=True).fill(PASSWORD)
    hers.get_by_label("The same again").fill(PASSWORD)
    hers.get_by_role("button", name="Come in").click()
    hers.get_by_role("heading", name="Overview").wait_for()
    hers.goto(f"/studies/{lived_in.whole.uid}")
    assert "Doe" not in hers.content()
    assert hers.get_by_role("button", name="Send again").count() == 0
    page.goto("/users")
    page.get_by_role("button", name="Shut out: vera").click()
    page.get_by_role("button", name="Let in again: vera").wait_for()
    hers.goto("/studies")
    hers.get_by_role("heading", name="Sign in").wait_for()


@shows("/account")
def test_a_token_lets_a_program_in_until_it_is_revoked(page: Any, stranger: Open) -> None:
    page.goto("/account")
    page.get_by_label("For which program").fill("reading list")
    page.get_by_role("button", name="Make a token").click()
    bearer = {"Authorization": f"Bearer {words(page.get_by_role('status').locator('code'))}"}
    keep(page, "account")
    program = stranger().request
    assert program.get("/api/v1/status", headers=bearer).status == 200
    page.get_by_role("button", name="Revoke the token for reading list").click()
    page.get_by_role("status").get_by_text("The token is revoked.").wait_for()
    assert program.get("/api/v1/status", headers=bearer).status == 401


@shows("/about", "/about/support-bundle", "/about/conformance", "/about/conformance.pdf", "/about/conformance.md")
def test_about_gives_versions_the_bundle_and_the_conformance_statement(page: Any, take: Take) -> None:
    page.goto("/about")
    assert "pydicom" in words(page.get_by_role("region", name="Libraries"))
    keep(page, "about")
    bundle = zipfile.ZipFile(io.BytesIO(take(page, page.get_by_role("link", name="Support bundle"))))
    assert not any(b"Doe" in bundle.read(name) for name in bundle.namelist())
    page.get_by_role("link", name="Conformance statement").click()
    page.get_by_role("heading", level=1, name="Conformance").wait_for()
    assert "SEGNODE" in words(page.get_by_role("main"))
    keep(page, "conformance")
    assert take(page, page.get_by_role("link", name="As PDF")).startswith(b"%PDF")
    assert b"| SEGNODE |" in take(page, page.get_by_role("link", name="As Markdown"))
