"""Cookies and form tokens: signed, so that only what we gave comes back; what they stand for is in the database."""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

from itsdangerous import BadSignature, Signer, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

SESSION, VISITOR, MESSAGE, AWAY = "segnode", "segnode-visitor", "segnode-message", "segnode-away"
MESSAGE_S = 60


class Cookies:
    """Signs with `key`. Over TLS (`secure`) the names bear __Host-, which keeps other hosts from setting them."""

    def __init__(self, key: str, *, secure: bool) -> None:
        self._key = key
        self._secure = secure

    def read(self, request: Request, name: str) -> str:
        """The token in a cookie; "" where there is none, or none that we signed."""
        try:
            return self._signer(name).unsign(request.cookies.get(self._name(name), "")).decode()
        except (BadSignature, UnicodeDecodeError):
            return ""

    def write(self, response: Response, name: str, token: str) -> None:
        """Have the browser keep a token until it is closed."""
        self._set(response, name, self._signer(name).sign(token).decode())

    def clear(self, response: Response, name: str) -> None:
        """Have the browser forget it."""
        response.delete_cookie(self._name(name), path="/", secure=self._secure, httponly=True, samesite="lax")

    def say(self, response: Response, text: str) -> None:
        """Have the next page say that something was done."""
        self.hold(response, MESSAGE, text, MESSAGE_S)

    def said(self, request: Request) -> str:
        """What is to be said, which only we can have written."""
        return str(self.held(request, MESSAGE, MESSAGE_S) or "")

    def hold(self, response: Response, name: str, value: object, max_age: int) -> None:
        """Have the browser keep something of ours for so many seconds; it can read it, not change it."""
        self._set(response, name, str(self._timed(name).dumps(value)), max_age=max_age)

    def held(self, request: Request, name: str, max_age: int) -> Any:
        """What the browser was to keep, which only we can have written; None where there is nothing."""
        try:
            return self._timed(name).loads(request.cookies.get(self._name(name), ""), max_age=max_age)
        except BadSignature:
            return None

    def form_token(self, token: str) -> str:
        """What a form must bring that was given to the browser with this token: no other page can know it."""
        return Signer(self._key, salt="form").get_signature(token).decode()

    def is_form_token(self, brought: str, token: str) -> bool:
        """Whether a form was ours and given to this browser."""
        return bool(token) and compare_digest(brought.encode(errors="replace"), self.form_token(token).encode())

    def _signer(self, name: str) -> Signer:
        return Signer(self._key, salt=name)

    def _timed(self, name: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._key, salt=name)

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self._secure else name

    def _set(self, response: Response, name: str, value: str, max_age: int | None = None) -> None:
        response.set_cookie(
            self._name(name), value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax"
        )
