"""The port with TLS: DCMTK as the scanner, good and bad certificates, old protocols, slow hands, new files."""

import shutil
import socket
import ssl
import threading
import time

import pytest
from pydicom import dcmread
from pynetdicom import AE, build_context
from pynetdicom.sop_class import Verification

from dicom_node.network.client import echo, send
from dicom_node.network.peer import Peer
from dicom_node.network.tls.settings import ClientTls, ServerTls

HANDSHAKE_S = 5.0


def tls_settings(ours, hospital, port=0, **more) -> ServerTls:
    fields = {"certificate": ours.certificate, "key": ours.key, "authorities": hospital.certificate}
    return ServerTls(**{"handshake_s": HANDSHAKE_S} | fields | more).model_copy(update={"port": port})


@pytest.fixture
def secure(listen, ours, hospital):
    """Starts an ear that speaks TLS only; keyword arguments are those of its `tls`."""

    def start(own=ours, **more):
        return listen(port=None, tls=tls_settings(own, hospital, **more))

    return start


def dcmtk_tls(identity, *authorities, profile=()) -> list:
    """DCMTK's options for a caller with `identity`, or without one."""
    own = ["+tls", identity.key, identity.certificate] if identity else ["+tla"]
    return [*own, *profile, *[word for path in authorities for word in ("+cf", path)]]


def echoed(dcmtk, ear, identity, *authorities, profile=()):
    return dcmtk.run(
        "echoscu", "-v", *dcmtk_tls(identity, *authorities, profile=profile), "-aec", "SEGNODE", "-to", 20,
        "localhost", ear.server.port,
    )  # fmt: skip


def refusals(ear) -> list[str]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = [text for event, text in ear.journal() if event == "refused"]
        if found:
            return found
        time.sleep(0.02)
    return []


