"""Certificates renewed without a restart: the next association uses the files as they are then."""

from __future__ import annotations

import logging
import ssl
import threading
from functools import cache
from pathlib import Path
from typing import TypedDict

from dicom_node.errors import BadTlsFiles
from dicom_node.network.tls.settings import BrowserTls, ClientTls, ServerTls, certificates_in

log = logging.getLogger(__name__)

Stamp = tuple[int, ...] | None


class TlsState(TypedDict):
    """How TLS fares, for the role's heartbeat: `expires_at` in seconds since 1970, `trouble` "" when all is well."""

    certificate: str
    expires_at: float
    trouble: str


class Keeper:
    """The newest good context of some TLS settings.

    A file that has changed is read when the next association needs it. Where the new files make no context,
    the old one goes on, and `trouble` says why until they do. BadTlsFiles where there has been none yet.
    """

    def __init__(self, tls: ServerTls | BrowserTls | ClientTls) -> None:
        self._tls = tls
        self._stamps = self._now()
        self._context = tls.context()
        self._lock = threading.Lock()
        self.trouble = ""

    def context(self) -> ssl.SSLContext:
        """The context for a new association."""
        with self._lock:
            stamps = self._now()
            if stamps != self._stamps:
                self._stamps = stamps
                self._renew()
            return self._context

    def state(self) -> TlsState:
        """What a person should know; looks at the files as `context` does."""
        self.context()
        name, expires_at = "", 0.0
        if self._tls.certificate is not None:
            try:
                leaf = certificates_in("certificate", self._tls.certificate)[0]
                name, expires_at = leaf.name, leaf.not_after
            except BadTlsFiles:
                log.debug("the trouble is known")
        return {"certificate": name, "expires_at": expires_at, "trouble": self.trouble}

    def _renew(self) -> None:
        try:
            self._context = self._tls.context()
        except BadTlsFiles as wrong:
            self.trouble = str(wrong)
            log.error("TLS goes on with the files as they were: %s", wrong)  # noqa: TRY400 (the sentence says it all)
        else:
            self.trouble = ""
            log.info("TLS files are renewed", extra={"certificate": str(self._tls.certificate or "")})

    def _now(self) -> tuple[Stamp, ...]:
        return tuple(map(_stamp, self._tls.files))


@cache
def keeper_of(tls: ClientTls) -> Keeper:
    """The keeper of a destination's settings, one for the life of the process. BadTlsFiles as long as there is none."""
    return Keeper(tls)


def state_of(tls: ClientTls) -> TlsState:
    """How the TLS of a destination fares."""
    try:
        return keeper_of(tls).state()
    except BadTlsFiles as wrong:
        return {"certificate": "", "expires_at": 0.0, "trouble": str(wrong)}


def _stamp(path: Path) -> Stamp:
    """What differs when a file is replaced, written to or made readable; None where it is not there."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_size, facts.st_ctime_ns
