"""DICOM TLS (PS3.15 Annex B): the settings of both ends, and the contexts that are built from them.

A context is built from files that somebody may have mistyped, forgotten or half replaced, so every mistake is
told at once, each under the setting that it concerns.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dicom_node.errors import BadTlsFiles, Mistake, NoSecret
from dicom_node.network.secret import LARGEST_FILE, Secret
from dicom_node.network.tls.certificate import Certificate, read_certificates
from dicom_node.written_path import WrittenPath

LONGEST_PASSWORD = 1024  # OpenSSL's PEM_BUFSIZE

# TLS 1.2 suites by profile; neither goes below TLS 1.2 (RFC 8996), and TLS 1.3 brings its own three suites.
# Python cannot switch on the two TLS 1.3 suites with CCM that B.13 knows besides, nor has OpenSSL its Camellia ones.
# Security level 2 of OpenSSL keeps RSA and DH keys below 2048 bits out, and SHA-1 in certificates.
PROFILES = {
    # PS3.15 B.12, BCP 195 RFC 8996, 9325 TLS: what RFC 9325 4.2 recommends.
    "bcp195": (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    # PS3.15 B.13, Modified BCP 195 RFC 8996, 9325 TLS.
    "bcp195_modified": (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES256-CCM",
        "ECDHE-ECDSA-AES256-CCM8",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES128-CCM",
        "ECDHE-ECDSA-AES128-CCM8",
    ),
}
Profile = Literal["bcp195", "bcp195_modified"]


class KeyPassword(Secret):
    """Where the password of an encrypted key is."""

    def read(self) -> str:
        """The password; BadTlsFiles where it is not there."""
        try:
            return super().read()
        except NoSecret as absent:
            _fail("key_password", self.place, str(absent))


class Tls(BaseModel):
    """What both ends of a connection need. All files are PEM.

    `authorities` holds the certificates that sign the other end's (or the other ends' own), `revocations` the
    lists of what they have called back. `key` left out: it is in the file of the certificate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: Profile = "bcp195"
    certificate: WrittenPath | None = None
    key: WrittenPath | None = None
    key_password: KeyPassword | None = None
    authorities: WrittenPath | None = None
    revocations: WrittenPath | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that a context is made of."""
        password = self.key_password.file if self.key_password else None
        named = (self.certificate, self.key, password, self.authorities, self.revocations)
        return tuple(path for path in named if path is not None)

    @model_validator(mode="after")
    def _key_needs_certificate(self) -> Tls:
        if self.certificate is None and (self.key or self.key_password):
            raise ValueError("a key without its certificate is of no use: name the certificate as well")
        return self


class ServerTls(Tls):
    """Our ear. The registered port is 2762 (dicom-tls)."""

    port: Annotated[int, Field(ge=1, le=65535)] = 2762
    certificate: WrittenPath
    client_certificates: Literal["required", "none"] = "required"
    handshake_s: Annotated[float, Field(gt=0, le=120)] = 10.0

    @model_validator(mode="after")
    def _authorities_of_clients(self) -> ServerTls:
        if self.client_certificates == "required" and self.authorities is None:
            raise ValueError(
                "where client_certificates are required, authorities must name who signs them; "
                "or set client_certificates: none, which lets everybody in who speaks TLS"
            )
        return self

    def context(self) -> ssl.SSLContext:
        """A context for the side that is called; BadTlsFiles tells every mistake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.client_certificates == "required":
            context.verify_mode = ssl.CERT_REQUIRED
        # Every association shows its certificate anew; a ticket would outlive a revocation.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
        return _filled(context, self)


class BrowserTls(Tls):
    """The ear of the web console. Browsers show no certificate, so nobody's is asked for."""

    certificate: WrittenPath

    @model_validator(mode="after")
    def _no_authorities(self) -> BrowserTls:
        if self.authorities or self.revocations:
            raise ValueError("authorities and revocations are of no use here: browsers are asked for no certificate")
        return self

    def context(self) -> ssl.SSLContext:
        """A context for the side that is called; BadTlsFiles tells every mistake."""
        return _filled(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self)


class ClientTls(Tls):
    """How we call a peer. What is left out is taken from the node's own `tls`.

    `server_name` is the name that the peer's certificate must bear where that is not its host.
    """

    server_name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    check_name: bool = True

    def context(self) -> ssl.SSLContext:
        """A context for the side that calls; BadTlsFiles tells every mistake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.check_name
        return _filled(context, self)

    def completed(self, own: Tls | None) -> ClientTls:
        """With the node's own certificate and authorities where it names none."""
        if own is None:
            return self
        mine: dict[str, object] = {}
        if self.certificate is None:
            mine = {"certificate": own.certificate, "key": own.key, "key_password": own.key_password}
        if self.authorities is None:
            mine |= {"authorities": own.authorities, "revocations": self.revocations or own.revocations}
        return self.model_copy(update=mine)


