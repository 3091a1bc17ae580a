"""The contexts of both ends, and every mistake in their files under its setting."""

import shutil
import ssl

import pytest
from pydantic import ValidationError

from dicom_node.errors import BadTlsFiles
from dicom_node.network.tls.settings import PROFILES, ClientTls, KeyPassword, ServerTls


def server(identity, hospital, **more) -> ServerTls:
    fields = {"certificate": identity.certificate, "key": identity.key, "authorities": hospital.certificate}
    return ServerTls(**fields | more)


def mistakes(tls) -> dict[str, str]:
    with pytest.raises(BadTlsFiles) as caught:
        tls.context()
    return {mistake.key: mistake.sentence for mistake in caught.value.mistakes}


def offered(context) -> list[str]:
    return [cipher["name"] for cipher in context.get_ciphers()]


def test_the_default_is_the_profile_of_b_12_which_never_goes_below_tls_1_2(ours, hospital):
    for context in (server(ours, hospital).context(), ClientTls(authorities=hospital.certificate).context()):
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.maximum_version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.MAXIMUM_SUPPORTED)
        assert [name for name in offered(context) if not name.startswith("TLS_")] == list(PROFILES["bcp195"])
        assert context.security_level == 2
        assert context.options & ssl.OP_NO_RENEGOTIATION


def test_the_modified_profile_of_b_13_offers_more_suites_and_no_weaker_version(ours, hospital):
    context = server(ours, hospital, profile="bcp195_modified").context()
    assert [name for name in offered(context) if not name.startswith("TLS_")] == list(PROFILES["bcp195_modified"])
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_every_suite_has_forward_secrecy_and_authenticates_what_it_encrypts():
    for suites in PROFILES.values():
        assert all(suite.startswith("ECDHE-") and ("GCM" in suite or "POLY1305" in suite or "CCM" in suite)
                   for suite in suites)  # fmt: skip


def test_callers_show_a_certificate_unless_that_is_not_asked(ours, hospital):
    assert server(ours, hospital).context().verify_mode is ssl.CERT_REQUIRED
    assert server(ours, hospital, client_certificates="none").context().verify_mode is ssl.CERT_NONE


def test_who_requires_certificates_must_say_whose(ours):
    with pytest.raises(ValidationError, match="authorities must name who signs them"):
        ServerTls(certificate=ours.certificate, key=ours.key)


def test_a_client_checks_certificate_and_name_of_the_peer(hospital):
    context = ClientTls(authorities=hospital.certificate).context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    loose = ClientTls(authorities=hospital.certificate, check_name=False).context()
    assert (loose.verify_mode, loose.check_hostname) == (ssl.CERT_REQUIRED, False)


def test_a_client_takes_the_nodes_own_files_where_it_names_none(ours, scanner, hospital):
    own = server(ours, hospital)
    taken = ClientTls().completed(own)
    assert (taken.certificate, taken.key, taken.authorities) == (ours.certificate, ours.key, hospital.certificate)
    named = ClientTls(certificate=scanner.certificate, key=scanner.key).completed(own)
    assert (named.certificate, named.key, named.authorities) == (
        scanner.certificate, scanner.key, hospital.certificate,
    )  # fmt: skip
    assert ClientTls().completed(None) == ClientTls()


def test_key_and_certificate_may_share_a_file(ours, hospital, tmp_path):
    both = tmp_path / "both.pem"
    both.write_text(ours.certificate.read_text() + ours.key.read_text())
    assert ServerTls(certificate=both, authorities=hospital.certificate).context()


@pytest.fixture
def locked(hospital):
    return hospital.issue("locked", password="open sesame")


