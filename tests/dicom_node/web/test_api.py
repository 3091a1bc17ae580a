"""The API for programs, and what people do from pages too.

dicom_node.web.api.studies, dicom_node.web.api.deliveries, dicom_node.web.api.node, dicom_node.web.api.answers;
dicom_node.web.commands, dicom_node.web.asked
"""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from browsing import Browser

from dicom_node.assembly import Parts
from dicom_node.web.permissions import ROUTES

MakeBrowser = Callable[[str], Browser]


@pytest.fixture
def otto(story: Parts, program: MakeBrowser) -> Browser:
    """A program of an operator."""
    return program("otto")


def test_studies_come_a_page_at_a_time(otto: Browser) -> None:
    first = otto.get("/api/v1/studies?limit=1").json()
    second = otto.get("/api/v1/studies", params={"limit": 1, "after": first["next"]}).json()
    assert [one["study"] for one in first["studies"] + second["studies"]] == ["1.2.4", "1.2.3"]
    assert second["next"] is None


def test_a_study_and_why_it_got_what_it_got(otto: Browser) -> None:
    study, explained = (otto.get(f"/api/v1/studies/1.2.3{end}").json() for end in ("", "/explain"))
    assert study["jobs"][0]["findings"] == [{"label": "Liver", "ml": 12.5, "voxels": 9}]
    assert "history" not in study
    assert explained["verdicts"][0]["reason"] == "slices are [axial]"
    assert explained["timeline"][0]["step"] == "received"


def test_deliveries_models_and_status(otto: Browser) -> None:
    (dead,) = otto.get("/api/v1/deliveries?state=DEAD").json()["deliveries"]
    assert (dead["destination"], dead["reason"]) == ("dead", "given up after 12 attempts")
    assert [one["model"] for one in otto.get("/api/v1/models").json()] == ["bright"]
    status = otto.get("/api/v1/status").json()
    assert (status["jobs"]["FAILED"], status["today"]["studies"]) == (1, 2)


@pytest.mark.parametrize(("method", "place", "sent", "status"), [
    ("GET", "/api/v1/studies/1.2.9", None, 404),
    ("GET", "/api/v1/studies/..%2f", None, 404),
    ("GET", "/api/v1/studies/x", None, 400),
    ("GET", "/api/v1/studies?limit=1000", None, 422),
    ("GET", "/api/v1/studies?after=x", None, 400),
    ("GET", "/api/v1/gone", None, 404),
    ("POST", "/api/v1/studies/1.2.9/retry", {}, 404),
    ("POST", "/api/v1/studies/1.2.3/retry", {"release": "perhaps"}, 422),
    ("POST", "/api/v1/studies/1.2.3/retry", {"colour": "red"}, 422),
    ("PUT", "/api/v1/studies", {}, 405),
])
def test_what_goes_wrong_is_a_problem_in_words(otto: Browser, method: str, place: str, sent, status: int) -> None:
    answer = otto.request(method, place, json=sent)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["detail"]


class TestCommands:
    def test_it_goes_again(self, otto: Browser) -> None:
        answer = otto.post("/api/v1/studies/1.2.3/retry", json={"release": True})
        assert answer.json() == {"jobs": 2, "deliveries": 2, "tried_now": False}
        assert otto.post("/api/v1/studies/1.2.3/retry").json() == {"jobs": 0, "deliveries": 0, "tried_now": False}

    def test_under_one_key_it_is_done_once(self, otto: Browser, audited: Callable[[], list[Element]]) -> None:
        asked = {"json": {"resend": True}, "headers": {"Idempotency-Key": "monday-1"}}
        first, second = (otto.post("/api/v1/studies/1.2.3/retry", **asked).json() for _ in range(2))
        assert first == second == {"jobs": 2, "deliveries": 2, "tried_now": False}
        other = otto.post("/api/v1/studies/1.2.4/retry", **asked)
        assert (other.status_code, "another command" in other.json()["detail"]) == (409, True)
        kinds = [m.find("EventIdentification/EventTypeCode").get("csd-code") for m in audited()]
        assert kinds == ["resend", "retry"]

    def test_a_command_that_fails_is_not_remembered(self, otto: Browser) -> None:
        key = {"headers": {"Idempotency-Key": "k"}}
        assert otto.post("/api/v1/studies/1.2.9/retry", **key).status_code == 404
        assert otto.post("/api/v1/deliveries/retry", json={"destination": "dead"}, **key).json()["deliveries"] == 1

    def test_nothing_stale_is_made_anew(self, otto: Browser) -> None:
        assert otto.post("/api/v1/studies/1.2.3/reissue").json() == {"results": 0}

    def test_a_browser_needs_its_form_token(self, story: Parts, signed_in: MakeBrowser) -> None:
        browser = signed_in("otto")
        assert browser.post("/api/v1/deliveries/retry").status_code == 403
        token = {"X-CSRF-Token": browser.form_token()}
        assert browser.post("/api/v1/deliveries/retry", headers=token).status_code == 200


def test_it_describes_itself_and_every_route_of_it(otto: Browser) -> None:
    described = otto.get("/api/v1/openapi.json").json()
    found = {f"{method.upper()} {path}" for path, methods in described["paths"].items() for method in methods}
    wanted = {route for route in ROUTES if "/api/" in route and "openapi" not in route}
    assert wanted <= found
    for_programs = ("/api/v1/", "/healthz", "/readyz", "/metrics")
    assert [route for route in found if not route.split()[1].startswith(for_programs)] == []
    assert described["security"] == [{"token": []}]
    assert all(what.get("summary") for methods in described["paths"].values() for what in methods.values())
