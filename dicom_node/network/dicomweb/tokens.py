"""Tokens of OAuth 2.0 for an account of our own (RFC 6749 4.4): asked for when one is needed, then kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlencode

from dicom_node.errors import PeerError, Rejected, Unreachable
from dicom_node.network.dicomweb.authentication import OAuth2, client_header
from dicom_node.network.dicomweb.web_call import Answer, Line, call
from dicom_node.network.dicomweb.web_words import trouble_of

MARGIN_S = 60.0  # a token that ends sooner is not used: the request must arrive and be looked at before that
LIFE_S = 300.0  # where the server does not say (RFC 6749 5.1); one that ends before is answered with 401
ERRORS = {  # RFC 6749 5.2; the server's own words (error_description) are shown nowhere
    "invalid_client": "does not know the client or its secret: look at client_id and client_secret",
    "unauthorized_client": "gives this client no token for its own account (client credentials)",
    "invalid_scope": "does not know the scope, or does not grant it: look at scope",
    "unsupported_grant_type": "gives no tokens for client credentials",
    "invalid_grant": "does not accept the client's credentials",
    "invalid_request": "does not understand our request",
}


class Tokens:
    """The newest token of one client; several senders share it."""

    def __init__(self, client: OAuth2, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def token(self) -> str:
        """A token that is good for a while; `Rejected` or `Unreachable` where none is to be had."""
        with self._lock:
            now = self._clock()
            if not self._token or now >= self._until:
                self._token, life_s = self._fetched()
                self._until = now + max(life_s - MARGIN_S, life_s / 2)
            return self._token

    def forget(self, token: str) -> None:
        """It was not accepted. One that another sender has got meanwhile is kept."""
        with self._lock:
            if token == self._token:
                self._token = ""

    def _fetched(self) -> tuple[str, float]:
        client = self._client
        fields = {"grant_type": "client_credentials"} | ({"scope": client.scope} if client.scope else {})
        headers = {
            # Every server must take them in this header.
            "Authorization": client_header(client.client_id, client.client_secret.read()),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        answer = call(Line(client.tls, answer_s=30.0), "POST", client.token_url, headers, urlencode(fields).encode())
        told = answer.json_object()
        if answer.status != 200:
            raise self._trouble(answer, told)
        token, kind, life_s = told.get("access_token"), told.get("token_type"), told.get("expires_in", LIFE_S)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise Unreachable(f"token server {client.token_url} gives no token")
        if str(kind).lower() != "bearer":
            raise Rejected(f"token server {client.token_url} gives tokens of another kind than Bearer")
        return token, _seconds(life_s)

    def _trouble(self, answer: Answer, told: dict[str, Any]) -> PeerError:
        who = f"token server {self._client.token_url}"
        words = ERRORS.get(str(told.get("error")))
        if words and 400 <= answer.status < 500:
            return Rejected(f"{who} {words} (HTTP {answer.status})")
        if answer.status == 401:
            return Rejected(f"{who} {ERRORS['invalid_client']} (HTTP 401)")
        trouble = trouble_of(answer, who)
        # Whatever it says, it says of us and not of the object that would have been sent.
        kind = Unreachable if isinstance(trouble, Unreachable) else Rejected
        return kind(str(trouble), wait_s=trouble.wait_s)


@cache
def keeper_of(client: OAuth2) -> Tokens:
    """The tokens of a client, one keeper for the life of the process."""
    return Tokens(client)



def _seconds(value: object) -> float:
    """`expires_in`, which some servers write as a string."""
    try:
        return max(float(str(value)), 0.0)
    except ValueError:
        return LIFE_S
