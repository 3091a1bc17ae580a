"""Tokens are asked for when one is needed, kept until shortly before their end, and asked for anew after a no."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from turned_clock import Clock
from web_archive import WebArchive, web_archive

from dicom_node.errors import NoSecret, PeerError, Rejected, Unreachable
from dicom_node.network.dicomweb.authentication import OAuth2
from dicom_node.network.dicomweb.tokens import Tokens, keeper_of
from dicom_node.network.ports import free_port


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[WebArchive]:
    with web_archive(tmp_path / "archive", client=("segnode", "open sesame: +%")) as running:
        yield running


@pytest.fixture
def client(archive: WebArchive, tmp_path: Path) -> OAuth2:
    (tmp_path / "secret").write_text("open sesame: +%\n")
    return OAuth2.model_validate(
        {"token_url": archive.token_url, "client_id": "segnode", "client_secret": {"file": tmp_path / "secret"},
         "scope": "dicom.store"}
    )  # fmt: skip


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def tokens(client: OAuth2, clock: Clock) -> Tokens:
    return Tokens(client, clock)


def test_one_token_serves_until_a_minute_before_its_end(tokens: Tokens, archive: WebArchive, clock: Clock) -> None:
    assert [tokens.token(), tokens.token()] == ["token-1"] * 2
    clock.now += 3600 - 61
    assert tokens.token() == "token-1"
    clock.now += 2
    assert tokens.token() == "token-2"
    assert [one.path for one in archive.asked] == ["/token"] * 2
    assert archive.asked[0].body == b"grant_type=client_credentials&scope=dicom.store"


@pytest.mark.parametrize(("life_s", "kept_s"), [(60, 29), ("600", 539), (None, 239), ("soon", 239)])
def test_a_short_life_is_used_by_half_and_an_unknown_one_is_thought_short(
    tokens: Tokens, archive: WebArchive, clock: Clock, life_s: Any, kept_s: float
) -> None:
    archive.life_s = life_s
    tokens.token()
    clock.now += kept_s
    assert tokens.token() == "token-1"
    clock.now += 2
    assert tokens.token() == "token-2"


def test_a_token_that_was_not_accepted_is_forgotten_and_no_other(tokens: Tokens) -> None:
    tokens.forget(tokens.token())
    assert tokens.token() == "token-2"
    tokens.forget("token-1")
    assert tokens.token() == "token-2", "somebody else had it renewed"


@pytest.mark.parametrize(
    ("status", "told", "kind", "words"),
    [
        (400, {"error": "invalid_scope"}, Rejected, "look at scope"),
        (401, {"error": "invalid_client"}, Rejected, "look at client_id and client_secret"),
        (401, {}, Rejected, "look at client_id and client_secret"),
        (403, {}, Rejected, "HTTP 403"),
        (415, {}, Rejected, "HTTP 415"),
        (500, {}, Unreachable, "has a fault of its own"),
        (503, {"error": "invalid_client"}, Unreachable, "is not at its work"),
        (200, {}, Unreachable, "gives no token"),
        (200, {"access_token": "a\r\nX-Evil: 1", "token_type": "Bearer"}, Unreachable, "gives no token"),
        (200, {"access_token": "a", "token_type": "mac"}, Rejected, "another kind than Bearer"),
    ],
)
def test_why_there_is_none(
    tokens: Tokens, archive: WebArchive, status: int, told: dict[str, str], kind: type[PeerError], words: str
) -> None:
    archive.next_tokens.append((status, {**told, "error_description": "Doe^Jane"}))
    with pytest.raises(PeerError) as caught:
        tokens.token()
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert f"token server {archive.token_url}" in str(caught.value)
    assert "Doe" not in str(caught.value)
    assert tokens.token() == "token-1", "the next time may be better"


def test_who_is_not_there_is_asked_again_later(client: OAuth2) -> None:
    gone = client.model_copy(update={"token_url": f"http://127.0.0.1:{free_port()}/token"})
    with pytest.raises(Unreachable):
        Tokens(gone).token()


def test_a_secret_that_is_not_there_is_told(client: OAuth2, tmp_path: Path) -> None:
    (tmp_path / "secret").unlink()
    with pytest.raises(NoSecret, match="is not there"):
        Tokens(client).token()


def test_secrets_stand_in_no_log_and_no_repr(
    tokens: Tokens, client: OAuth2, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens.token()
    for text in (caplog.text, repr(client), repr(tokens), str(client.model_dump())):
        assert "sesame" not in text
        assert "token-1" not in text


def test_all_senders_share_one_keeper(client: OAuth2, make_other: Callable[[], OAuth2]) -> None:
    assert keeper_of(client) is keeper_of(client.model_copy())
    assert keeper_of(client) is not keeper_of(make_other())


@pytest.fixture
def make_other(client: OAuth2) -> Callable[[], OAuth2]:
    return lambda: client.model_copy(update={"scope": None})
