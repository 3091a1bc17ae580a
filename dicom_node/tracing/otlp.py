"""Spans in OpenTelemetry's own form, written by its encoder and sent like all else that we send (OTLP over HTTP)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, set_span_in_context

from dicom_node.errors import Refused
from dicom_node.network.dicomweb.web_call import Line, call
from dicom_node.network.tls.settings import ClientTls
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

    def tell(self, spans: Sequence[Span]) -> None:
        """Send them. NoSecret where the password is not there, which is read anew each time; PeerError where the
        collector is not reached, or has not taken them all.
        """
        told = self._settings
        tls = ClientTls(authorities=told.authorities) if told.authorities else None
        headers = {"Content-Type": "application/x-protobuf"}
        if told.authorization is not None:
            headers["Authorization"] = told.authorization.read()
        body = encode_spans([self._readable(span) for span in spans]).SerializeToString()
        answer = call(Line(tls, ANSWER_S, ANSWER_S), "POST", told.url, headers, body, limit_s=2 * ANSWER_S)
        if not 200 <= answer.status < 300:
            raise Refused(f"{told.url} answers {answer.status}")

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
