"""A study's steps reach a collector as one trace, each once it is over, and again until the collector took it.

dicom_node.tracing.spans, dicom_node.tracing.follow, dicom_node.tracing.otlp
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Identity
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from serving import serving

from dicom_node.assembly import Parts
from dicom_node.errors import ConfigurationError
from dicom_node.settings import load
from dicom_node.settings.tracing import TracingSettings
from dicom_node.tracing.follow import Traces

STUDY = "1.2.3"


class Collector:
    """What a collector was told."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/traces"
        self.status = 200
        self.headers: list[Any] = []
        self.told: list[Any] = []

    @property
    def spans(self) -> list[Any]:
        return [span for one in self.told for group in one.resource_spans for scope in group.scope_spans
                for span in scope.spans]  # fmt: skip

    def span(self, name: str, of: str = "") -> Any:
        (found,) = [one for one in self.spans if one.name == name and attributes(one).get("segnode.of", "") == of]
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@contextmanager
def collecting(identity: Identity | None = None) -> Iterator[Collector]:
    """A collector, by TLS with this certificate where there is one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            running.headers.append(self.headers)
            if running.status == 200:
                running.told.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(running.status)
            self.send_header("Location", f"{running.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is written beside the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running = Collector(server.server_port)
    if identity:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        running.url = running.url.replace("http:", "https:")
    with serving(server):
        yield running


@pytest.fixture
def traces(story: Parts, collector: Collector) -> Traces:
    made = Traces(story.database, TracingSettings(url=collector.url), "SEGNODE")
    made.step(200.0)  # from now on
    return made


def happens(parts: Parts, *entries: tuple[float, str, str, str]) -> None:
    with parts.database.transaction() as tx:
        for at, event, job, text in entries:
            tx.journal.add(at, event, text, study=STUDY, job=job)


WAY = (
    (110.0, "complete", "", ""),
    (111.0, "job made", "job-0", ""),
    (125.0, "done", "job-0", "2 findings of Doe^Jane"),
    (126.0, "failed", "job-1", "a reason that names Doe^Jane"),
    (132.0, "delivered", "job-0", "3 objects to sent"),
)


def attributes(span: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


def seconds(span: Any) -> tuple[float, float]:
    return span.start_time_unix_nano / 1e9, span.end_time_unix_nano / 1e9


def test_what_was_before_is_no_news(traces: Traces, collector: Collector) -> None:
    assert traces.step(201.0) is False
    assert collector.told == []


def test_a_study_is_one_trace_and_each_step_a_span(traces: Traces, collector: Collector, story: Parts) -> None:
    happens(story, *WAY)
    assert traces.step(201.0) is True
    assert {span.trace_id for span in collector.spans} == {collector.spans[0].trace_id}
    root = collector.span("received")
    assert (root.parent_span_id, seconds(root)) == (b"", (100.0, 100.0))
    assert {span.parent_span_id for span in collector.spans if span is not root} == {b"", root.span_id} - {b""}
    assert seconds(collector.span("complete")) == (100.0, 110.0)
    assert seconds(collector.span("routed")) == (110.0, 111.0)
    assert seconds(collector.span("delivered", "sent")) == (130.0, 132.0)
    inferred = [span for span in collector.spans if span.name == "inferred"]
    assert [(attributes(span)["segnode.job"], span.status.code) for span in inferred] == [("job-0", 0), ("job-1", 2)]
    assert attributes(inferred[0]) == {
        "segnode.study": STUDY, "segnode.job": "job-0", "segnode.route": "everything", "segnode.task": "liver_tumour",
        "segnode.model": "bright", "segnode.of": "everything", "segnode.state": "done",
    }  # fmt: skip


def test_no_patient_is_named_and_the_node_is(traces: Traces, collector: Collector, story: Parts) -> None:
    happens(story, *WAY)
    traces.step(201.0)
    assert "Doe" not in str(collector.told)
    (resource,) = {str(group.resource) for one in collector.told for group in one.resource_spans}
    assert '"SEGNODE"' in resource


def test_each_is_sent_once(traces: Traces, collector: Collector, story: Parts) -> None:
    happens(story, *WAY)
    traces.step(201.0)
    sent = len(collector.spans)
    happens(story, (140.0, "note", "", "nothing that ends a step"))
    assert traces.step(202.0) is False
    assert len(collector.spans) == sent


def test_what_was_not_taken_is_sent_again_under_the_same_numbers(
    traces: Traces, collector: Collector, story: Parts
) -> None:
    collector.status = 400
    happens(story, *WAY)
    assert traces.step(201.0) is False
    collector.status = 200
    assert traces.step(202.0) is True
    once = {span.span_id for span in collector.spans}
    assert len(once) == len(collector.spans) == 6
    other = Traces(story.database, TracingSettings(url=collector.url), "SEGNODE")
    with story.database.transaction() as tx:
        tx.notices.watch("traces", 0)
    assert other.step(203.0) is True
    assert once <= {span.span_id for span in collector.spans[6:]}, "by another process too"


def test_a_delivery_that_was_given_up_ends_then(traces: Traces, collector: Collector, story: Parts) -> None:
    happens(story, (140.0, "delivery dead", "job-0", "dead: given up"))
    assert traces.step(201.0) is True
    (span,) = collector.spans
    assert (span.name, attributes(span)["segnode.of"], span.status.code, seconds(span)) == (
        "delivered", "dead", 2, (130.0, 140.0),
    )  # fmt: skip


def test_a_password_goes_along(story: Parts, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    told = TracingSettings.model_validate({"url": collector.url, "authorization": {"environment": "COLLECTOR"}})
    traces = Traces(story.database, told, "SEGNODE")
    traces.step(200.0)
    happens(story, *WAY)
    assert traces.step(201.0) is False, "the password is not there"
    assert collector.headers == []
    monkeypatch.setenv("COLLECTOR", "Bearer sesame")
    assert traces.step(202.0) is True
    assert collector.headers[0]["Authorization"] == "Bearer sesame"


@pytest.mark.parametrize("by", ["the file that is named", "the system"])
def test_by_tls_the_authority_is(
    story: Parts, hospital: Authority, ours: Identity, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    if by == "the system":
        monkeypatch.setenv("SSL_CERT_FILE", str(hospital.certificate))  # OpenSSL's name for the system's authorities
    else:
        told["authorities"] = hospital.certificate
    with collecting(ours) as collector:
        traces = Traces(story.database, TracingSettings(url=collector.url, **told), "SEGNODE")
        traces.step(200.0)
        happens(story, *WAY)
        assert traces.step(201.0) is True
    assert collector.span("received")


def test_nobody_else_is_asked_and_the_log_says_why(
    traces: Traces,
    collector: Collector,
    story: Parts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    happens(story, *WAY)
    collector.status = 307
    with caplog.at_level(logging.WARNING):
        assert traces.step(201.0) is False
    assert len(collector.headers) == 1, "a redirect is an answer like any other"
    assert f"are sent again: {collector.url} answers 307" in caplog.text


def test_its_files_lie_beside_the_configuration(conf: Path) -> None:
    file = conf / "node.yaml"
    said = {"url": "https://otel.example:4318/v1/traces", "authorization": {"file": "otel.secret"}}
    file.write_text(f"{file.read_text()}\ntracing: {said}\n")
    with pytest.raises(ConfigurationError, match=r"tracing\.authorization = .*otel\.secret"):
        load(conf, look_at_files=True)
    (conf / "otel.secret").write_text("Bearer sesame\n")
    tracing = load(conf, look_at_files=True).node.tracing
    assert tracing is not None
    assert tracing.authorization is not None
    assert tracing.authorization.read() == "Bearer sesame"