def test_a_password_comes_from_a_file_or_the_environment(locked, hospital, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    assert server(locked, hospital, key_password=KeyPassword(file=secret)).context()
    monkeypatch.setenv("SEGNODE_KEY", "open sesame")
    assert server(locked, hospital, key_password=KeyPassword(environment="SEGNODE_KEY")).context()


def test_a_password_that_does_not_open_the_key_is_told_and_never_asked_at_the_terminal(locked, hospital, tmp_path):
    assert "is encrypted: say in key_password" in mistakes(server(locked, hospital))["key"]
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    told = mistakes(server(locked, hospital, key_password=KeyPassword(file=secret)))
    assert told == {"key_password": f"does not open the key {locked.key}"}
    assert "wrong" not in str(told).replace(str(secret), "")
    absent = mistakes(server(locked, hospital, key_password=KeyPassword(environment="SEGNODE_NOT_SET")))
    assert "is no variable of the environment" in absent["key_password"]
    gone = mistakes(server(locked, hospital, key_password=KeyPassword(file=tmp_path / "gone")))
    assert gone == {"key_password": "is not there"}


@pytest.mark.parametrize("places", [{}, {"file": "a", "environment": "B"}])
def test_a_password_is_in_one_place(places):
    with pytest.raises(ValidationError, match="either file or environment"):
        KeyPassword(**places)


def test_a_key_without_its_certificate_is_of_no_use(ours):
    with pytest.raises(ValidationError, match="name the certificate as well"):
        ClientTls(key=ours.key)


def test_a_mistake_names_its_setting_and_its_file(ours, hospital, tmp_path):
    with pytest.raises(BadTlsFiles, match=f"^authorities {tmp_path / 'gone'} is not there$"):
        server(ours, hospital, authorities=tmp_path / "gone").context()


def test_every_mistake_is_told_at_once(hospital, tmp_path):
    (tmp_path / "empty").write_text("")
    told = mistakes(
        ServerTls(
            certificate=tmp_path / "none.crt",
            key=tmp_path / "none.key",
            authorities=tmp_path / "empty",
            revocations=hospital.certificate,
        )
    )
    assert told.keys() == {"certificate", "key", "authorities", "revocations"}
    assert (told["certificate"], told["key"]) == ("is not there", "is not there")
    assert "holds no PEM certificate" in told["authorities"]
    assert "holds no PEM revocation list" in told["revocations"]


def test_a_key_of_another_certificate_is_told(ours, scanner, hospital):
    told = mistakes(server(ours, hospital, key=scanner.key))
    assert told == {"key": f"is not the key of the certificate {ours.certificate}"}


def test_a_der_file_is_told_with_its_cure(ours, hospital, tmp_path):
    der = tmp_path / "segnode.der"
    der.write_bytes(ssl.PEM_cert_to_DER_cert(ours.certificate.read_text()))
    assert "openssl x509 -inform der" in mistakes(server(ours, hospital, certificate=der))["certificate"]


def test_a_damaged_certificate_and_a_damaged_key_are_told(ours, hospital, tmp_path):
    half = tmp_path / "half.crt"
    half.write_text(ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(ours.certificate.read_text())[:200]))
    assert mistakes(server(ours, hospital, certificate=half)) == {"certificate": "holds a damaged certificate"}
    lines = ours.key.read_text().splitlines()
    (tmp_path / "half.key").write_text("\n".join([*lines[:5], lines[-1]]) + "\n")
    assert "cannot be read as a private key" in mistakes(server(ours, hospital, key=tmp_path / "half.key"))["key"]


def test_a_short_key_is_too_weak(hospital):
    weak = hospital.issue("weak", key="rsa:1024")
    assert "is too weak" in mistakes(server(weak, hospital))["certificate"]


def test_what_is_much_too_long_is_not_read(ours, hospital, tmp_path):
    long = tmp_path / "long"
    long.write_bytes(b"x" * (2 << 20))
    assert "longer than 1 MiB" in mistakes(server(ours, hospital, authorities=long))["authorities"]


def test_a_folder_is_no_file(ours, hospital, tmp_path):
    assert "cannot be read: Is a directory" in mistakes(server(ours, hospital, authorities=tmp_path))["authorities"]


def test_a_certificate_on_an_elliptic_curve_will_do(hospital):
    assert server(hospital.issue("curve", key="ec"), hospital).context()


def test_revocations_are_looked_at(ours, hospital):
    context = server(ours, hospital, revocations=hospital.revocations()).context()
    assert context.verify_flags & ssl.VERIFY_CRL_CHECK_LEAF


def test_files_are_all_that_a_context_is_made_of(ours, hospital, tmp_path):
    secret = tmp_path / "secret"
    shutil.copy(ours.key, secret)
    tls = server(ours, hospital, key_password=KeyPassword(file=secret))
    assert set(tls.files) == {ours.certificate, ours.key, secret, hospital.certificate}
