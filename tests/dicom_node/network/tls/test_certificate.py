"""What is read of a certificate, against what openssl says of the same file."""

import base64
import contextlib
import ssl
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.network.tls.certificate import Certificate, read_certificates


def end_date(path) -> float:
    words = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-enddate"], capture_output=True, check=True)
    return ssl.cert_time_to_seconds(words.stdout.decode().strip().partition("=")[2])


def test_name_and_dates_are_those_that_openssl_reads(ours, hospital, expired):
    for path, name in (
        (ours.certificate, "segnode.hospital.example"),
        (hospital.certificate, "Hospital CA"),
        (expired.certificate, "old.hospital.example"),
    ):
        (found,) = read_certificates(path.read_text())
        assert (found.name, found.not_after) == (name, end_date(path))
        assert found.not_before < time.time()


def test_a_date_after_2049_has_four_digits_for_its_year(hospital):
    far = hospital.issue("far", ends_days=36500)
    (found,) = read_certificates(far.certificate.read_text())
    assert found.not_after == end_date(far.certificate)


def test_a_chain_is_read_in_its_order(ours, hospital):
    text = ours.certificate.read_text() + "words between\n" + hospital.certificate.read_text()
    assert [one.name for one in read_certificates(text)] == ["segnode.hospital.example", "Hospital CA"]


def test_text_without_certificates_holds_none():
    assert read_certificates("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n") == []


def test_a_certificate_cut_short_is_damaged(ours):
    der = ssl.PEM_cert_to_DER_cert(ours.certificate.read_text())
    with pytest.raises(ValueError):
        read_certificates(ssl.DER_cert_to_PEM_cert(der[:300]))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_certificate_or_damaged(content):
    text = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(content).decode()}\n-----END CERTIFICATE-----"
    with contextlib.suppress(ValueError):
        assert all(isinstance(one, Certificate) for one in read_certificates(text))
