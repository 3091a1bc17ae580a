"""A provider of OpenID Connect that says, and signs, whatever a test has it say: also what no honest one would."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from serving import serving


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class OddProvider:
    """`claims` go into the ID token, on top of good ones (None takes one away); `said` replaces whole answers."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.keys = {"first": new_key()}
        self.signs_with: tuple[str, Any, str] = ("first", self.keys["first"], "ES256")  # kid, key, algorithm
        self.claims: dict[str, Any] = {}
        self.said: dict[str, tuple[int, Any]] = {}
        self.asked: list[tuple[str, dict[str, str], str]] = []  # path, fields, Authorization
        self.nonce = ""

    def answer(self, path: str) -> tuple[int, Any]:
        if path in self.said:
            return self.said[path]
        if path == "/.well-known/openid-configuration":
            ends = {"authorization_endpoint": "/ask?tenant=1", "token_endpoint": "/token", "jwks_uri": "/keys",
                    "userinfo_endpoint": "/person"}  # fmt: skip
            return 200, {"issuer": self.issuer} | {name: self.issuer + end for name, end in ends.items()}
        if path == "/keys":
            return 200, {"keys": [{**_public(key), "kid": number} for number, key in self.keys.items()]}
        if path == "/token":
            return 200, {"access_token": "access", "token_type": "Bearer", "id_token": self.id_token()}
        return 404, {}

    def id_token(self) -> str:
        now = int(time.time())
        good = {"iss": self.issuer, "sub": "4711", "aud": "segnode", "iat": now, "exp": now + 300, "nonce": self.nonce}
        claims = {name: value for name, value in {**good, **self.claims}.items() if value is not None}
        number, key, algorithm = self.signs_with
        return jwt.encode(claims, key, algorithm, {"kid": number})


@contextmanager
def odd_provider() -> Iterator[OddProvider]:
    """…on a port of its own, as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._answer(dict(parse_qsl(body)))

        def _answer(self, fields: dict[str, str]) -> None:
            provider.asked.append((self.path, fields, self.headers.get("Authorization", "")))
            status, told = provider.answer(self.path)
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing is written beside the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = OddProvider(server.server_port)
    with serving(server):
        yield provider


def _public(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    return {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "use": "sig", "alg": "ES256"}
