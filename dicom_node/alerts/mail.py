"""A notice as a mail (RFC 5322), handed to the site's mail server by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from dicom_node.errors import NoSecret, NotTold
from dicom_node.network.tls.client_context import client_context
from dicom_node.settings.alerts import MailSettings
from storage.watching.notices import Notice

PATIENCE_S = 20.0


@dataclass(frozen=True)
class Mail:
    """Sends notices by mail."""

    settings: MailSettings

    def tell(self, notice: Notice, now: float) -> str:
        """Hand one to the mail server, and give for whom alone it does not take it; NotTold where for nobody."""
        message = compose(notice, self.settings, now)
        try:
            with closing(self._connected()) as server:
                refused = server.send_message(message)
                with suppress(smtplib.SMTPException, OSError):  # it has the mail, whatever it says to our goodbye
                    server.quit()
        except NoSecret as absent:
            raise NotTold(f"the password of the mail server {absent}") from absent
        except smtplib.SMTPException as error:
            raise NotTold(f"{self.settings.host}: {_in_words(error)}") from error
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise NotTold(f"{self.settings.host} cannot be reached: {why}") from error
        whom = ", ".join(f"{recipient} ({code})" for recipient, (code, _) in refused.items())
        return f"{self.settings.host} does not take it for {whom}" if whom else ""

    def _connected(self) -> smtplib.SMTP:
        asked = self.settings
        if asked.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                asked.host, asked.port, timeout=PATIENCE_S, context=self._context()
            )
        else:
            server = smtplib.SMTP(asked.host, asked.port, timeout=PATIENCE_S)
        with ExitStack() as undo:
            undo.callback(server.close)
            if asked.tls == "starttls":
                server.starttls(context=self._context())
            if asked.user and asked.password:
                _sign_in(server, asked.user, asked.password.read())
            undo.pop_all()
        return server

    def _context(self) -> ssl.SSLContext:
        return client_context(self.settings.authorities)


def _sign_in(server: smtplib.SMTP, user: str, password: str) -> None:
    try:
        server.login(user, password)
    except UnicodeEncodeError:  # it holds the password
        sentence = "user and password of the mail server can hold ASCII alone: choose others, without umlauts"
        raise NotTold(sentence) from None


def compose(notice: Notice, settings: MailSettings, now: float) -> EmailMessage:
    """The mail; told twice it has the same Message-ID, so that it can be known as one."""
    payload = notice.payload
    message = EmailMessage()
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients)
    message["Subject"] = _subject(payload)
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    domain = settings.sender.rpartition("@")[2]
    message["Message-ID"] = f"<segnode-{notice.name}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text(payload))
    return message


def _subject(payload: Mapping[str, Any]) -> str:
    number = payload["count"]
    studies = "1 study" if number == 1 else f"{number} studies"
    if payload["event"] == "late":
        return f"[{payload['node']}] {studies} without a result after {payload['goal_minutes']:g} minutes"
    return f"[{payload['node']}] over: {studies} late no more"


def _text(payload: Mapping[str, Any]) -> str:
    lines = []
    for one in payload["studies"]:
        lines += [one["link"], *([f"  {one['why']}"] if one["why"] else []), ""]
    if (more := payload["count"] - len(payload["studies"])) > 0:
        lines += [f"and {more} more", ""]
    return "\n".join([f"Node {payload['node']}, {payload['at']}", "", *lines])


def _in_words(error: smtplib.SMTPException) -> str:
    """By kind and code; what a server writes is shown nowhere."""
    code = getattr(error, "smtp_code", None)
    return f"{type(error).__name__}{f' {code}' if code else ''}"