@pytest.mark.peer
def test_dcmtk_stores_over_tls_with_a_good_certificate(secure, scanner, hospital, dcmtk, ct_series):
    ear = secure()
    done = dcmtk.run(
        "storescu", "-v", *dcmtk_tls(scanner, hospital.certificate), "-aec", "SEGNODE", "localhost", ear.server.port,
        *ct_series,
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("Received Store Response (Success)") == 3
    assert len(ear.instances(dcmread(ct_series[0]).StudyInstanceUID)) == 3
    assert refusals_now(ear) == []


def refusals_now(ear) -> list[str]:
    return [text for event, text in ear.journal() if event == "refused"]


@pytest.mark.peer
@pytest.mark.parametrize("profile", ["bcp195", "bcp195_modified"])
@pytest.mark.parametrize("theirs", ["+py", "+px", "+pz"])
def test_dcmtks_profiles_of_bcp_195_agree_with_ours(secure, scanner, hospital, dcmtk, profile, theirs):
    done = echoed(dcmtk, secure(profile=profile), scanner, hospital.certificate, profile=(theirs,))
    assert done.returncode == 0, done.stdout


@pytest.mark.peer
def test_dcmtks_retired_profile_has_no_suite_for_us(secure, scanner, hospital, dcmtk):
    ear = secure()
    done = echoed(dcmtk, ear, scanner, hospital.certificate, profile=("+pa",))
    print(done.stdout)
    assert done.returncode != 0
    assert "handshake failure" in done.stdout
    assert "it offers no cipher suite of our profile" in refusals(ear)[0]


@pytest.mark.peer
def test_a_caller_of_another_authority_is_refused(secure, strangers, hospital, dcmtk):
    ear = secure()
    done = echoed(dcmtk, ear, strangers.issue("intruder"), hospital.certificate)
    print(done.stdout)
    assert done.returncode != 0
    assert "none of our authorities has signed it" in refusals(ear)[0]


@pytest.mark.peer
def test_a_caller_whose_certificate_has_expired_is_refused(secure, expired, hospital, dcmtk):
    ear = secure()
    done = echoed(dcmtk, ear, expired, hospital.certificate)
    print(done.stdout)
    assert done.returncode != 0
    assert "its certificate has expired" in refusals(ear)[0]


@pytest.mark.peer
def test_a_caller_whose_certificate_was_called_back_is_refused(secure, scanner, hospital, dcmtk):
    stolen = hospital.issue("stolen.hospital.example")
    hospital.revoke(stolen)
    ear = secure(revocations=hospital.revocations())
    assert echoed(dcmtk, ear, stolen, hospital.certificate).returncode != 0
    assert "its certificate has been revoked" in refusals(ear)[0]
    assert echoed(dcmtk, ear, scanner, hospital.certificate).returncode == 0


@pytest.mark.peer
def test_a_caller_without_a_certificate_is_refused_where_one_is_required(secure, hospital, dcmtk):
    ear = secure()
    done = echoed(dcmtk, ear, None, hospital.certificate)
    print(done.stdout)
    assert done.returncode != 0
    assert "it shows no certificate" in refusals(ear)[0]


@pytest.mark.peer
def test_a_caller_without_a_certificate_comes_in_where_none_is_required(secure, hospital, dcmtk):
    assert echoed(dcmtk, secure(client_certificates="none"), None, hospital.certificate).returncode == 0


@pytest.mark.peer
def test_a_caller_that_does_not_trust_us_goes_away(secure, scanner, strangers, dcmtk):
    ear = secure()
    done = echoed(dcmtk, ear, scanner, strangers.certificate)
    print(done.stdout)
    assert done.returncode != 0
    assert "it does not trust the authority of our certificate" in refusals(ear)[0]


@pytest.mark.peer
def test_plain_dicom_on_the_tls_port_is_refused_in_words(secure, dcmtk):
    ear = secure()
    done = dcmtk.run("echoscu", "-aec", "SEGNODE", "-to", 20, "localhost", ear.server.port)
    print(done.stdout)
    assert done.returncode != 0
    assert "it does not speak TLS on this port" in refusals(ear)[0]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_protocols_are_refused(secure, scanner, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(scanner.certificate, scanner.key)
    ear = secure()
    with socket.create_connection(("127.0.0.1", ear.server.port)) as plain, pytest.raises(ssl.SSLError) as caught:
        context.wrap_socket(plain)
    assert caught.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"
    assert "its version of TLS is too old" in refusals(ear)[0]


@pytest.mark.parametrize("name", ["TLSv1.2", "TLSv1.3"])
def test_both_current_protocols_are_spoken_without_tickets(secure, scanner, hospital, name):
    version = ssl.TLSVersion[name.replace(".", "_")]
    context = ClientTls(certificate=scanner.certificate, key=scanner.key, authorities=hospital.certificate).context()
    context.minimum_version = context.maximum_version = version
    caller = AE()
    association = caller.associate(
        "localhost", secure().server.port, [build_context(Verification)], ae_title="SEGNODE",
        tls_args=(context, "localhost"),
    )  # fmt: skip
    assert association.send_c_echo().Status == 0
    connection = association.dul.socket.socket
    assert (connection.version(), connection.session.has_ticket) == (name, False)
    association.release()


@pytest.mark.peer
def test_slow_handshakes_keep_no_scanner_waiting(secure, scanner, hospital, dcmtk, ct_series):
    ear = secure()
    silent = [socket.create_connection(("127.0.0.1", ear.server.port)) for _ in range(60)]
    half = socket.create_connection(("127.0.0.1", ear.server.port))
    half.sendall(bytes.fromhex("1603010200 01"))  # a handshake that has begun and stops
    opened = time.monotonic()
    try:
        done = dcmtk.run(
            "storescu", *dcmtk_tls(scanner, hospital.certificate), "-aec", "SEGNODE", "localhost", ear.server.port,
            *ct_series,
        )  # fmt: skip
        seconds = time.monotonic() - opened
        assert done.returncode == 0, done.stdout
        assert seconds < HANDSHAKE_S, "it was served while the others were still silent"
        for connection in (*silent, half):
            connection.settimeout(HANDSHAKE_S + 10)
            assert connection.recv(64) == b"", "a silent one is hung up on"
        assert time.monotonic() - opened >= HANDSHAKE_S * 0.9
    finally:
        for connection in (*silent, half):
            connection.close()
    assert "does not finish the TLS handshake in time" in refusals(ear)[0]


def test_where_room_is_short_one_that_does_not_shake_hands_goes(listen, ours, scanner, hospital, dcmtk):
    ear = listen(port=None, tls=tls_settings(ours, hospital), max_connections=3)
    silent = [socket.create_connection(("127.0.0.1", ear.server.port)) for _ in range(3)]
    opened = time.monotonic()
    try:
        assert echoed(dcmtk, ear, scanner, hospital.certificate).returncode == 0
        silent[0].settimeout(HANDSHAKE_S)
        assert silent[0].recv(64) == b"", "the oldest"
        assert time.monotonic() - opened < HANDSHAKE_S, "for the newcomer, not because its time was over"
    finally:
        for connection in silent:
            connection.close()


def test_more_handshakes_than_the_bound_are_hung_up_on(secure, monkeypatch):
    monkeypatch.setattr("dicom_node.network.listener.HANDSHAKES", 3)
    ear = secure()
    waiting = [socket.create_connection(("127.0.0.1", ear.server.port)) for _ in range(3)]
    time.sleep(0.3)
    with socket.create_connection(("127.0.0.1", ear.server.port)) as one_more:
        one_more.settimeout(HANDSHAKE_S / 2)
        assert one_more.recv(1) == b""
    for connection in waiting:
        connection.close()
    assert any("too many TLS handshakes are under way" in text for text in refusals(ear))


@pytest.mark.peer
def test_a_renewed_certificate_is_shown_to_the_next_caller_and_the_open_association_goes_on(
    listen, ours, scanner, hospital, dcmtk, tmp_path, ct_series
):
    for source, name in ((ours.certificate, "node.crt"), (ours.key, "node.key")):
        shutil.copy(source, tmp_path / name)
    tls = tls_settings(ours, hospital, certificate=tmp_path / "node.crt", key=tmp_path / "node.key")
    ear = listen(port=None, tls=tls)
    peer = Peer(
        ae_title="SEGNODE", host="localhost", port=ear.server.port,
        tls=ClientTls(certificate=scanner.certificate, key=scanner.key, authorities=hospital.certificate),
    )  # fmt: skip
    renewed = hospital.issue("renewed.hospital.example")

    def renew_once(_status) -> None:
        shutil.copy(renewed.certificate, tmp_path / "node.crt")
        shutil.copy(renewed.key, tmp_path / "node.key")

    assert shown_by(ear) == "segnode.hospital.example"
    assert all(status.stored for status in send(ct_series, peer, told=renew_once).values())
    assert shown_by(ear) == "renewed.hospital.example"
    assert echoed(dcmtk, ear, scanner, hospital.certificate).returncode == 0
    (tmp_path / "node.key").write_text("half a file")
    assert shown_by(ear) == "renewed.hospital.example"
    assert echoed(dcmtk, ear, scanner, hospital.certificate).returncode == 0
    (state,) = ear.server.tls_states()
    assert "holds no PEM private key" in state["trouble"]


def shown_by(ear) -> str:
    """The common name of the certificate that a caller sees."""
    from dicom_node.network.tls.certificate import read_certificates

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", ear.server.port)) as plain,
        context.wrap_socket(plain) as secured,
    ):
        return read_certificates(ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True)))[0].name


