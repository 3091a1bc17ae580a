"""What `audit:` in node.yaml may say."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dicom_node.audit.settings import AuditSettings


def test_left_out_the_trail_is_kept_in_files() -> None:
    assert AuditSettings().mode == "spool"


def test_off_may_be_read_as_a_boolean() -> None:
    assert AuditSettings.model_validate({"mode": False}).mode == "off"


def test_syslog_is_tls_on_its_usual_port_unless_it_says_otherwise() -> None:
    settings = AuditSettings.model_validate({"mode": "syslog", "syslog": {"host": "audit"}})
    assert settings.syslog is not None
    assert (settings.syslog.protocol, settings.syslog.port) == ("tls", 6514)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"mode": "syslog"}, "mode syslog needs syslog"),
        ({"syslog": {"host": "audit", "key_file": "a.key"}}, "key_file needs cert_file"),
        ({"syslog": {"host": "audit", "protocol": "smoke"}}, "tls"),
        ({"keep_days": 0}, "greater than 0"),
    ],
)
def test_mistakes_are_told(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        AuditSettings.model_validate(given)


def test_its_files_are_below_the_configuration() -> None:
    given = {"mode": "syslog", "syslog": {"host": "audit", "ca_file": "ca.pem", "cert_file": "/etc/node.pem"}}
    syslog = AuditSettings.model_validate(given).below(Path("/conf")).syslog
    assert syslog is not None
    assert (syslog.ca_file, syslog.cert_file, syslog.key_file) == (Path("/conf/ca.pem"), Path("/etc/node.pem"), None)
