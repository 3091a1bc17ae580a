"""How we show who we are; tokens themselves are in test_tokens.py, and both at work in test_web_peer.py."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from dicom_node.network.dicomweb.authentication import Authentication, Basic, OAuth2
from dicom_node.network.secret import Secret

BASIC = {"kind": "basic", "user": "segnode", "password": {"environment": "SEGNODE_TEST"}}
OAUTH2 = {"kind": "oauth2", "token_url": "https://login.example/token", "client_id": "segnode",
          "client_secret": {"environment": "SEGNODE_TEST"}}  # fmt: skip


def validated(settings: dict[str, Any]) -> Basic | OAuth2:
    return TypeAdapter(Authentication).validate_python(settings)


def test_the_kind_chooses() -> None:
    assert isinstance(validated(BASIC), Basic)
    assert isinstance(validated(OAUTH2), OAuth2)


def test_a_password_goes_as_rfc_7617_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGNODE_TEST", "öffne: dich")
    shown = Basic(user="segnode", password=Secret(environment="SEGNODE_TEST")).header()
    assert b64decode(shown.removeprefix("Basic ")).decode() == "segnode:öffne: dich"


def test_a_password_that_was_not_accepted_has_no_successor() -> None:
    assert not validated(BASIC).forget("Basic x")


@pytest.mark.parametrize(
    "wrong",
    [
        {**BASIC, "kind": "digest"},
        {**BASIC, "user": "a:b"},
        {**BASIC, "user": ""},
        {**BASIC, "password": "open sesame"},
        {**BASIC, "scope": "x"},
        {**OAUTH2, "token_url": "login.example"},
        {**OAUTH2, "client_secret": "open sesame"},
        {**OAUTH2, "token_url": "http://login.example/token", "tls": {}},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validated(wrong)
