"""What goes wrong is said: to a person on a page, to a program as a problem (see dicom_node.web.access too)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browsing import Browser

from dicom_node.assembly import Parts
from dicom_node.web.shield import LARGEST_BODY
from storage.errors import BadValue, Damaged, Unavailable

MakeBrowser = Callable[[str], Browser]


@pytest.fixture
def broken(parts: Parts, signed_in: MakeBrowser, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], Browser]:
    """`broken(error)` gives a browser for which the list of studies and the status fail so."""

    def make(error: Exception) -> Browser:
        def fail(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("dicom_node.web.pages.studies.studies_page", fail)
        monkeypatch.setattr("dicom_node.web.api.studies.studies_page", fail)
        return signed_in("ada")

    return make


@pytest.mark.parametrize(("error", "status", "said"), [
    (Unavailable("the database does not answer: locked"), 503, "The database does not answer: locked."),
    (BadValue("the database has no such value: no NUL"), 400, "The database has no such value: no NUL."),
    (Damaged("a file is not what was written"), 500, "A file is not what was written."),
    (RuntimeError("Doe^Jane"), 500, "Something went wrong that nobody foresaw; the log of the node says more."),
])
def test_a_fault_of_ours(broken, error: Exception, status: int, said: str) -> None:
    browser = broken(error)
    page, problem = browser.get("/studies"), browser.get("/api/v1/studies")
    assert page.status_code == problem.status_code == problem.json()["status"] == status
    assert said in page.text
    assert problem.json()["detail"] in said.replace(said[0], said[0].lower(), 1)
    assert "Doe" not in page.text + problem.text


def test_who_has_not_signed_in_is_led_there_or_told_how(visitor: Browser) -> None:
    assert visitor.get("/studies").headers["Location"] == "/sign-in?next=/studies"
    answer = visitor.get("/api/v1/studies")
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_who_may_not_is_told_why(signed_in: MakeBrowser) -> None:
    assert "Vera is a viewer, who may not administer." in signed_in("vera").get("/users").text


def test_no_such_page(visitor: Browser) -> None:
    answer = visitor.get("/gone")
    assert (answer.status_code, "There is no such page." in answer.text) == (404, True)


@pytest.mark.parametrize(("method", "place", "allowed"), [
    ("PATCH", "/api/v1/studies/1.2.3", "DELETE, GET"),
    ("PUT", "/api/v1/studies", "GET, POST"),
    ("GET", "/api/v1/peers/peers/a/echo", "POST"),
    ("POST", "/healthz", "GET"),
])
def test_what_an_address_cannot_do_is_said_with_what_it_can(
    program: MakeBrowser, method: str, place: str, allowed: str
) -> None:
    answer = program("ada").request(method, place)
    assert (answer.status_code, answer.headers.get("Allow")) == (405, allowed)
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("number", ["0", "-1", "9223372036854775808", "x"])
@pytest.mark.parametrize("place", ["/api/v1/peers/history/{}/restore", "/peers/history/{}"])
def test_a_number_that_no_revision_has(program: MakeBrowser, signed_in: MakeBrowser, place, number) -> None:
    if place.startswith("/api"):
        answer = program("ada").post(place.format(number))
    else:
        answer = signed_in("ada").get(place.format(number))
    assert answer.status_code == 422


@pytest.mark.parametrize("place", ["/api/v1/routing/live", "/sign-in"])
def test_what_is_too_large_is_said(visitor: Browser, place: str) -> None:
    answer = visitor.post(place, content=b"x" * (LARGEST_BODY + 1))
    kind = "application/problem+json" if place.startswith("/api") else "text/plain; charset=utf-8"
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, kind)
    assert "more than 1048576 bytes are not taken" in answer.text
