"""Audit messages by syslog: framed as RFC 5424 and 5425 say, delivered when the collector has read them."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from audit_collector import AuditCollector, Authority, server_context

from dicom_node.audit import syslog
from dicom_node.audit.settings import SyslogSettings
from dicom_node.audit.syslog import Syslog, syslog_message
from dicom_node.errors import Unfinished, Unreachable
from dicom_node.network.ports import free_port

XML = '<AuditMessage><EventIdentification EventOutcomeIndicator="0"/>Müller</AuditMessage>'.encode()
MESSAGES = [syslog_message(XML, 1_750_000_000.25 + n, "radiology-1", "4711") for n in range(50)]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("certificates") / "ours")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("certificates") / "theirs")


def tls(port: int, authority: Authority, host: str = "localhost", **more: Path) -> Syslog:
    return Syslog(SyslogSettings(host=host, port=port, ca_file=authority.certificate, **more))


class TestMessage:
    def test_holds_to_rfc_5424(self) -> None:
        head, bom, xml = MESSAGES[0].partition(b"\xef\xbb\xbf")
        assert head == b"<85>1 2025-06-15T15:06:40.250000Z radiology-1 segnode 4711 DICOM+RFC3881 - "
        assert bom
        assert xml == XML

    @pytest.mark.parametrize("indicator", [4, 8, 12])
    def test_a_failure_is_a_warning(self, indicator: int) -> None:
        """PS3.15 A.6: severity 4 where the message tells of something that deserves it."""
        message = syslog_message(b'<x EventOutcomeIndicator="%d"/>' % indicator, 0.0, "host", "1")
        assert message.startswith(b"<84>1 ")

    def test_odd_names_keep_the_header_whole(self) -> None:
        head = syslog_message(XML, 0.0, "a host\nof \u00fcs", "").split(b"\xef\xbb\xbf")[0]
        assert re.fullmatch(rb"<85>1 \S+ ahostofs segnode - DICOM\+RFC3881 - ", head)


class TestTls:
    def test_every_message_arrives_in_order(self, authority: Authority) -> None:
        with AuditCollector(server_context(*authority.issue("collector"))) as collector:
            tls(collector.port, authority).send(MESSAGES)
        assert collector.messages == MESSAGES

    def test_by_an_ip_address_that_the_certificate_bears(self, authority: Authority) -> None:
        with AuditCollector(server_context(*authority.issue("collector"))) as collector:
            tls(collector.port, authority, host="127.0.0.1").send(MESSAGES[:1])
        assert collector.messages == MESSAGES[:1]

    def test_a_certificate_of_a_stranger_gets_nothing(self, authority: Authority, stranger: Authority) -> None:
        with (
            AuditCollector(server_context(*stranger.issue("collector"))) as collector,
            pytest.raises(Unreachable, match="has no good certificate: unable to get local issuer certificate"),
        ):
            tls(collector.port, authority).send(MESSAGES)
        assert collector.messages == []

    def test_a_certificate_of_another_name_gets_nothing(self, authority: Authority) -> None:
        with (
            AuditCollector(server_context(*authority.issue("other", "DNS:other.example"))) as collector,
            pytest.raises(Unreachable, match="has no good certificate: Hostname mismatch"),
        ):
            tls(collector.port, authority).send(MESSAGES)
        assert collector.messages == []

    def test_a_collector_that_asks_for_ours_gets_it(self, authority: Authority) -> None:
        certificate, key = authority.issue("node")
        asking = server_context(*authority.issue("collector"), clients=authority.certificate)
        with AuditCollector(asking) as collector:
            tls(collector.port, authority, cert_file=certificate, key_file=key).send(MESSAGES[:3])
            assert collector.messages == MESSAGES[:3]
            with pytest.raises(Unreachable):
                tls(collector.port, authority).send(MESSAGES)
        assert collector.messages == MESSAGES[:3], "and nothing without it"

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with AuditCollector() as collector:
            nowhere = Syslog(SyslogSettings(host="localhost", port=collector.port, ca_file=tmp_path / "ca.pem"))
            with pytest.raises(Unreachable, match=r"TLS needs .*ca\.pem, which is not there"):
                nowhere.send(MESSAGES)

    def test_a_collector_that_speaks_no_tls(self, authority: Authority) -> None:
        with AuditCollector() as collector, pytest.raises(Unreachable, match="audit collector tls://localhost"):
            tls(collector.port, authority).send(MESSAGES)


class TestTcp:
    def test_every_message_arrives_in_order(self) -> None:
        with AuditCollector() as collector:
            Syslog(SyslogSettings(host="127.0.0.1", port=collector.port, protocol="tcp")).send(MESSAGES)
        assert collector.messages == MESSAGES

    def test_what_was_taken_but_not_read_is_not_delivered(self) -> None:
        """Bytes that only the collector's kernel has taken are lost when it dies: they must be sent again."""
        with AuditCollector(rude_after=2) as collector, pytest.raises(Unreachable):
            Syslog(SyslogSettings(host="127.0.0.1", port=collector.port, protocol="tcp")).send(MESSAGES * 20)
        assert len(collector.messages) == 2

    def test_one_that_never_closes_has_not_read_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(syslog, "TIMEOUT_S", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            port = deaf.getsockname()[1]
            with pytest.raises(Unfinished, match="did not close its side"):
                Syslog(SyslogSettings(host="127.0.0.1", port=port, protocol="tcp")).send(MESSAGES)

    def test_one_that_reads_nothing_more_is_not_one_that_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(syslog, "TIMEOUT_S", 0.2)
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            port = deaf.getsockname()[1]
            with pytest.raises(Unfinished, match="did not close its side"):
                Syslog(SyslogSettings(host="127.0.0.1", port=port, protocol="tcp")).send([b"x" * 10_000_000] * 3)

    def test_nobody_there(self) -> None:
        port = free_port()
        with pytest.raises(Unreachable, match=f"audit collector tcp://127.0.0.1:{port}: Connection refused"):
            Syslog(SyslogSettings(host="127.0.0.1", port=port, protocol="tcp")).send(MESSAGES)


def test_udp_sends_a_datagram_a_message() -> None:
    """RFC 5426; nobody can tell whether it arrives."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(10)
        port = collector.getsockname()[1]
        Syslog(SyslogSettings(host="127.0.0.1", port=port, protocol="udp")).send(MESSAGES[:3])
        assert [collector.recv(65536) for _ in range(3)] == MESSAGES[:3]
