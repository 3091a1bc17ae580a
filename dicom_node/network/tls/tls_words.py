"""OpenSSL's reasons in words that an administrator can act on, and who of the two ends said no."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """Why a handshake failed. `refused`: the other end has said so in an alert, and will the next time.

    `left`: the other end went away or fell silent, and neither end has refused the other.
    """

    sentence: str
    refused: bool = False
    left: bool = False


ENDED = "it ended the connection in the middle of the handshake; does it speak TLS on this port?"

# X.509 verification, what we hold against the other end (openssl-verification-options, x509_vfy.h).
VERDICTS = {
    3: "no revocation list is there for its certificate's authority",
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    12: "the revocation list of its certificate's authority has expired",
    18: "its certificate is self-signed and not among our authorities",
    19: "its certificate is not trusted: our authorities lack the one at the end of its chain",
    20: "its certificate is not trusted: none of our authorities has signed it",
    21: "its certificate is not trusted: none of our authorities has signed it",
    23: "its certificate has been revoked",
    24: "its certificate is signed by something that is no authority",
    26: "its certificate is made for another purpose",
    62: "its certificate bears another host name",
    64: "its certificate bears another address",
    66: "its certificate's key is too weak",
    68: "its certificate's signature is too weak",
}

# Alerts, what the other end holds against us (RFC 8446 6.2), by what OpenSSL's reason contains.
ALERTS = {
    "ALERT_UNKNOWN_CA": "it does not trust the authority of our certificate",
    "ALERT_CERTIFICATE_REQUIRED": "it wants a certificate of us and we have shown none",
    "ALERT_CERTIFICATE_EXPIRED": "it says that our certificate has expired",
    "ALERT_CERTIFICATE_REVOKED": "it says that our certificate has been revoked",
    "ALERT_BAD_CERTIFICATE": "it does not accept our certificate",
    "ALERT_UNSUPPORTED_CERTIFICATE": "it does not accept this kind of certificate",
    "ALERT_CERTIFICATE_UNKNOWN": "it does not accept our certificate",
    "ALERT_ACCESS_DENIED": "it denies access to our certificate",
    "ALERT_DECRYPT_ERROR": "it cannot verify our signature",
    "ALERT_PROTOCOL_VERSION": "it refuses our versions of TLS (1.2 and 1.3)",
    "ALERT_HANDSHAKE_FAILURE": "it shares no cipher suite with our profile, or wants a certificate of us",
    "ALERT_INSUFFICIENT_SECURITY": "it finds our cipher suites too weak",
}

# What the handshake itself did not come to, by what OpenSSL's reason contains.
FAILURES = {
    "WRONG_VERSION_NUMBER": "it does not speak TLS on this port",
    "HTTP_REQUEST": "it does not speak TLS on this port",
    "RECORD_LAYER_FAILURE": "it does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "its version of TLS is too old: TLS 1.2 is the lowest",
    "VERSION_TOO_LOW": "its version of TLS is too old: TLS 1.2 is the lowest",
    "PROTOCOL_VERSION": "its version of TLS is too old: TLS 1.2 is the lowest",
    "NO_SHARED_CIPHER": "it offers no cipher suite of our profile",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "it offers no signature that goes with our certificate",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "UNEXPECTED_EOF": ENDED,
    "DH_KEY_TOO_SMALL": "its Diffie-Hellman key is too short",
    "EE_KEY_TOO_SMALL": "its certificate's key is too short",
}


def explain(error: Exception) -> Reason:
    """Why a TLS handshake, or the first read after it, came to nothing."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Reason(VERDICTS.get(error.verify_code, f"its certificate is not accepted: {error.verify_message}"))
    if isinstance(error, TimeoutError):
        return Reason("it does not finish the TLS handshake in time", left=True)
    if isinstance(error, ssl.SSLError):
        named = str(error.reason or "")
        for alert, sentence in ALERTS.items():
            if alert in named:
                return Reason(sentence, refused=True)
        known = (sentence for name, sentence in FAILURES.items() if name in named)
        sentence = next(known, f"TLS fails ({named or type(error).__name__})")
        return Reason(sentence, left=sentence == ENDED)
    return Reason(ENDED, left=True)
