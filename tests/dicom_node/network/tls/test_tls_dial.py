"""Calling by TLS, with DCMTK's archive on the other end, and every no in words."""

import socket
import ssl
import struct
import threading
from contextlib import contextmanager

import pytest
from pydicom import dcmread

from dicom_node.errors import Rejected, Unreachable
from dicom_node.network import client
from dicom_node.network.client import echo, send
from dicom_node.network.peer import Peer
from dicom_node.network.tls.settings import ClientTls

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom's sockets


@pytest.fixture
def tls(scanner, hospital):
    """Our settings as a caller; keyword arguments replace them."""

    def make(**changes) -> ClientTls:
        fields = {"certificate": scanner.certificate, "key": scanner.key, "authorities": hospital.certificate}
        return ClientTls(**fields | changes)

    return make


@pytest.fixture
def archive(storescp, hospital, ours):
    """Starts DCMTK's archive with TLS; it trusts the hospital and wants certificates of its callers."""

    def start(identity=ours, *more: str, authority=hospital):
        return storescp("-v", "+xa", "+tls", str(identity.key), str(identity.certificate),
                        "+cf", str(authority.certificate), *more)  # fmt: skip

    return start


def peer(scp, tls, host="localhost") -> Peer:
    return Peer(ae_title=scp.aet, host=host, port=scp.port, tls=tls)


@pytest.mark.peer
def test_objects_reach_dcmtks_archive_over_tls(archive, tls, ct_series):
    scp = archive()
    statuses = send(ct_series, peer(scp, tls()))
    assert [str(status) for status in statuses.values()] == ["0x0000"] * 3
    assert {dcmread(path).SOPInstanceUID for path in scp.files()} == set(statuses)


@pytest.mark.peer
@pytest.mark.parametrize("profile", ["bcp195", "bcp195_modified"])
@pytest.mark.parametrize("theirs", ["+py", "+px", "+pz"])
def test_dcmtks_profiles_of_bcp_195_agree_with_ours(archive, tls, ours, profile, theirs):
    scp = archive(ours, theirs)
    echo(peer(scp, tls(profile=profile)))
    assert scp.echoes() == 1


@pytest.mark.peer
def test_an_address_stands_in_the_certificate_like_a_name(archive, tls):
    scp = archive()
    echo(peer(scp, tls(), host="127.0.0.1"))
    assert scp.echoes() == 1


@pytest.mark.peer
def test_an_archive_of_another_authority_is_not_trusted_and_gets_nothing(archive, tls, strangers, ct_series):
    scp = archive(strangers.issue("pacs"))
    with pytest.raises(Unreachable, match="its certificate is not trusted: none of our authorities has signed it"):
        send(ct_series, peer(scp, tls()))
    assert scp.files() == []


@pytest.mark.peer
def test_an_archive_whose_certificate_has_expired_is_told_so(archive, tls, expired):
    with pytest.raises(Unreachable, match="its certificate has expired"):
        echo(peer(archive(expired), tls()))


@pytest.mark.peer
def test_an_archive_under_another_name_is_not_the_one_we_mean(archive, tls, hospital):
    scp = archive(hospital.issue("pacs", names="DNS:pacs.hospital.example"))
    with pytest.raises(Unreachable, match="its certificate bears another host name"):
        echo(peer(scp, tls()))
    with pytest.raises(Unreachable, match="its certificate bears another address"):
        echo(peer(scp, tls(), host="127.0.0.1"))
    echo(peer(scp, tls(server_name="pacs.hospital.example")))
    echo(peer(scp, tls(check_name=False)))


@pytest.mark.peer
def test_an_archive_whose_certificate_was_called_back_is_not_trusted(archive, tls, hospital):
    stolen = hospital.issue("stolen")
    hospital.revoke(stolen)
    with pytest.raises(Unreachable, match="its certificate has been revoked"):
        echo(peer(archive(stolen), tls(revocations=hospital.revocations())))