def _filled(context: ssl.SSLContext, tls: Tls) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join((*PROFILES[tls.profile], "@SECLEVEL=2")))
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a peer's own certificate may stand among authorities
    mistakes: list[Mistake] = []
    for step in (_load_identity, _load_authorities, _load_revocations):
        try:
            step(context, tls)
        except BadTlsFiles as wrong:
            mistakes += wrong.mistakes
    if mistakes:
        raise BadTlsFiles(mistakes)
    return context


def _load_identity(context: ssl.SSLContext, tls: Tls) -> None:
    """Our certificate and its key."""
    if tls.certificate is None:
        return
    mistakes: list[Mistake] = []
    key = tls.key or tls.certificate
    for check in (lambda path: certificates_in("certificate", path), lambda _: _check_key(key)):
        try:
            check(tls.certificate)
        except BadTlsFiles as wrong:
            mistakes += wrong.mistakes
    if mistakes:
        raise BadTlsFiles(mistakes)
    asked: list[bool] = []

    def password() -> str:
        """Asked only where the key is encrypted; without an answer OpenSSL would ask at the terminal."""
        asked.append(True)
        return tls.key_password.read()[:LONGEST_PASSWORD] if tls.key_password else ""

    try:
        context.load_cert_chain(tls.certificate, key, password)
    except ssl.SSLError as error:
        _explain_identity(error, tls, key, encrypted=bool(asked))


def _explain_identity(error: ssl.SSLError, tls: Tls, key: Path, *, encrypted: bool) -> None:
    """Say what OpenSSL means."""
    reason = str(error.reason or "")
    if "MISMATCH" in reason:
        _fail("key", key, f"is not the key of the certificate {tls.certificate}")
    if "TOO_SMALL" in reason or "TOO_WEAK" in reason:
        needed = "a key needs 2048 bits (RSA) or 224 (EC), a signature SHA-256"
        _fail("certificate", tls.certificate, f"is too weak: {needed}")
    if encrypted and tls.key_password is None:
        _fail("key", key, "is encrypted: say in key_password where its password is")
    if encrypted and tls.key_password:
        _fail("key_password", tls.key_password.place, f"does not open the key {key}")
    _fail("key", key, f"cannot be read as a private key ({reason or 'damaged'})")


def _load_authorities(context: ssl.SSLContext, tls: Tls) -> None:
    """Whose signature counts."""
    if tls.authorities is None:
        return
    certificates_in("authorities", tls.authorities)
    try:
        context.load_verify_locations(tls.authorities)
    except ssl.SSLError as error:
        _fail("authorities", tls.authorities, f"cannot be read as certificates ({error.reason})")


def _load_revocations(context: ssl.SSLContext, tls: Tls) -> None:
    """What is called back, of the certificates that the other end may show; not of those in between."""
    if tls.revocations is None:
        return
    if "-----BEGIN X509 CRL-----" not in _text("revocations", tls.revocations):
        _fail("revocations", tls.revocations, "holds no PEM revocation list (-----BEGIN X509 CRL-----)")
    try:
        context.load_verify_locations(tls.revocations)
    except ssl.SSLError as error:
        _fail("revocations", tls.revocations, f"cannot be read as a revocation list ({error.reason})")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def certificates_in(key: str, path: Path) -> list[Certificate]:
    """The certificates of a PEM file, at least one; BadTlsFiles under `key` otherwise."""
    try:
        found = read_certificates(_text(key, path))
    except ValueError:
        _fail(key, path, "holds a damaged certificate")
    if not found:
        way_out = "`openssl x509 -inform der -in FILE -out NEW` makes one of a DER file"
        _fail(key, path, f"holds no PEM certificate (-----BEGIN CERTIFICATE-----); {way_out}")
    return found


def _check_key(path: Path) -> None:
    if "PRIVATE KEY-----" not in _text("key", path):
        _fail("key", path, "holds no PEM private key (-----BEGIN PRIVATE KEY-----)")


def _text(key: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        _fail(key, path, "is not there")
    except OSError as error:
        _fail(key, path, f"cannot be read: {error.strerror}; the user that runs the node must be able to")
    if len(content) > LARGEST_FILE:
        _fail(key, path, "is longer than 1 MiB, so it is not what is meant")
    return content.decode("utf-8", "replace")


def _fail(key: str, place: object, sentence: str) -> NoReturn:
    raise BadTlsFiles([Mistake(key, str(place), sentence)])
