"""`alerts:` in node.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dicom_node.errors import ConfigurationError
from dicom_node.settings import load
from dicom_node.settings.alerts import AlertSettings, MailSettings

MAIL: dict[str, Any] = {"host": "mail", "sender": "a@b.example", "recipients": ["c@d.example"]}


@pytest.mark.parametrize(("more", "words"), [
    ({"recipients": []}, "recipients"), ({"sender": "nobody"}, "sender"), ({"user": "x"}, "belong together"),
    ({"user": "x", "password": {"environment": "P"}, "tls": "none"}, "in the clear"),
    ({"recipients": ["c@d.example\r\nBcc: e@f"]}, "recipients"),
])
def test_what_makes_no_mail_is_said(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        MailSettings.model_validate(MAIL | more)


def test_files_are_below_the_configuration(tmp_path: Path) -> None:
    hook = {"url": "https://h/x", "secret": {"file": "s"}, "authorities": "ca.pem"}
    mail = MAIL | {"user": "u", "password": {"file": "p"}, "authorities": "ca.pem"}
    found = AlertSettings.model_validate({"mail": mail, "webhooks": {"ops": hook}}).below(tmp_path)
    assert [(keys, secret.file) for keys, secret in found.secrets()] == [
        (("mail", "password"), tmp_path / "p"), (("webhooks", "ops", "secret"), tmp_path / "s")]
    assert found.mail
    assert {found.mail.authorities, found.webhooks["ops"].authorities} == {tmp_path / "ca.pem"}


def test_a_secret_that_is_not_there_is_told_with_its_place(conf: Path) -> None:
    with (conf / "node.yaml").open("a") as node:
        node.write("alerts:\n  webhooks:\n    ops: {url: 'https://h/x', secret: {file: gone}}\n")
    with pytest.raises(ConfigurationError, match=r"alerts\.webhooks\.ops\.secret"):
        load(conf, look_at_files=True)
