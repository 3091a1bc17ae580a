"""A DICOMweb server that we may call, and what we show it to be let in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dicom_node.errors import NoSecret, Unfinished, Unreachable
from dicom_node.network.authentication import Basic, OAuth2
from dicom_node.network.web_call import Answer, Line, call


@dataclass(frozen=True)
class WebPeer:
    """`url` is the root of its services, to which /studies is added (PS3.18 8.2)."""

    url: str
    authentication: Basic | OAuth2 | None = None
    line: Line = field(default_factory=Line)

    @property
    def host(self) -> str:
        """Its machine."""
        return str(urlsplit(self.url).hostname)

    def __str__(self) -> str:
        return self.url

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: Iterable[bytes] | None = None
    ) -> Answer:
        """One request with our credentials; once more with renewed ones where they are not accepted."""
        answer, shown = self._ask(method, path, headers, body)
        if answer.status == 401 and self.authentication and self.authentication.forget(shown):
            answer, _ = self._ask(method, path, headers, body)
        return answer

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: Iterable[bytes] | None
    ) -> tuple[Answer, str]:
        shown = self._credentials()
        credentials = {"Authorization": shown} if shown else {}
        return call(self.line, method, self.url + path, {**headers, **credentials}, body), shown

    def _credentials(self) -> str:
        if self.authentication is None:
            return ""
        try:
            return self.authentication.header()
        except NoSecret as absent:
            raise Unreachable(f"{self} cannot be called: the password or secret for it {absent}") from absent
        except Unfinished as trouble:  # of the token server, before anything was sent here
            raise Unreachable(str(trouble)) from trouble