@pytest.mark.peer
def test_an_archives_own_certificate_may_stand_in_the_place_of_its_authority(archive, tls, strangers):
    pacs = strangers.issue("pacs")
    scp = archive(pacs)
    echo(peer(scp, tls(authorities=pacs.certificate)))
    assert scp.echoes() == 1


# A no in the handshake is one to all that we bring, as that to an association is: what is to be sent waits.
# With TLS 1.3 (+py) it comes after the handshake, and is lost where a reset follows it at once.
LOST = r"|ended the connection after the TLS handshake; does it accept our certificate"


@pytest.mark.peer
@pytest.mark.parametrize(
    ("profile", "words"), [("+py", "we have shown none" + LOST), ("+pz", "or wants a certificate of us")]
)
def test_an_archive_that_wants_our_certificate_says_so(archive, tls, ours, profile, words):
    with pytest.raises((Rejected, Unreachable), match=words):
        echo(peer(archive(ours, profile), tls(certificate=None, key=None)))


@pytest.mark.peer
@pytest.mark.parametrize(("profile", "lost"), [("+py", LOST), ("+pz", "")])
def test_an_archive_that_does_not_trust_our_certificate_says_so(archive, tls, strangers, ours, profile, lost):
    caller = strangers.issue("segnode")
    with pytest.raises((Rejected, Unreachable), match="does not trust the authority of our certificate" + lost):
        echo(peer(archive(ours, profile), tls(certificate=caller.certificate, key=caller.key)))


@pytest.mark.peer
def test_an_archive_with_only_retired_suites_shares_none_with_us(archive, tls, ours):
    with pytest.raises(Rejected, match="it shares no cipher suite with our profile"):
        echo(peer(archive(ours, "+pa"), tls()))


@pytest.mark.peer
def test_an_archive_that_speaks_no_tls_is_told_apart(storescp, tls):
    with pytest.raises(Unreachable, match="does it speak TLS on this port"):
        echo(peer(storescp(), tls()))


@pytest.mark.peer
def test_a_plain_call_to_a_tls_port_comes_to_nothing(archive):
    scp = archive()
    with pytest.raises(Unreachable):
        echo(Peer(ae_title=scp.aet, host="localhost", port=scp.port))


@contextmanager
def answering(answer):
    """A server for one connection, which `answer` gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            connection, _ = server.accept()
            with connection:
                answer(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_archive_with_old_protocols_is_not_called_down_to_them(tls, ours, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(ours.certificate, ours.key)

    def shake(connection: socket.socket) -> None:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(connection, server_side=True)

    with answering(shake) as port, pytest.raises(Rejected, match="it refuses our versions of TLS"):
        echo(Peer(ae_title="OLD", host="localhost", port=port, tls=tls()))


def test_a_reset_right_after_the_handshake_is_told_as_what_it_mostly_is(tls, ours):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.certificate, ours.key)

    def reset(connection: socket.socket) -> None:
        secured = context.wrap_socket(connection, server_side=True)
        secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        secured.close()

    with answering(reset) as port, pytest.raises(Unreachable, match="does it accept our certificate"):
        echo(Peer(ae_title="RESET", host="localhost", port=port, tls=tls()))


def test_an_archive_that_does_not_finish_the_handshake_is_given_up(tls, monkeypatch):
    monkeypatch.setattr(client, "CONNECT_S", 0.5)
    done = threading.Event()
    with answering(lambda _: done.wait(10)) as port:
        with pytest.raises(Unreachable, match="does not finish the TLS handshake in time"):
            echo(Peer(ae_title="SLOW", host="127.0.0.1", port=port, tls=tls()))
        done.set()


def test_nobody_at_the_port_is_told_as_without_tls(tls, free_port):
    with pytest.raises(Unreachable, match="cannot be reached"):
        echo(Peer(ae_title="GONE", host="127.0.0.1", port=free_port(), tls=tls()))


def test_files_that_are_wrong_keep_us_from_calling_and_are_named(tls, tmp_path):
    with pytest.raises(Unreachable, match=f"authorities {tmp_path / 'gone'} is not there"):
        echo(Peer(ae_title="ANY", host="127.0.0.1", port=104, tls=tls(authorities=tmp_path / "gone")))
