"""Spans in OpenTelemetry's own form, sent by its exporter (OTLP over HTTP)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from dicom_node.settings.tracing import TracingSettings
from dicom_node.tracing.spans import Span

ANSWER_S = 10.0


class _Given(IdGenerator):
    """Numbers that follow from what a span is, where the SDK would draw them."""

    trace = span = 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class Collector:
    """Takes the spans of this node."""

    def __init__(self, settings: TracingSettings, node: str) -> None:
        self._settings = settings
        self._numbers = _Given()
        self._made = InMemorySpanExporter()
        us = {"service.name": "segnode", "service.version": version("segnode"), "service.instance.id": node}
        provider = TracerProvider(resource=Resource.create(us), id_generator=self._numbers)
        provider.add_span_processor(SimpleSpanProcessor(self._made))
        self._tracer = provider.get_tracer("segnode")

    def took(self, spans: Sequence[Span]) -> bool:
        """Whether it has taken them; NoSecret where the password is not there, which is read anew each time."""
        secret = self._settings.authorization
        exporter = OTLPSpanExporter(
            self._settings.url,
            str(self._settings.authorities) if self._settings.authorities else None,
            headers={"Authorization": secret.read()} if secret else None,
            timeout=ANSWER_S,
        )
        try:
            return exporter.export([self._readable(span) for span in spans]) is SpanExportResult.SUCCESS
        finally:
            exporter.shutdown()

    def _readable(self, span: Span) -> ReadableSpan:
        self._numbers.trace, self._numbers.span = span.trace, span.number
        above = SpanContext(span.trace, span.root, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        is_root = span.number == span.root
        begun = self._tracer.start_span(
            span.name,
            Context() if is_root else set_span_in_context(NonRecordingSpan(above), Context()),
            attributes=dict(span.attributes),
            start_time=_nanoseconds(span.begin),
        )
        if span.failed:
            begun.set_status(Status(StatusCode.ERROR))
        begun.end(_nanoseconds(max(span.begin, span.end)))
        (made,) = self._made.get_finished_spans()
        self._made.clear()
        return made


def _nanoseconds(at: float) -> int:
    return int(at * 1e9)
