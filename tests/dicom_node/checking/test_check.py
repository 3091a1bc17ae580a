"""Every mistake at once, what would be held, and who does not answer."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Identity
from pynetdicom import AE
from pynetdicom.sop_class import Verification
from web_archive import web_archive

from dicom_node.checking.check import Report, check
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.ports import free_port
from dicom_node.settings import load
from storage.errors import SchemaTooNew


def add(conf: Path, name: str, text: str) -> None:
    with (conf / f"{name}.yaml").open("a") as file:
        file.write(text)


def test_every_mistake_is_told_at_once(conf: Path) -> None:
    node = (conf / "node.yaml").read_text().replace("[cpu]", "[gpu]")
    (conf / "node.yaml").write_text(node + "port: 99999\ncolour: red\n")
    add(conf, "models", "  odd: {task: palmistry, kind: threshold, lower: 2, upper: 1}\n")
    report = check(conf, with_echo=False)
    told = "\n".join(report.problems)
    for word in ("node.yaml:9: port", "node.yaml:5: devices", "colour", "models.yaml:3: models.odd: lower 2.0"):
        assert word in told
    assert report.exit_code == 2


def test_a_model_whose_files_are_not_there_is_a_mistake(conf: Path) -> None:
    add(conf, "models", "  gone: {task: lung_nodule, kind: bundle, path: nowhere}\n")
    report = check(conf, with_echo=False)
    assert report.problems[0].startswith("models.yaml: gone: ")
    assert report.exit_code == 2


def test_results_that_would_be_held_are_a_remark_with_the_way_out(conf: Path) -> None:
    report = check(conf, with_echo=False)
    (remark,) = report.remarks
    assert "route everything: model bright is for demonstration, destination share accepts clinical" in remark
    assert "add demonstration to 'accepts'" in remark
    assert (report.problems, report.exit_code) == ([], 0)


def test_nothing_is_held_where_the_destination_accepts_it(conf: Path) -> None:
    node = (conf / "node.yaml").read_text()
    (conf / "node.yaml").write_text(node.replace("path: results", "path: results, accepts: [demonstration]"))
    assert check(conf, with_echo=False).remarks == []


def test_files_that_the_folder_does_not_hold_are_told_since_the_shipped_ones_count(conf: Path) -> None:
    """As where one is called node.yml."""
    (conf / "node.yaml").rename(conf / "node.yml")
    for name in ("routes.yaml", "models.yaml"):
        (conf / name).unlink()
    told = f"{conf} holds no node.yaml, routes.yaml, models.yaml: what is shipped counts there"
    assert told in check(conf, with_echo=False).remarks


@pytest.mark.parametrize(("outputs", "profile", "told"), [
    ("[sr]", "standard", True), ("[seg, sr]", "standard", False), ("[seg]", "standard", False),
    ("[sr]", "{measurements: false, diameters: true}", False), ("[sr]", "{seg: none}", False),
])  # fmt: skip
def test_reports_that_refer_to_a_segmentation_that_is_not_sent_are_a_remark(
    conf: Path, outputs: str, profile: str, told: bool
) -> None:
    node, routes = ((conf / name).read_text() for name in ("node.yaml", "routes.yaml"))
    changed = f"path: results, accepts: [demonstration], profile: {profile}"
    (conf / "node.yaml").write_text(node.replace("path: results", changed))
    (conf / "routes.yaml").write_text(routes.replace("outputs: [seg]", f"outputs: {outputs}"))
    report = check(conf, with_echo=False)
    assert ["not the SEG that it refers to: " in remark for remark in report.remarks] == [True] * told
    assert report.problems == []


SENT = "{state: sent, after_days: 60}"


@pytest.mark.parametrize(("rules", "told"), [
    (f"{SENT}, {{state: sent, route: everything, after_days: 3650}}",
     ["rule 2 (sent on route everything: after 3650 days) decides nothing: rule 1 (sent: after 60 days) stands"]),
    (f"{{state: sent, route: everythin, after_days: 3650}}, {SENT}",
     ["rule 1 (sent on route everythin: after 3650 days) is for what a route of that name made, and routes.yaml has"]),
    (f"{{state: sent, route: everything, after_days: 3650}}, {SENT}, {{state: failed, after_days: 1}}", []),
])  # fmt: skip
def test_a_rule_of_retention_that_nothing_comes_to_is_a_remark(conf: Path, rules: str, told: list[str]) -> None:
    """What it was to keep for years would go by the rule for everything."""
    node = (conf / "node.yaml").read_text().replace("path: results", "path: results, accepts: [demonstration]")
    (conf / "node.yaml").write_text(f"{node}retention: [{rules}]\n")
    report = check(conf, with_echo=False)
    assert [remark.partition("retention: ")[2][: len(told[0])] for remark in report.remarks] == told
    assert report.exit_code == 0, "what a route made that is gone by now is still judged by its rule"


def test_an_installation_without_torch_is_told_that_it_runs_no_models(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dicom_node.checking.check.find_spec", lambda name: None)
    assert any("torch is not installed here" in remark for remark in check(conf, with_echo=False).remarks)


def test_peers_and_archives_are_asked_even_under_one_name(conf: Path, tmp_path: Path) -> None:
    with EmbeddedArchive(tmp_path / "archive") as archive:
        add(conf, "node", f"  pacs: {{kind: dimse, ae_title: ARCHIVE, host: 127.0.0.1, port: {archive.port}}}\n")
        add(conf, "node", f"peers:\n  pacs: {{ae_title: CT1, host: 127.0.0.1, port: {free_port()}}}\n")
        report = check(conf, with_echo=True)
    assert [line.split(":")[0] for line in report.silent] == ["pacs (CT1@127.0.0.1"]
    assert f"pacs (ARCHIVE@127.0.0.1:{archive.port}) answers C-ECHO" in report.remarks
    assert report.exit_code == 1


def test_a_database_on_another_machine_is_asked(conf: Path) -> None:
    port = free_port()
    add(conf, "node", f"database_url: 'postgresql://segnode:hush@127.0.0.1:{port}/segnode'\n")
    assert check(conf, with_echo=False).silent == []
    report = check(conf, with_echo=True)
    (silent,) = report.silent
    assert silent.startswith("database_url: the database does not answer: ")
    assert "hush" not in silent
    assert report.exit_code == 1


def test_a_database_that_no_node_would_start_with_is_a_mistake(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def newer(_url: str) -> None:
        raise SchemaTooNew("the database was written by a newer release")

    monkeypatch.setattr("dicom_node.checking.check.look", newer)
    add(conf, "node", "database_url: 'postgresql://segnode@host/segnode'\n")
    report = check(conf, with_echo=True)
    assert report.problems == ["node.yaml: database_url: the database was written by a newer release"]


def test_a_database_that_there_cannot_be_is_told_once(conf: Path) -> None:
    add(conf, "node", "database_url: 'postgresql://node@host:port/node'\n")
    assert len(check(conf, with_echo=True).problems) == 1


def test_a_destination_is_asked_under_the_title_by_which_results_are_sent_to_it(conf: Path) -> None:
    """An archive that knows SEG_SENDER alone takes our results, and would reject the title by which we are called."""
    archive = AE(ae_title="ARCHIVE")
    archive.add_supported_context(Verification)
    archive.require_calling_aet = ["SEG_SENDER"]
    listening = archive.start_server(("127.0.0.1", 0), block=False)
    try:
        where = f"ae_title: ARCHIVE, host: 127.0.0.1, port: {listening.server_address[1]}"
        add(conf, "node", f"  pacs: {{kind: dimse, {where}, calling_ae_title: SEG_SENDER}}\n")
        add(conf, "node", f"  other: {{kind: dimse, {where}}}\n")
        report = check(conf, with_echo=True)
    finally:
        listening.shutdown()
    assert [line.partition(" ")[0] for line in report.silent] == ["other"]
    assert any(line.startswith("pacs (ARCHIVE@") for line in report.remarks)


def test_a_folder_that_takes_no_results_is_told_like_a_peer_that_is_silent(conf: Path) -> None:
    node = (conf / "node.yaml").read_text()
    (conf / "node.yaml").write_text(node.replace("path: results", "path: node.yaml/results"))
    report = check(conf, with_echo=True)
    assert report.silent == [f"share: {conf}/node.yaml is a file where a folder is to be"]
    assert report.exit_code == 1


def test_whether_the_ray_cluster_is_there_is_asked_where_models_run_on_it(conf: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        add(conf, "node", f"ray: {{address: '127.0.0.1:{head.getsockname()[1]}'}}\n")
        assert not any("Ray" in line for line in check(conf, with_echo=True).remarks)
        add(conf, "node", "executor: ray\n")
        assert any(line.startswith("the Ray cluster at 127.0.0.1:") for line in check(conf, with_echo=True).remarks)
    report = check(conf, with_echo=True)
    assert [line.partition(" at ")[0] for line in report.silent] == ["no Ray cluster answers"]
    assert report.exit_code == 1


def test_wrong_files_of_tls_are_mistakes_and_good_ones_say_until_when(
    conf: Path, ours: Identity, hospital: Authority
) -> None:
    files = f"certificate: {ours.certificate}, key: {ours.key}"
    add(conf, "node", f"tls: {{{files}, authorities: {conf}/gone.pem}}\n")
    (problem,) = check(conf, with_echo=False).problems
    assert problem == f"node.yaml:9: tls.authorities = '{conf}/gone.pem': is not there"
    (conf / "gone.pem").write_bytes(hospital.certificate.read_bytes())
    report = check(conf, with_echo=False)
    assert (report.problems, report.exit_code) == ([], 0)
    assert any("tls.certificate" in remark and "is valid until" in remark for remark in report.remarks)


def test_files_of_those_who_are_told_and_asked_beside_the_partners_are_looked_at(
    conf: Path, ours: Identity, hospital: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", "hush")
    gone = f"{conf}/gone.pem"
    hook = f"{{url: 'https://h/x', secret: {{environment: HOOK}}, authorities: {gone}}}"
    add(conf, "node", f"alerts:\n  mail: {{host: h, sender: a@b, recipients: [c@d], authorities: {gone}}}\n")
    add(conf, "node", f"  webhooks: {{ops: {hook}}}\n")
    add(conf, "node", f"archive: {{url: 's3://abc', authorities: {gone}}}\n")
    identity = f"cert_file: {ours.certificate}, key_file: {hospital.certificate}"
    add(conf, "node", f"audit: {{mode: syslog, syslog: {{host: h, ca_file: {gone}, {identity}}}}}\n")
    report = check(conf, with_echo=False)
    keys = ("alerts.mail.authorities", "alerts.webhooks.ops.authorities", "archive.authorities", "audit.syslog.ca_file")
    told = [f"node.yaml: {key} = {gone!r}: is not there" for key in keys]
    assert [problem for problem in report.problems if "is not there" in problem] == told
    (other,) = set(report.problems) - set(told)
    assert other.startswith(f"node.yaml: audit.syslog.key_file = '{hospital.certificate}': holds no PEM private key")
    load(conf, look_at_files=True)  # the node starts, and tells who wants to know


@pytest.mark.parametrize("url", ["foo", "mysql://node@host/node", "postgresql://node:hush@host:port/node"])
def test_a_database_that_there_cannot_be_is_a_mistake(conf: Path, url: str) -> None:
    add(conf, "node", f"database_url: '{url}'\n")
    (problem,) = check(conf, with_echo=False).problems
    assert problem.startswith("node.yaml: database_url: ")
    assert "hush" not in problem


@pytest.mark.peer
def test_peers_are_asked_by_tls_where_they_are_called_so(
    conf: Path, storescp: Any, ours: Identity, hospital: Authority, strangers: Authority
) -> None:
    scp = storescp("+tls", str(ours.key), str(ours.certificate), "+cf", str(hospital.certificate))
    tls = f"certificate: {ours.certificate}, key: {ours.key}, authorities"
    peer = f"ae_title: {scp.aet}, host: localhost, port: {scp.port}"
    add(conf, "node", f"peers:\n  good: {{{peer}, tls: {{{tls}: {hospital.certificate}}}}}\n")
    add(conf, "node", f"  bad: {{{peer}, tls: {{{tls}: {strangers.certificate}}}}}\n")
    report = check(conf, with_echo=True)
    (silent,) = report.silent
    assert silent.startswith("bad (ARCHIVE@localhost")
    assert "its certificate is not trusted: our authorities lack the one at the end of its chain" in silent
    assert f"good (ARCHIVE@localhost:{scp.port}) answers C-ECHO" in report.remarks


def test_web_destinations_are_asked_with_their_credentials(conf: Path, tmp_path: Path) -> None:
    (conf / "password").write_text("open sesame")
    login = "authentication: {kind: basic, user: segnode, password: {file: password}}"
    with web_archive(tmp_path / "web", user=("segnode", "open sesame")) as archive:
        add(conf, "node", f"  web: {{kind: stow, url: '{archive.url}', {login}}}\n")
        report = check(conf, with_echo=True)
        assert (report.silent, report.exit_code) == ([], 0)
        assert f"web ({archive.url}) answers QIDO-RS" in report.remarks
        assert any(f"our credentials travel to {archive.url} in the clear" in remark for remark in report.remarks)
        (conf / "password").write_text("close sesame")
        (silent,) = check(conf, with_echo=True).silent
        assert silent.startswith(f"web: {archive.url} does not accept our credentials")
    (silent,) = check(conf, with_echo=True).silent
    assert "cannot be reached" in silent


def test_web_peers_are_asked_with_their_credentials(conf: Path, tmp_path: Path) -> None:
    (conf / "password").write_text("open sesame")
    login = "authentication: {kind: basic, user: segnode, password: {file: password}}"
    with web_archive(tmp_path / "web", user=("segnode", "open sesame")) as archive:
        add(conf, "node", f"peers:\n  vna: {{kind: dicomweb, url: '{archive.url}', {login}}}\n")
        report = check(conf, with_echo=True)
        assert (report.silent, report.exit_code) == ([], 0)
        assert f"vna ({archive.url}) answers QIDO-RS" in report.remarks
        assert any(f"peer vna: our credentials travel to {archive.url} in the clear" in told for told in report.remarks)
        assert [one.path.rpartition("&")[2] for one in archive.asked] == ["limit=1"]
        archive.next_answers.append((200, {}, b"<html>Log in</html>"))
        (silent,) = check(conf, with_echo=True).silent
        assert "something else than DICOM JSON" in silent
        archive.next_answers.append((404, {}, b""))
        (silent,) = check(conf, with_echo=True).silent
        assert "no such service at this address: look at url" in silent


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (Report(), 0),
        (Report(remarks=["something"]), 0),
        (Report(silent=["somebody"]), 1),
        (Report(problems=["a mistake"], silent=["somebody"]), 2),
    ],
)
def test_the_exit_code_tells_the_worst(report: Report, code: int) -> None:
    assert report.exit_code == code
