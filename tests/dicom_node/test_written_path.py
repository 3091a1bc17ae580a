"""Paths below homes: one that this machine does not know is told with its line, whatever the path is of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from misconfigured import mistakes

from dicom_node.assembly import Parts
from dicom_node.running.reload import Watch
from dicom_node.settings import load
from dicom_node.written_path import NO_HOME

ELSEWHERE = "~nobody-here/x"
PEER = "ae_title: A, host: h, port: 104"


@pytest.mark.parametrize(("key", "text"), [
    ("data_folder", "data_folder: {0}"),
    ("destinations.a.path", "destinations: {{a: {{kind: folder, path: {0}}}}}"),
    ("peers.a.tls.authorities", f"peers: {{{{a: {{{{{PEER}, tls: {{{{authorities: {{0}}}}}}}}}}}}}}"),
    ("tls.certificate", "tls: {{certificate: {0}, client_certificates: none}}"),
    ("audit.syslog.ca_file", "audit: {{syslog: {{host: h, ca_file: {0}}}}}"),
    ("archive.folder", "archive: {{folder: {0}}}"),
    ("alerts.webhooks.a.secret.file", "alerts: {{webhooks: {{a: {{url: 'https://h/x', secret: {{file: {0}}}}}}}}}"),
    ("tracing.authorities", "tracing: {{url: 'https://h/x', authorities: {0}}}"),
])  # fmt: skip
def test_a_home_that_is_not_here_is_told(conf: Path, key: str, text: str) -> None:
    assert f"node.yaml:1: {key} = '{ELSEWHERE}': {NO_HOME}" in mistakes(conf, node=text.format(ELSEWHERE) + "\n")


def test_so_is_that_of_a_model(conf: Path) -> None:
    text = f"models:\n  a: {{task: liver_tumour, kind: bundle, path: {ELSEWHERE}}}\n"
    told = mistakes(conf, models=text, routes="routes: []")
    assert told == [f"models.yaml:2: models.a.path = '{ELSEWHERE}': {NO_HOME}"]


def test_the_default_needs_a_home_too(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # a container's user that nobody has named
    (told,) = mistakes(conf, node="quiet_s: 30\ndestinations: {share: {kind: folder, path: out}}\n")
    assert told.startswith("node.yaml:1: data_folder = ")
    assert told.endswith(NO_HOME)


def test_the_home_of_who_runs_the_node_is_found(conf: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (conf / "node.yaml").write_text((conf / "node.yaml").read_text().replace("path: results", "path: ~/results"))
    assert load(conf).destinations()["share"].path == tmp_path / "results"


def test_a_running_role_goes_on_with_what_the_file_said_before(parts: Parts, conf: Path) -> None:
    watch = Watch(replace(parts, settings=load(conf)))
    (conf / "node.yaml").write_text((conf / "node.yaml").read_text().replace("path: results", f"path: {ELSEWHERE}"))
    assert watch.look() is None
    assert NO_HOME in watch.trouble
