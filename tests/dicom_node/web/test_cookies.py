"""Only what we gave comes back."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from dicom_node.web.cookies import SESSION, VISITOR, Cookies


def sent_back(response: Response, rename: tuple[str, str] = ("", "")) -> Request:
    pairs = [value.decode().split(";")[0] for name, value in response.raw_headers if name == b"set-cookie"]
    cookie = "; ".join(pairs).replace(*rename) if rename[0] else "; ".join(pairs)
    return Request({"type": "http", "headers": [(b"cookie", cookie.encode())]})


def test_a_token_comes_back_and_one_that_another_key_signed_does_not() -> None:
    response = Response()
    Cookies("key", secure=False).write(response, SESSION, "token")
    assert Cookies("key", secure=False).read(sent_back(response), SESSION) == "token"
    assert Cookies("other", secure=False).read(sent_back(response), SESSION) == ""


def test_a_token_is_good_for_what_it_was_given_for() -> None:
    cookies, response = Cookies("key", secure=False), Response()
    cookies.write(response, VISITOR, "token")
    assert cookies.read(sent_back(response, ("segnode-visitor", "segnode")), SESSION) == ""


def test_over_tls_no_other_host_can_set_it() -> None:
    response = Response()
    Cookies("key", secure=True).write(response, SESSION, "token")
    assert response.headers["Set-Cookie"].startswith("__Host-segnode=token.")
    assert "Secure" in response.headers["Set-Cookie"]


def test_a_form_is_bound_to_its_browser() -> None:
    cookies = Cookies("key", secure=False)
    assert cookies.is_form_token(cookies.form_token("token"), "token")
    assert not cookies.is_form_token(cookies.form_token("token"), "another")
    assert not cookies.is_form_token("\ud800", "token"), "half of a pair, as a form in UTF-7 may bring it"
    assert not cookies.is_form_token(cookies.form_token(""), ""), "who has no token has no form"
    assert not cookies.is_form_token("é", "token")


def test_what_is_said_was_written_by_us() -> None:
    cookies, response = Cookies("key", secure=False), Response()
    cookies.say(response, "1 job goes again")
    assert cookies.said(sent_back(response)) == "1 job goes again"
    assert Cookies("other", secure=False).said(sent_back(response)) == ""
