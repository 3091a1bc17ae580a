"""Who a provider of OpenID Connect says somebody is: believed when every rule holds, and never else."""

from __future__ import annotations

import socket
import time
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openid_provider import OddProvider, new_key, odd_provider
from pydantic import ValidationError
from turned_clock import Clock

from dicom_node.errors import NotVouched, PeerError, Rejected, Unreachable
from dicom_node.network.dicomweb.openid import AGAIN_S, SPARED_S, OpenIdClient, Provider, Question

BACK = "https://node.example/back"
NAMES = frozenset({"sub"})


@pytest.fixture
def odd() -> Iterator[OddProvider]:
    with odd_provider() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


@pytest.fixture
def provider(odd: OddProvider, clock: Clock, tmp_path: Path) -> Provider:
    (tmp_path / "secret").write_text("a:b +%\n")
    client = {"issuer": odd.issuer, "client_id": "segnode", "client_secret": {"file": tmp_path / "secret"}}
    return Provider(OpenIdClient.model_validate(client), clock)


@pytest.fixture
def question(odd: OddProvider) -> Question:
    asked = Question.new()
    odd.nonce = asked.nonce
    return asked


def test_a_browser_is_sent_away_with_what_binds_the_answer_to_it(provider: Provider, question: Question) -> None:
    address = urlsplit(provider.address(question, BACK))
    assert address.path == "/ask"
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert asked == {
        "tenant": "1", "response_type": "code", "client_id": "segnode", "redirect_uri": BACK, "scope": "openid profile",
        "state": question.state, "nonce": question.nonce, "code_challenge": question.challenge,
        "code_challenge_method": "S256",
    }  # fmt: skip
    assert question.verifier not in address.query


def test_the_challenge_is_that_of_the_standards_example() -> None:
    asked = Question("", "", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert asked.challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"  # RFC 7636, appendix B


def test_a_code_becomes_claims(provider: Provider, question: Question, odd: OddProvider) -> None:
    odd.claims = {"name": "Ada"}
    assert provider.claims(question, "c0de", BACK, NAMES)["name"] == "Ada"
    path, fields, authorization = odd.asked[-1]
    assert (path, fields["code"], fields["code_verifier"], fields["redirect_uri"]) == (
        "/token", "c0de", question.verifier, BACK
    )  # fmt: skip
    assert b64decode(authorization.removeprefix("Basic ")) == b"segnode:a%3Ab+%2B%25"


def test_a_provider_that_takes_the_secret_in_the_form_alone_gets_it_there(
    provider: Provider, question: Question, odd: OddProvider
) -> None:
    known = odd.answer("/.well-known/openid-configuration")[1]
    ways = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    odd.said["/.well-known/openid-configuration"] = (200, known | ways)
    provider.claims(question, "c0de", BACK, NAMES)
    assert (odd.asked[-1][1]["client_secret"], odd.asked[-1][2]) == ("a:b +%", "")


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["segnode", "another"], "azp": "another"},
        {"iss": "https://another.example"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": None},
        {"iat": 9_000_000_000},
        {"sub": None},
        {"aud": None},
        {"nonce": "of another sign-in"},
        {"nonce": None},
    ],
)
def test_a_token_that_is_not_for_this_sign_in_is_not_believed(
    provider: Provider, question: Question, odd: OddProvider, claims: dict[str, Any]
) -> None:
    odd.claims = claims
    with pytest.raises(NotVouched):
        provider.claims(question, "c0de", BACK, NAMES)


def test_a_token_that_others_could_have_signed_is_not_believed(
    provider: Provider, question: Question, odd: OddProvider
) -> None:
    known = odd.keys["first"].public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    for number, key, algorithm in (
        ("first", new_key(), "ES256"),  # another key under the name of theirs
        ("second", new_key(), "ES256"),  # one that they do not publish
        ("first", known, "HS256"),  # their public key as a password
        ("first", None, "none"),
    ):
        odd.signs_with = (number, key, algorithm)
        with pytest.raises(NotVouched):
            provider.claims(question, "c0de", BACK, NAMES)


def test_a_changed_key_is_asked_for_but_not_for_every_token(
    provider: Provider, question: Question, odd: OddProvider, clock: Clock
) -> None:
    provider.claims(question, "c0de", BACK, NAMES)
    odd.keys = {"second": new_key()}
    odd.signs_with = ("second", odd.keys["second"], "ES256")
    with pytest.raises(NotVouched, match="a key that it does not publish"):
        provider.claims(question, "c0de", BACK, NAMES)
    assert [path for path, *_ in odd.asked].count("/keys") == 1
    clock.now += AGAIN_S
    assert provider.claims(question, "c0de", BACK, NAMES)["sub"] == "4711"
    assert [path for path, *_ in odd.asked].count("/keys") == 2