@pytest.mark.peer
def test_both_ports_at_once_share_the_limit_of_associations(listen, ours, scanner, hospital, dcmtk, ct_series):
    ear = listen(tls=tls_settings(ours, hospital), max_associations=1)
    plain, secured = ear.server.ports
    assert dcmtk.run("echoscu", "-aec", "SEGNODE", "localhost", plain).returncode == 0
    done = dcmtk.run(
        "storescu", *dcmtk_tls(scanner, hospital.certificate), "-aec", "SEGNODE", "localhost", secured, *ct_series
    )
    assert done.returncode == 0, done.stdout


def test_a_port_that_is_taken_leaves_no_other_open(listen, ours, hospital, free_port):
    plain = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError):
            listen(port=plain, tls=tls_settings(ours, hospital, port=taken.getsockname()[1]))
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", plain)) != 0


def test_an_echo_of_ours_over_tls_in_many_threads(secure, scanner, hospital):
    ear = secure()
    peer = Peer(
        ae_title="SEGNODE", host="127.0.0.1", port=ear.server.port,
        tls=ClientTls(certificate=scanner.certificate, key=scanner.key, authorities=hospital.certificate),
    )  # fmt: skip
    failed: list[Exception] = []

    def ask() -> None:
        try:
            echo(peer)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
