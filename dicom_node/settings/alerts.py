"""`alerts:` in node.yaml: when a result is late, and who is told of that, of results and of failures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dicom_node.network.dicomweb.web_call import WebAddress
from dicom_node.network.peer import Host, Port
from dicom_node.network.secret import Secret
from dicom_node.written_path import WrittenPath

Mailbox = Annotated[str, Field(pattern=r"^[^@\s<>,]+@[^@\s<>,]+$", max_length=254)]
Event = Literal["late", "result", "failed"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", max_length=64)]


class MailSettings(BaseModel):
    """The mail server, and who gets mail when results are late."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Host
    port: Port = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    authorities: WrittenPath | None = None
    sender: Mailbox
    recipients: Annotated[tuple[Mailbox, ...], Field(min_length=1)]
    user: Annotated[str, Field(min_length=1)] | None = None
    password: Secret | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> MailSettings:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: name both, or neither")
        if self.password is not None and self.tls == "none":
            raise ValueError("with tls: none the password would travel in the clear: take starttls or tls")
        return self


class WebhookSettings(BaseModel):
    """A server of the site's own that is told of events by HTTP."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: WebAddress
    secret: Secret
    events: Annotated[frozenset[Event], Field(min_length=1)] = frozenset({"late", "result", "failed"})
    authorities: WrittenPath | None = None

    def below(self, base: Path) -> WebhookSettings:
        """With files named relative to `base`."""
        files = {"secret": self.secret.below(base), "authorities": _below(base, self.authorities)}
        return self.model_copy(update=files)


class AlertSettings(BaseModel):
    """What is late, and who is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal_minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)] = 60.0
    mail: MailSettings | None = None
    webhooks: dict[Name, WebhookSettings] = Field(default_factory=dict)

    def below(self, base: Path) -> AlertSettings:
        """With files named relative to `base`."""
        mail = self.mail
        if mail is not None:
            password = mail.password.below(base) if mail.password else None
            mail = mail.model_copy(update={"password": password, "authorities": _below(base, mail.authorities)})
        hooks = {name: one.below(base) for name, one in self.webhooks.items()}
        return self.model_copy(update={"mail": mail, "webhooks": hooks})

    def secrets(self) -> Iterator[tuple[tuple[str, ...], Secret]]:
        """Every password, and under which keys."""
        if self.mail is not None and self.mail.password is not None:
            yield ("mail", "password"), self.mail.password
        for name, hook in self.webhooks.items():
            yield ("webhooks", name, "secret"), hook.secret


def _below(base: Path, file: Path | None) -> Path | None:
    return base / file.expanduser() if file else None
