"""A DICOMweb server that we may call, and what we show it to be let in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dicom_node.errors import NoSecret, Unfinished, Unreachable
from dicom_node.network.dicomweb.authentication import Basic, OAuth2
from dicom_node.network.dicomweb.web_call import Answer, Line, Reply, calling


@dataclass(frozen=True)
class WebPeer:
    """`url` is the root of its services, to which /studies is added (PS3.18 8.2).

    It has no AE title; `ae_title` is the one under which what it gives us is known here.
    """

    url: str
    authentication: Basic | OAuth2 | None = None
    line: Line = field(default_factory=Line)
    ae_title: str = ""

    @property
    def host(self) -> str:
        """Its machine."""
        return str(urlsplit(self.url).hostname)

    def __str__(self) -> str:
        return self.url

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None = None,
        limit_s: float = math.inf,
    ) -> Answer:
        """One request with our credentials, and its whole answer."""
        with self.asking(method, path, headers, body, limit_s) as reply:
            return reply.whole()

    @contextmanager
    def asking(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None = None,
        limit_s: float = math.inf,
    ) -> Iterator[Reply]:
        """One request with our credentials; once more with renewed ones where they are not accepted."""
        shown = self._credentials()
        with calling(self.line, method, self.url + path, _with(shown, headers), body, limit_s) as reply:
            if reply.status != 401 or not self.authentication or not self.authentication.forget(shown):
                yield reply
                return
        renewed = self._credentials()
        with calling(self.line, method, self.url + path, _with(renewed, headers), body, limit_s) as reply:
            yield reply

    def _credentials(self) -> str:
        if self.authentication is None:
            return ""
        try:
            return self.authentication.header()
        except NoSecret as absent:
            raise Unreachable(f"{self} cannot be called: the password or secret for it {absent}") from absent
        except Unfinished as trouble:  # of the token server, before anything was sent here
            raise Unreachable(str(trouble)) from trouble


def _with(credentials: str, headers: Mapping[str, str]) -> dict[str, str]:
    return {**headers, **({"Authorization": credentials} if credentials else {})}
