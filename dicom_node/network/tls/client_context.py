"""The TLS of a call to a server that is no DICOM peer: mail, the audit collector, the web."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_context(authorities: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer; the server's certificate must be of `authorities` (PEM), or the system's where there are none.

    What is asked of a certificate is the same with every Python. From 3.13 on the library asks for all of RFC 5280 by
    default, and would refuse an authority without key usage, as many a hospital's is, that was good enough before.
    OSError where the file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(cafile=None if authorities is None else str(authorities))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
