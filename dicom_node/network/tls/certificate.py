"""What we need to know of an X.509 certificate without a library for it: whose it is, and from when to when."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
SEQUENCE, UTC_TIME, VERSION = 0x30, 0x17, 0xA0
COMMON_NAME = bytes.fromhex("0603550403")  # the OID 2.5.4.3 in DER


@dataclass(frozen=True)
class Certificate:
    """Its subject's common name ("" where there is none) and its validity in seconds since 1970."""

    name: str
    not_before: float
    not_after: float


def read_certificates(text: str) -> list[Certificate]:
    """The certificates of a PEM file, in its order; ValueError where one is damaged."""
    try:
        return [_certificate(ssl.PEM_cert_to_DER_cert(found.group())) for found in PEM.finditer(text)]
    except IndexError as missing:
        raise ValueError("an element is missing") from missing


def _certificate(der: bytes) -> Certificate:
    """RFC 5280 4.1: tbsCertificate is [version], serialNumber, signature, issuer, validity, subject, …."""
    (whole,) = _parts(der)
    fields = _parts(_parts(whole[1])[0][1])
    if fields and fields[0][0] == VERSION:
        fields = fields[1:]
    if len(fields) < 5 or fields[3][0] != SEQUENCE:
        raise ValueError("no certificate")
    not_before, not_after = (_moment(*time) for time in _parts(fields[3][1]))
    return Certificate(_common_name(fields[4][1]), not_before, not_after)


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The elements of a DER sequence: tag and content of each (X.690 8.1)."""
    found, at = [], 0
    while at < len(data):
        if len(data) < at + 2:
            raise ValueError("cut short")
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError("cut short")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def _moment(tag: int, content: bytes) -> float:
    """UTCTime has two digits for the year, 50 to 99 being 19xx, GeneralizedTime four (RFC 5280 4.1.2.5)."""
    text = content.decode("ascii")
    if tag == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _common_name(subject: bytes) -> str:
    for _, attributes in _parts(subject):
        for _, attribute in _parts(attributes):
            if attribute.startswith(COMMON_NAME):
                return _parts(attribute)[1][1].decode("utf-8", "replace")
    return ""
