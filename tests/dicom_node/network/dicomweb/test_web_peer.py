"""A server is called with our credentials, once more with renewed ones, and never a third time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from web_archive import WebArchive, web_archive

from dicom_node.errors import Unreachable
from dicom_node.network.dicomweb.authentication import Basic, OAuth2
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.secret import Secret


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[WebArchive]:
    with web_archive(tmp_path / "archive") as running:
        yield running


@pytest.fixture
def secret(tmp_path: Path) -> Secret:
    (tmp_path / "secret").write_text("open sesame\n")
    return Secret(file=tmp_path / "secret")


@pytest.fixture
def by_token(archive: WebArchive, secret: Secret) -> WebPeer:
    archive.client = ("segnode", "open sesame")
    return WebPeer(archive.url, OAuth2(token_url=archive.token_url, client_id="segnode", client_secret=secret))


@pytest.fixture
def by_password(archive: WebArchive, secret: Secret) -> WebPeer:
    archive.user = ("segnode", "open sesame")
    return WebPeer(archive.url, Basic(user="segnode", password=secret))


def status(peer: WebPeer) -> int:
    return peer.ask("GET", "/studies", {}).status


def paths(archive: WebArchive) -> list[str]:
    return [one.path.rpartition("/")[2] for one in archive.asked]


def test_without_credentials_none_are_shown(archive: WebArchive) -> None:
    assert status(WebPeer(archive.url)) == 204
    assert "authorization" not in archive.asked[0].headers


def test_a_password_is_shown_at_once_and_only_once(by_password: WebPeer, archive: WebArchive) -> None:
    assert status(by_password) == 204
    archive.user = ("segnode", "another")
    assert status(by_password) == 401
    assert paths(archive) == ["studies"] * 2


def test_a_password_may_be_replaced_while_we_run(by_password: WebPeer, archive: WebArchive, tmp_path: Path) -> None:
    archive.user = ("segnode", "another")
    (tmp_path / "secret").write_text("another\n")
    assert status(by_password) == 204


def test_one_token_serves_many_requests(by_token: WebPeer, archive: WebArchive) -> None:
    assert [status(by_token), status(by_token)] == [204, 204]
    assert paths(archive) == ["token", "studies", "studies"]


def test_a_token_that_ended_before_its_time_is_renewed_once(by_token: WebPeer, archive: WebArchive) -> None:
    status(by_token)
    archive.good.clear()
    archive.asked.clear()
    assert status(by_token) == 204
    assert paths(archive) == ["studies", "token", "studies"]


def test_a_new_token_that_is_not_accepted_either_ends_it(by_token: WebPeer, archive: WebArchive) -> None:
    archive.next_answers += [(401, {}, b""), (401, {}, b"")]
    assert status(by_token) == 401
    assert paths(archive) == ["token", "studies", "token", "studies"]


def test_an_answer_that_is_read_as_it_comes_is_asked_for_with_renewed_credentials_too(
    by_token: WebPeer, archive: WebArchive
) -> None:
    status(by_token)
    archive.good.clear()
    with by_token.asking("GET", "/studies", {}) as reply:
        assert reply.status == 204
    assert paths(archive) == ["token", "studies", "studies", "token", "studies"]


@pytest.mark.parametrize("make", ["by_token", "by_password"])
def test_a_secret_that_is_not_there_may_come(make: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    peer = request.getfixturevalue(make)
    (tmp_path / "secret").unlink()
    with pytest.raises(Unreachable, match="the password or secret for it is not there"):
        status(peer)


def test_trouble_with_tokens_is_no_fault_of_what_is_sent(
    by_token: WebPeer, archive: WebArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.next_tokens.append((500, {}))
    with pytest.raises(Unreachable) as caught:
        status(by_token)
    assert type(caught.value) is Unreachable
    assert "studies" not in paths(archive)


def test_it_is_called_by_its_address() -> None:
    peer = WebPeer("https://pacs.example:8443/dicom-web")
    assert (str(peer), peer.host) == ("https://pacs.example:8443/dicom-web", "pacs.example")
