"""HTTP statuses, restated by hand from RFC 9110 and PS3.18, and what who sends does next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dicom_node.errors import PeerError, Refused, Rejected, Unfinished, Unreachable
from dicom_node.network.dicomweb.web_call import Answer
from dicom_node.network.dicomweb.web_words import trouble_of

NOW = datetime(2026, 1, 2, 10, 0, tzinfo=UTC)


def trouble(status: int, retry_after: str | None = None) -> PeerError:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return trouble_of(Answer(status, headers, b"Doe^Jane"), "https://pacs.example", lambda: NOW)


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ((301, 302, 307, 308), Rejected),
        ((401, 403, 404, 405, 407, 410, 501), Rejected),
        ((400, 406, 411, 413, 414, 415, 422, 431), Refused),
        ((425, 429, 502, 503), Unreachable),
        ((200, 202, 204, 408, 409, 500, 504, 507, 599, 999), Unfinished),
    ],
)
def test_each_status_has_its_meaning(statuses: tuple[int, ...], kind: type[PeerError]) -> None:
    for status in statuses:
        found = trouble(status)
        assert type(found) is kind, status
        assert "https://pacs.example" in str(found)
        assert "Doe" not in str(found)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("Fri, 02 Jan 2026 10:02:00 GMT", 120.0),
        ("Fri, 02 Jan 2026 09:00:00 GMT", 0.0),
        ("99999999999999999999", 3600.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("²", 0.0),
        ("", 0.0),
    ],
)
def test_who_asks_for_patience_gets_it_within_reason(text: str, seconds: float) -> None:
    found = trouble(503, text)
    assert found.wait_s == seconds
    assert ("asks for patience" in str(found)) == (seconds > 0)


def test_patience_mends_no_refusal() -> None:
    assert trouble(403, "120").wait_s == 0.0
    assert trouble(429).wait_s == 0.0
