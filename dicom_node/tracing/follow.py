"""Spans follow the journal to the collector; what it did not take is sent again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dicom_node.errors import NoSecret, PeerError
from dicom_node.settings.tracing import TracingSettings
from dicom_node.tracing.spans import Span, spans_of
from storage.database import Database

if TYPE_CHECKING:
    from dicom_node.tracing.otlp import Collector

log = logging.getLogger(__name__)

WATCH = "traces"
PAGE = 200


@dataclass(frozen=True)
class Traces:
    """Follows the journal from when it first looks; what the collector did not take is sent again."""

    database: Database
    settings: TracingSettings
    node: str

    def step(self, now: float) -> bool:
        """Send what is over since the last time; whether there was anything."""
        with self.database.reading() as tx:
            seen = tx.notices.watched(WATCH)
            entries, until = tx.journal.follow(seen, PAGE)
            spans = {span.number: span for entry in entries for span in spans_of(tx, entry, now)}
        if spans and not self._sent(list(spans.values())):
            return False
        if until != seen:
            with self.database.transaction() as tx:
                tx.notices.watch(WATCH, until)
        return bool(spans)

    def _sent(self, spans: list[Span]) -> bool:
        try:
            self._collector.tell(spans)
        except NoSecret as absent:
            why = f"{self.settings.url} is not asked: authorization {absent}"
        except PeerError as trouble:
            why = str(trouble)
        else:
            return True
        log.warning("%d spans are sent again: %s", len(spans), why)
        return False

    @cached_property
    def _collector(self) -> Collector:
        from dicom_node.tracing.otlp import Collector

        return Collector(self.settings, self.node)
