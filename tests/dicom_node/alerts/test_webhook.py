"""A webhook is called with JSON and a signature that its server can check."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from serving import serving

from dicom_node.alerts.webhook import Webhook
from dicom_node.errors import NotTold
from dicom_node.settings.alerts import WebhookSettings
from storage.watching.notices import Notice

NOTICE = Notice(7, "webhook:ops", {"event": "late", "count": 1}, 1, 1000.0)


class Hook(HTTPServer):
    """A server that keeps what it gets and answers `status`."""

    status = 204

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Hook)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        self.server.got.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    with serving(Hook()) as server:
        yield server


@pytest.fixture
def webhook(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> Webhook:
    monkeypatch.setenv("HOOK", "a secret")
    url = f"http://127.0.0.1:{hook.server_port}/segnode"
    return Webhook(WebhookSettings.model_validate({"url": url, "secret": {"environment": "HOOK"}}))


@pytest.mark.parametrize("path", ["/segnode", "/hooks/segnode/", "/"])
def test_it_is_called_where_the_settings_say_to_the_last_slash(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Many a server answers for what lacks the slash at its end with a redirect, which is not followed."""
    monkeypatch.setenv("HOOK", "a secret")
    url = f"http://127.0.0.1:{hook.server_port}{path}"
    asked = WebhookSettings.model_validate({"url": url, "secret": {"environment": "HOOK"}})
    Webhook(asked).tell(NOTICE, 1234.9)
    assert hook.asked == [path]


def test_the_server_can_tell_that_it_is_ours(webhook: Webhook, hook: Hook) -> None:
    webhook.tell(NOTICE, 1234.9)
    ((headers, body),) = hook.got
    assert json.loads(body) == NOTICE.payload
    assert (headers["X-Segnode-Notice"], headers["Content-Type"]) == ("7-1000", "application/json")
    expected = hmac.new(b"a secret", b"1234." + body, hashlib.sha256).hexdigest()
    assert headers["X-Segnode-Signature"] == f"t=1234,v1={expected}"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_anything_but_yes_is_not_told(webhook: Webhook, hook: Hook, status: int) -> None:
    hook.status = status
    with pytest.raises(NotTold, match=f"it answers {status}"):
        webhook.tell(NOTICE, 1.0)


def test_nobody_there_and_no_secret(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = webhook.settings.model_copy(update={"url": "http://127.0.0.1:1/segnode"})
    with pytest.raises(NotTold):
        Webhook(nowhere).tell(NOTICE, 1.0)
    monkeypatch.delenv("HOOK")
    with pytest.raises(NotTold, match="its secret is no variable"):
        webhook.tell(NOTICE, 1.0)