def test_one_that_is_silent_is_waited_for_once_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dicom_node.network.dicomweb.openid.ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = {"issuer": f"http://127.0.0.1:{silent.getsockname()[1]}", "client_id": "segnode"}
        provider = Provider(OpenIdClient.model_validate(client))

        def click(_: int) -> float:
            begun = time.monotonic()
            with pytest.raises(Unreachable):
                provider.address(Question.new(), BACK)
            return time.monotonic() - begun

        with ThreadPoolExecutor(10) as people:
            assert max(people.map(click, range(10))) < 2.0


def test_one_that_did_not_answer_is_spared_for_a_little(
    provider: Provider, question: Question, odd: OddProvider, clock: Clock
) -> None:
    odd.said["/.well-known/openid-configuration"] = (503, {})
    for _ in range(3):
        with pytest.raises(Unreachable, match="503"):
            provider.address(question, BACK)
    assert len(odd.asked) == 1
    odd.said.clear()
    clock.now += SPARED_S
    assert provider.address(question, BACK)


def test_what_the_token_does_not_say_is_asked_for(provider: Provider, question: Question, odd: OddProvider) -> None:
    odd.said["/person"] = (200, {"sub": "4711", "groups": ["radiology"], "iss": "nobody"})
    claims = provider.claims(question, "c0de", BACK, {"sub", "groups"})
    assert (claims["groups"], claims["iss"]) == (["radiology"], odd.issuer), "what is signed counts more"
    assert odd.asked[-1][2] == "Bearer access"
    odd.said["/person"] = (200, {"sub": "another", "groups": ["admins"]})
    with pytest.raises(NotVouched, match="two persons"):
        provider.claims(question, "c0de", BACK, {"sub", "groups"})


@pytest.mark.parametrize("in_token", [True, False])
def test_what_is_to_be_asked_for_elsewhere_is_not_taken_for_none(
    provider: Provider, question: Question, odd: OddProvider, in_token: bool
) -> None:
    overage = {"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.example"}}}
    odd.claims = overage if in_token else {}
    odd.said["/person"] = (200, {"sub": "4711"} if in_token else {"sub": "4711", **overage})
    with pytest.raises(NotVouched, match=r"says only where else to ask for groups .* very many groups"):
        provider.claims(question, "c0de", BACK, {"sub", "groups"})
    assert provider.claims(question, "c0de", BACK, {"sub"})["sub"] == "4711", "who needs no groups misses none"


@pytest.mark.parametrize(
    ("path", "status", "told", "kind"),
    [
        ("/.well-known/openid-configuration", 200, {"issuer": "https://another.example"}, NotVouched),
        ("/.well-known/openid-configuration", 200, b"<html>", PeerError),
        ("/.well-known/openid-configuration", 404, {}, Rejected),
        ("/.well-known/openid-configuration", 503, {}, Unreachable),
        ("/keys", 200, {"keys": []}, NotVouched),
        ("/keys", 200, {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "first"}]}, NotVouched),
        ("/token", 400, {"error": "invalid_grant"}, Rejected),
        ("/token", 401, {"error": "invalid_client"}, Rejected),
        ("/token", 200, {"access_token": "access"}, NotVouched),
        ("/token", 200, {"id_token": "no.token.atall"}, NotVouched),
        ("/token", 200, {"id_token": 5}, NotVouched),
    ],
)
def test_a_provider_that_answers_something_else_is_told_of_in_words(
    provider: Provider, question: Question, odd: OddProvider, path: str, status: int, told: Any, kind: type[Exception]
) -> None:
    odd.said[path] = (status, told)
    with pytest.raises(kind) as caught:
        provider.claims(question, "c0de", BACK, NAMES)
    assert odd.issuer in str(caught.value)
    assert "c0de" not in str(caught.value)


def test_its_addresses_are_private_too(provider: Provider, question: Question, odd: OddProvider) -> None:
    known = odd.answer("/.well-known/openid-configuration")[1]
    odd.said["/.well-known/openid-configuration"] = (200, known | {"token_endpoint": "http://login.example/token"})
    with pytest.raises(NotVouched, match="token_endpoint that begins with https"):
        provider.claims(question, "c0de", BACK, NAMES)


def test_who_could_be_listened_to_is_no_provider() -> None:
    with pytest.raises(ValidationError, match="issuer begins with https"):
        OpenIdClient.model_validate({"issuer": "http://login.example", "client_id": "segnode"})
    assert OpenIdClient.model_validate({"issuer": "https://login.example/x/", "client_id": "s"}).issuer.endswith("/x")


def test_clocks_may_differ_by_a_minute(provider: Provider, question: Question, odd: OddProvider) -> None:
    now = int(time.time())
    odd.claims = {"iat": now + 30, "exp": now - 30}
    assert provider.claims(question, "c0de", BACK, NAMES)["sub"] == "4711"
    assert jwt.decode(odd.id_token(), options={"verify_signature": False})["exp"] < now
