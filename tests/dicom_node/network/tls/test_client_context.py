"""Servers are asked for a certificate by one measure, whichever Python the node runs on."""

import ssl
from pathlib import Path

import pytest
from audit_collector import Authority, server_context

from dicom_node.network.tls.client_context import client_context


@pytest.fixture
def strict_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults of Python 3.13."""
    usual = ssl.create_default_context

    def strict(cafile: str | None = None) -> ssl.SSLContext:
        context = usual(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)


def whom(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str:
    """Whose certificate the client has taken (its common name), both ends in memory; SSLError where it takes none."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    ends = [asking, server.wrap_bio(to_server, to_client, server_side=True)]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)
    shown = asking.getpeercert()
    assert shown is not None
    return dict(pair for pairs in shown["subject"] for pair in pairs)["commonName"]


@pytest.mark.usefixtures("strict_library")
def test_an_authority_without_key_usage_is_good_enough(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path / "ours")
    taken = whom(client_context(authority.certificate), server_context(*authority.issue("mail")), "localhost")
    assert taken == "mail"


def test_another_authoritys_certificate_is_refused(tmp_path: Path) -> None:
    ours, theirs = Authority.make(tmp_path / "ours"), Authority.make(tmp_path / "theirs")
    with pytest.raises(ssl.SSLCertVerificationError):
        whom(client_context(ours.certificate), server_context(*theirs.issue("mail")), "localhost")


def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path / "ours")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        whom(client_context(authority.certificate), server_context(*authority.issue("mail")), "mail.hospital")


def test_tls_is_1_2_or_newer_with_the_systems_authorities_as_well() -> None:
    assert client_context().minimum_version == ssl.TLSVersion.TLSv1_2
