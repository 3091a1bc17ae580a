"""What the listener tells the audit trail: one message an association and study, and who was turned away."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from xml.etree.ElementTree import Element

import pytest
from audit_schema import code, read
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE, build_context

from dicom_node.audit.facts import Participant, Reporter
from dicom_node.audit.recorder import Recorder
from dicom_node.audit.spool import Spool
from dicom_node.audit.writer import Writer
from dicom_node.errors import Refused
from dicom_node.network.client import echo, send
from dicom_node.network.tls.settings import ServerTls

PATIENCE_S = 30.0


@pytest.fixture
def spool(tmp_path) -> Spool:
    return Spool(tmp_path / "audit", max_bytes=10**6, keep_s=10**6)


@pytest.fixture
def recorder(spool) -> Recorder:
    return Recorder(Writer(spool), reporter=Reporter("SEGNODE@host"), ours=Participant("4711", ae_title="SEGNODE"))


@pytest.fixture
def told(spool) -> Callable[[int], list[Element]]:
    """Waits for so many messages and reads them."""

    def wait(number: int) -> list[Element]:
        deadline = time.monotonic() + PATIENCE_S
        while len(spool.waiting()) < number:
            assert time.monotonic() < deadline, [message.path.read_text() for message in spool.waiting()]
            time.sleep(0.02)
        return [read(message.path.read_bytes()) for message in spool.waiting()]

    return wait


def event(root: Element) -> tuple[str, str, str]:
    found = root.find("EventIdentification")
    return code(found.find("EventID"))[2], found.get("EventActionCode"), found.get("EventOutcomeIndicator")


def counted(root: Element) -> int:
    return sum(int(item.get("NumberOfInstances")) for item in root.iter("SOPClass"))


def test_a_series_is_two_messages(listen, recorder, told, make_slices):
    ear = listen(audit=recorder)
    send(make_slices(5), ear.peer, calling_aet="CT1")
    begin, end = told(2)
    assert event(begin) == ("Begin Transferring DICOM Instances", "E", "0")
    assert event(end) == ("DICOM Instances Transferred", "C", "0")
    assert (counted(begin), counted(end)) == (1, 5)
    sender = end.find("ActiveParticipant")
    assert sender.get("AlternativeUserID") == "AETITLES=CT1"
    assert sender.get("NetworkAccessPointID") == "127.0.0.1"
    patient = end.findall("ParticipantObjectIdentification")[-1]
    assert patient.get("ParticipantObjectID") == "P-17"


def test_the_same_once_more_is_told_as_held(listen, recorder, told, make_slices):
    ear, paths = listen(audit=recorder), make_slices(2)
    send(paths, ear.peer)
    told(2)
    send(paths, ear.peer)
    assert event(told(4)[-1]) == ("DICOM Instances Transferred", "R", "0")


def test_instances_that_are_not_kept_are_a_failure_of_their_own(listen, recorder, told, ct_series):
    ear = listen(audit=recorder)
    association = AE().associate(
        ear.peer.host, ear.peer.port, [build_context(CTImageStorage)], ae_title=ear.peer.ae_title
    )
    data = dcmread(ct_series[0])
    data.file_meta.TransferSyntaxUID = association.accepted_contexts[0].transfer_syntax[0]
    assert association.send_c_store(data).Status == 0
    data.SeriesInstanceUID = "no.uid"
    assert association.send_c_store(data).Status == 0xC000
    association.release()
    messages = told(4)
    ended = [message for message in messages if event(message)[0] == "DICOM Instances Transferred"]
    assert sorted(event(message)[2] for message in ended) == ["0", "8"]
    (failed,) = (message for message in ended if event(message)[2] == "8")
    assert failed.findtext("EventIdentification/EventOutcomeDescription").startswith("0xC000 ")


def test_an_echo_is_no_event(listen, recorder, spool):
    ear = listen(audit=recorder)
    echo(ear.peer)
    ear.server.stop()
    recorder.close()
    assert spool.waiting() == []


@pytest.mark.parametrize(
    ("calling", "called", "reason"),
    [("EVIL", "SEGNODE", "calling ae title not recognised"), ("CT1", "OTHER", "called ae title not recognised")],
)
def test_who_is_turned_away_is_a_security_alert(listen, recorder, told, calling, called, reason):
    ear = listen(audit=recorder, accept_calling_aets=("CT1",))
    with pytest.raises(Refused):
        echo(ear.peer.model_copy(update={"ae_title": called}), calling_aet=calling)
    (alert,) = told(1)
    assert event(alert) == ("Security Alert", "E", "4")
    assert alert.findtext("EventIdentification/EventOutcomeDescription") == (
        f"association of {calling} for {called} refused: {reason}"
    )


class TestTls:
    """Who does not get through the handshake, as node authentication (PS3.15 A.5.3.11)."""

    @pytest.fixture
    def secure(self, listen, recorder, ours, hospital):
        """An ear that speaks TLS only and wants to see certificates."""
        files = {"certificate": ours.certificate, "key": ours.key, "authorities": hospital.certificate}

        def start(**more):
            tls = ServerTls.model_validate(files | more).model_copy(update={"port": 0})
            return listen(audit=recorder, port=None, tls=tls)

        return start

    def call(self, ear, identity=None, version: ssl.TLSVersion | None = None) -> None:
        """Shake hands as somebody does who trusts everybody, and hear the answer."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        if version:
            context.minimum_version = context.maximum_version = version
        if identity:
            context.load_cert_chain(identity.certificate, identity.key)
        with (
            socket.create_connection(("127.0.0.1", ear.server.port), timeout=PATIENCE_S) as plain,
            pytest.raises(ssl.SSLError),
            context.wrap_socket(plain) as secured,
        ):
            secured.recv(1)  # TLS 1.3: the caller is through before its certificate is looked at

    def test_a_caller_without_a_certificate_is_a_security_alert(self, secure, told):
        self.call(secure())
        (alert,) = told(1)
        assert event(alert) == ("Security Alert", "E", "4")
        assert code(alert.find("EventIdentification/EventTypeCode"))[2] == "Node Authentication"
        assert alert.findtext("EventIdentification/EventOutcomeDescription") == (
            "TLS handshake with 127.0.0.1 failed: it shows no certificate"
        )
        suspect = alert.findall("ActiveParticipant")[-1]
        assert suspect.get("NetworkAccessPointID") == "127.0.0.1"

    def test_so_is_one_of_another_authority(self, secure, told, strangers):
        self.call(secure(), strangers.issue("intruder"))
        (alert,) = told(1)
        assert "none of our authorities has signed it" in alert.findtext("EventIdentification/EventOutcomeDescription")

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    def test_so_is_one_with_an_old_protocol(self, secure, told, scanner):
        self.call(secure(), scanner, ssl.TLSVersion.TLSv1_1)
        (alert,) = told(1)
        assert "its version of TLS is too old" in alert.findtext("EventIdentification/EventOutcomeDescription")

    def test_a_storm_is_one_alert_a_minute(self, secure, recorder, spool):
        ear = secure()
        for _ in range(20):
            self.call(ear)
        ear.server.stop()
        recorder.close()
        assert len(spool.waiting()) == 1

    def test_who_goes_away_is_no_suspect(self, secure, recorder, spool):
        ear = secure()
        socket.create_connection(("127.0.0.1", ear.server.port)).close()
        until_refused(ear, 1)
        ear.server.stop()
        recorder.close()
        assert spool.waiting() == []

    def test_nor_is_who_falls_silent_or_finds_no_room(self, secure, recorder, spool, monkeypatch):
        monkeypatch.setattr("dicom_node.network.listener.HANDSHAKES", 1)
        ear = secure(handshake_s=1.0)
        where = ("127.0.0.1", ear.server.port)
        with (
            socket.create_connection(where, timeout=PATIENCE_S) as silent,
            socket.create_connection(where, timeout=PATIENCE_S) as one_more,
        ):
            assert (silent.recv(1), one_more.recv(1)) == (b"", b"")
        until_refused(ear, 2)
        ear.server.stop()
        recorder.close()
        assert spool.waiting() == []


def until_refused(ear, number: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while sum(event == "refused" for event, _ in ear.journal()) < number:
        assert time.monotonic() < deadline, ear.journal()
        time.sleep(0.02)


def test_who_finds_no_room_is_no_suspect(listen, recorder, spool):
    ear = listen(audit=recorder, max_associations=1)
    context = build_context("1.2.840.10008.1.1")
    first = AE().associate(ear.peer.host, ear.peer.port, [context], ae_title=ear.peer.ae_title)
    second = AE().associate(ear.peer.host, ear.peer.port, [context], ae_title=ear.peer.ae_title)
    assert second.is_rejected
    first.release()
    ear.server.stop()
    recorder.close()
    assert spool.waiting() == []
