"""Mail by real SMTP, to a server of a few lines."""

from __future__ import annotations

import base64
import socketserver
from collections.abc import Iterator
from email import message_from_string, policy
from typing import Any

import pytest
from serving import serving

from dicom_node.alerts.mail import Mail, compose
from dicom_node.errors import NotTold
from dicom_node.settings.alerts import MailSettings
from storage.watching.notices import Notice

LINE = {"study": "1.2.3", "why": "its job failed", "link": "https://node/studies/1.2.3"}
PAYLOAD = {"event": "late", "at": "2026-01-02T10:15:00Z", "node": "SEGNODE", "goal_minutes": 60.0, "count": 3,
           "studies": [LINE]}
NOTICE = Notice(7, "mail", PAYLOAD, 1, 1000.0)


class Smtp(socketserver.ThreadingTCPServer):
    """Takes mail (RFC 5321) as long as `refuse` is empty, and remembers it."""

    daemon_threads = True
    refuse = ""
    unknown: tuple[str, ...] = ()  # recipients
    goodbye = "221 bye"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.said: list[str] = []
        self.taken: list[str] = []


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Smtp)
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            server.said.append(line)
            verb = line.split()[0].upper()
            if server.refuse and verb == "MAIL":
                self._say(server.refuse)
            elif verb == "RCPT" and any(one in line for one in server.unknown):
                self._say("550 no Doe^Jane here")
            elif verb == "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN")
            elif verb == "DATA":
                self._say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                server.taken.append("".join(lines))
                self._say("250 taken")
            else:
                self._say({"QUIT": server.goodbye, "AUTH": "235 welcome"}.get(verb, "250 fine"))

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture
def smtp() -> Iterator[Smtp]:
    with serving(Smtp()) as server:
        yield server


def settings(port: int, **more: Any) -> MailSettings:
    asked = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": "node@hospital.example",
             "recipients": ["pacs@hospital.example", "it@hospital.example"]}
    return MailSettings.model_validate(asked | more)


def test_everybody_gets_it_in_words(smtp: Smtp) -> None:
    assert Mail(settings(smtp.server_address[1])).tell(NOTICE, 1_767_348_900.0) == ""
    (text,) = smtp.taken
    message = message_from_string(text, policy=policy.default)
    assert message["Subject"] == "[SEGNODE] 3 studies without a result after 60 minutes"
    assert message["To"] == "pacs@hospital.example, it@hospital.example"
    assert message["Message-ID"] == "<segnode-7-1000@hospital.example>"
    body = message.get_content().replace("\r\n", "\n")
    assert "https://node/studies/1.2.3\n  its job failed" in body
    assert "and 2 more" in body
    assert [line[8:] for line in smtp.said if line.upper().startswith("RCPT TO:")] == [
        "<pacs@hospital.example>", "<it@hospital.example>"]


def test_when_it_is_over(smtp: Smtp) -> None:
    over = Notice(8, "mail", PAYLOAD | {"event": "resolved", "count": 1, "studies": [LINE | {"why": ""}]}, 1, 1.0)
    message = compose(over, settings(25), 1.0)
    assert message["Subject"] == "[SEGNODE] over: 1 study late no more"


def test_a_no_is_told_by_its_code_alone(smtp: Smtp) -> None:
    smtp.refuse = "451 Doe^Jane is out"
    with pytest.raises(NotTold) as no:
        Mail(settings(smtp.server_address[1])).tell(NOTICE, 1.0)
    assert "451" in str(no.value)
    assert "Doe" not in str(no.value)


def test_whom_the_server_refuses_is_told_by_address_and_code_and_the_others_get_it(smtp: Smtp) -> None:
    smtp.unknown = ("it@hospital.example",)
    said = Mail(settings(smtp.server_address[1])).tell(NOTICE, 1.0)
    assert (said, len(smtp.taken)) == ("127.0.0.1 does not take it for it@hospital.example (550)", 1)


def test_where_it_refuses_everybody_nothing_is_told(smtp: Smtp) -> None:
    smtp.unknown = ("it@hospital.example", "pacs@hospital.example")
    with pytest.raises(NotTold, match="SMTPRecipientsRefused"):
        Mail(settings(smtp.server_address[1])).tell(NOTICE, 1.0)
    assert smtp.taken == []


@pytest.mark.parametrize("goodbye", ["421 closing", "no SMTP at all"])
def test_what_is_taken_is_told_whatever_the_server_says_to_our_goodbye(smtp: Smtp, goodbye: str) -> None:
    """Else everybody got it again for a day."""
    smtp.goodbye = goodbye
    Mail(settings(smtp.server_address[1])).tell(NOTICE, 1.0)
    assert len(smtp.taken) == 1


def test_nobody_there() -> None:
    with pytest.raises(NotTold, match="cannot be reached: Connection refused"):
        Mail(settings(1)).tell(NOTICE, 1.0)


def test_a_password_that_no_mail_server_takes_is_told_with_the_way_out(
    smtp: Smtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL", "Grüße")
    asked = settings(smtp.server_address[1], tls="tls", user="segnode", password={"environment": "MAIL"})
    with pytest.raises(NotTold, match="hold ASCII alone: choose others") as told:
        Mail(asked.model_copy(update={"tls": "none"})).tell(NOTICE, 1.0)  # this server speaks no TLS
    assert "Gr" not in str(told.value)
    assert smtp.taken == []


def test_a_server_without_tls_gets_neither_password_nor_mail(smtp: Smtp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL", "hush")
    asked = settings(smtp.server_address[1], tls="starttls", user="segnode", password={"environment": "MAIL"})
    with pytest.raises(NotTold):
        Mail(asked).tell(NOTICE, 1.0)
    assert smtp.taken == []
    assert base64.b64encode(b"\0segnode\0hush").decode() not in " ".join(smtp.said)
