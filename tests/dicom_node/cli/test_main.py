"""The command line: exit codes 0, 1 and 2, one sentence for an error, JSON for scripts.

dicom_node.cli.main, and dicom_node.cli.__main__, by which `python -m` runs it
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from audit_schema import code
from click.testing import CliRunner, Result
from pynetdicom import AE
from pynetdicom.sop_class import Comprehensive3DSRStorage, SegmentationStorage, Verification

import inference.evaluation
from dicom_node.assembly import Parts
from dicom_node.audit.facts import PersonAction
from dicom_node.audit.recorder import person
from dicom_node.cli import main as cli
from dicom_node.network.embedded_archive import EmbeddedArchive
from dicom_node.network.ports import free_port
from inference.evaluation.candidates import Candidate, Nodule
from inference.evaluation.detection import Froc, froc
from inference.tasks import TASKS
from storage.lifecycle import DeliveryState

Segnode = Callable[..., Result]


@pytest.fixture
def segnode(conf: Path) -> Segnode:
    """Runs a command on the small configuration; what it raises that it should not is raised here."""

    def run(*args: str, with_conf: bool = True) -> Result:
        words = [*args, "--conf", str(conf)] if with_conf else list(args)
        result = CliRunner().invoke(cli.main, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def shell(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dicom_node.cli", *args], capture_output=True, text=True, check=False
    )


def test_a_terminal_that_lacks_a_letter_gets_a_question_mark(conf: Path) -> None:
    told = CliRunner(charset="latin-1").invoke(cli.main, ["conformance", "--conf", str(conf)])
    assert (told.exit_code, "0x0210 ? 0x0213" in told.output) == (0, True), told.exception


def add(conf: Path, name: str, text: str) -> None:
    with (conf / f"{name}.yaml").open("a") as file:
        file.write(text)


class TestLookingAtStudies:
    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (("status",), ("1 job failed", "liver_tumour REFUSED", "1.2.4", "NOT_ROUTED")),
            (("study", "1.2.3"), ("DISPATCHED", "Liver: 12.50 ml", "dead: DEAD")),
            (("explain", "1.2.3"), ("verdicts", "slices are [axial]", "done: 2 findings")),
        ],
    )
    def test_people_read_tables(
        self, story: Parts, segnode: Segnode, command: tuple[str, ...], words: tuple[str, ...]
    ) -> None:
        result = segnode(*command)
        assert result.exit_code == 0
        assert all(word in result.stdout for word in words)

    @pytest.mark.parametrize(
        ("command", "keys"),
        [
            (("status",), {"roles", "studies", "jobs", "deliveries", "needs_a_person", "newest", "free_bytes"}),
            (("study", "1.2.3"), {"study", "state", "series", "jobs", "deliveries", "results"}),
            (("explain", "1.2.3"), {"study", "verdicts", "history"}),
        ],
    )
    def test_scripts_read_json(
        self, story: Parts, segnode: Segnode, command: tuple[str, ...], keys: set[str]
    ) -> None:
        result = segnode(*command, "--json")
        assert result.exit_code == 0
        assert keys <= set(json.loads(result.stdout))

    def test_the_newest_studies_only(self, story: Parts, segnode: Segnode) -> None:
        assert len(json.loads(segnode("status", "--json", "--limit", "1").stdout)["newest"]) == 1

    @pytest.mark.parametrize("command", ["study", "explain", "retry"])
    def test_an_unknown_study_is_no(self, story: Parts, segnode: Segnode, command: str) -> None:
        result = segnode(command, "1.9.9")
        assert result.exit_code == 1
        assert result.stderr == "Error: no study 1.9.9\n"

    @pytest.mark.parametrize("command", ["study", "explain"])
    def test_who_is_shown_a_study_is_audited_as_on_its_page(
        self, story: Parts, segnode: Segnode, audited: Callable[[], list[Element]], command: str
    ) -> None:
        segnode(command, "1.2.3", "--json")
        segnode(command, "1.2.77")
        (look,) = audited()
        assert code(look.find("EventIdentification/EventTypeCode"))[0] == PersonAction.LOOK.value
        assert look.find("ParticipantObjectIdentification").get("ParticipantObjectID") == "1.2.3"
        assert look.find("ActiveParticipant").get("UserID") == person().user_id

    def test_without_a_node_nothing_is_made(self, conf: Path, segnode: Segnode) -> None:
        result = segnode("status")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: no database at ")
        assert not (conf / "data").exists()


class TestRetry:
    def test_says_how_much_goes_again_and_no_where_nothing_does(self, story: Parts, segnode: Segnode) -> None:
        result = segnode("retry", "--all")
        assert (result.exit_code, result.stdout) == (0, "1 jobs and 1 deliveries go again\n")
        assert segnode("retry", "--all").exit_code == 1

    def test_releases_and_resends_when_told(self, story: Parts, segnode: Segnode) -> None:
        assert segnode("retry", "1.2.3", "--release", "--resend").exit_code == 0
        with story.database.reading() as tx:
            assert {d.state for d in tx.deliveries.of_study("1.2.3")} == {DeliveryState.PENDING}

    @pytest.mark.parametrize("words", [(), ("1.2.3", "--all"), ("--all", "--resend")])
    def test_wants_a_study_or_all(self, segnode: Segnode, words: tuple[str, ...]) -> None:
        assert segnode("retry", *words).exit_code == 2


class TestConfiguration:
    def test_a_good_one_is_told(self, segnode: Segnode) -> None:
        result = segnode("check", "--no-echo")
        assert result.exit_code == 0
        assert "The configuration holds." in result.stdout
        assert "HELD" in result.stdout

    def test_check_names_every_mistake_as_json_too(self, conf: Path, segnode: Segnode) -> None:
        add(conf, "node", "port: 99999\n")
        add(conf, "models", "  odd: {task: palmistry}\n")
        told = segnode("check", "--json")
        assert told.exit_code == 2
        assert [problem.split(":")[0] for problem in json.loads(told.stdout)["problems"]] == [
            "node.yaml", "models.yaml"
        ]  # fmt: skip

    @pytest.mark.parametrize("command", [("status",), ("study", "1.2.3"), ("models",), ("role", "clock"), ("serve",)])
    def test_no_command_works_with_a_wrong_one(
        self, conf: Path, segnode: Segnode, command: tuple[str, ...]
    ) -> None:
        add(conf, "node", "port: 99999\nmax_crashes: 0\n")
        result = segnode(*command)
        assert result.exit_code == 2
        assert [line.split(" ")[1] for line in result.stderr.splitlines()] == ["port", "max_crashes"]

    def test_models_are_listed(self, segnode: Segnode) -> None:
        (line,) = json.loads(segnode("models", "--json").stdout)
        assert (line["model"], line["task"], line["intended_use"]) == ("bright", "liver_tumour", "demonstration")
        assert "bright" in segnode("models").stdout


class TestPeers:
    @pytest.fixture
    def archive(self, conf: Path, tmp_path: Path) -> Any:
        with EmbeddedArchive(tmp_path / "archive", ae_title="PACS") as archive:
            add(conf, "node", f"peers:\n  pacs: {{ae_title: PACS, host: 127.0.0.1, port: {archive.port}}}\n")
            yield archive

    def test_echo_by_name_and_by_address(self, archive: EmbeddedArchive, segnode: Segnode) -> None:
        for peer in ("pacs", f"127.0.0.1:{archive.port}:PACS"):
            result = segnode("echo", peer)
            assert result.exit_code == 0
            assert result.stdout.startswith(f"PACS at 127.0.0.1:{archive.port} answers")

    @pytest.mark.parametrize("command", ["echo", "probe"])
    def test_a_destination_is_called_as_results_are_sent_to_it(
        self, conf: Path, segnode: Segnode, command: str
    ) -> None:
        """An archive that knows our other title alone would reject every call under the usual one."""
        pacs = AE(ae_title="PACS")
        for sop_class in (Verification, SegmentationStorage, Comprehensive3DSRStorage):
            pacs.add_supported_context(sop_class)
        pacs.require_calling_aet = ["SEG_SENDER"]
        listening = pacs.start_server(("127.0.0.1", 0), block=False)
        where = f"ae_title: PACS, host: 127.0.0.1, port: {listening.server_address[1]}"
        add(conf, "node", f"  pacs: {{kind: dimse, {where}, calling_ae_title: SEG_SENDER}}\n")
        try:
            assert segnode(command, "pacs").exit_code == 0
            assert segnode(command, "pacs", "--aet", "OTHER").exit_code == 1
        finally:
            listening.shutdown()

    def test_who_does_not_answer_is_no(self, segnode: Segnode) -> None:
        result = segnode("echo", f"127.0.0.1:{free_port()}:PACS")
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("nobody",), "nor the name of a peer or DICOM destination in node.yaml (known: none)"),
            (("host:0:PACS",), "port: Input should be greater than or equal to 1"),
            (("host:104:A\\B",), "1 to 16 plain characters"),
            (("host:104:PACS", "--aet", "far too long a title"), "1 to 16 plain characters"),
        ],
    )
    def test_what_is_no_peer_is_wrong_usage(self, segnode: Segnode, words: tuple[str, ...], sentence: str) -> None:
        result = segnode("echo", *words)
        assert result.exit_code == 2
        assert sentence in result.stderr

    def test_send_tells_what_was_stored(
        self, archive: EmbeddedArchive, segnode: Segnode, ct_series: list[Path]
    ) -> None:
        result = segnode("send", str(ct_series[0].parent), "--to", "pacs")
        assert (result.exit_code, result.stdout) == (0, "3 of 3 stored with success\n")
        result = segnode("send", str(ct_series[0]), "--to", "pacs", "--json")
        assert json.loads(result.stdout) == {"sent": 1, "not_success": {}}
        assert archive.received == 4

    @pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
    def test_send_names_what_was_not(
        self, archive: EmbeddedArchive, segnode: Segnode, make_slices: Callable[..., list[Path]]
    ) -> None:
        (path,) = make_slices(1, SOPInstanceUID="1.2.x")
        result = segnode("send", str(path), "--to", "pacs")
        assert result.exit_code == 1
        assert result.stdout == "0 of 1 stored with success\n"
        assert result.stderr.startswith("1.2.x: 0x")

    def test_send_without_a_dicom_file_is_no(self, segnode: Segnode, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        result = segnode("send", str(tmp_path / "empty"), "--to", "host:104:PACS")
        assert (result.exit_code, result.stderr) == (1, "Error: no DICOM file was found there\n")


class TestServe:
    def test_runs_the_roles_that_are_asked_for(
        self, conf: Path, segnode: Segnode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dicom_node.log.setup", lambda settings: None)
        wanted = (["receive", "clock"], conf, 15.0)
        served = "dicom_node.running.node.serve"
        monkeypatch.setattr(served, lambda *asked, drain_s: 7 if (*asked, drain_s) == wanted else 8)
        result = segnode("serve", "--roles", "receive, clock")
        assert result.exit_code == 7
        assert "SEGNODE listens on 127.0.0.1:11112" in result.stderr
        assert "console" not in result.stderr

    @pytest.mark.parametrize(("web", "roles"), [
        ("", ["receive", "pipeline", "web", "clock"]), ("web: {port: null}", ["receive", "pipeline", "clock"])
    ])
    def test_the_console_is_one_of_them_where_it_has_a_port(
        self, conf: Path, segnode: Segnode, monkeypatch: pytest.MonkeyPatch, web: str, roles: list[str]
    ) -> None:
        with (conf / "node.yaml").open("a") as file:
            file.write(web + "\n")
        monkeypatch.setattr("dicom_node.log.setup", lambda settings: None)
        monkeypatch.setattr("dicom_node.running.node.serve", lambda wanted, *_, drain_s: 7 if wanted == roles else 8)
        result = segnode("serve")
        assert result.exit_code == 7
        assert ("The console is at http://127.0.0.1:8470." in result.stderr) is ("web" in roles)

    @pytest.mark.parametrize("words", [("serve", "--roles", "receive,wab"), ("role", "wab")])
    def test_an_unknown_role_is_wrong_usage(self, segnode: Segnode, words: tuple[str, ...]) -> None:
        result = segnode(*words)
        assert result.exit_code == 2
        assert "allowed: receive, pipeline, web, clock" in result.stderr


class TestPhantomsAndTraining:
    def test_every_task_can_be_asked_for(self) -> None:
        assert set(cli.TASK_NAMES.choices) == set(TASKS)

    def test_make_writes_a_study(
        self, segnode: Segnode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made = SimpleNamespace(make_case=lambda task, seed: (task, seed), write_study=lambda case, folder: [case] * 5)
        monkeypatch.setitem(sys.modules, "inference.phantom", made)
        result = segnode("phantom", "make", "lung_nodule", str(tmp_path), "--seed", "3", with_conf=False)
        assert (result.exit_code, result.stdout) == (0, f"5 files in {tmp_path}\n")

    def test_score_walks_tasks_and_seeds(self, segnode: Segnode, monkeypatch: pytest.MonkeyPatch) -> None:
        scorer = SimpleNamespace(score=lambda task, seeds: [{"task": task, "cases": len(list(seeds)), "dice": 0.9}])
        monkeypatch.setitem(sys.modules, "inference.evaluation.score", scorer)
        result = segnode("phantom", "score", "--seeds", "9000-9002", "--json", with_conf=False)
        assert [(row["task"], row["cases"]) for row in json.loads(result.stdout)] == [(task, 3) for task in TASKS]
        result = segnode("phantom", "score", "--seeds", "7", "--task", "lung_nodule", with_conf=False)
        assert "lung_nodule" in result.stdout
        assert "0.900" in result.stdout

    def test_froc_tells_rates_and_diameters(self, segnode: Segnode, monkeypatch: pytest.MonkeyPatch) -> None:
        def judged(seeds: Iterable[int], bundle: str) -> Froc:
            scans = [str(seed) for seed in seeds]
            nodules = [Nodule(scan, (0.0, 0.0, 0.0), 7.0) for scan in scans]
            return froc(bundle, scans, nodules, [Candidate(scans[0], (1.0, 0.0, 0.0), 0.9)])

        finder = SimpleNamespace(TASK="lung_nodule", shipped=lambda: "a bundle", phantom_froc=judged)
        monkeypatch.setattr(inference.evaluation, "phantom_nodules", finder, raising=False)
        result = segnode("phantom", "froc", "--seeds", "1-2", "--json", with_conf=False)
        told = json.loads(result.stdout)
        assert (told["name"], told["scans"], told["nodules"], told["hit"]) == ("a bundle", 2, 2, 1)
        result = segnode("phantom", "froc", "--seeds", "1-2", with_conf=False)
        assert "0.500" in result.stdout
        assert "6–10 mm" in result.stdout

    @pytest.mark.parametrize("seeds", ["", "a", "1-b", "-3"])
    def test_seeds_are_numbers(self, segnode: Segnode, seeds: str) -> None:
        result = segnode("phantom", "score", "--seeds", seeds, with_conf=False)
        assert result.exit_code == 2
        assert "neither a seed nor FIRST-LAST" in result.stderr


class TestDemo:
    @pytest.mark.parametrize("code", [0, 1])
    def test_its_exit_code_is_the_commands(
        self, segnode: Segnode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        asked: dict[str, Any] = {}
        player = SimpleNamespace(run_demo=lambda **given: asked.update(given) or code)
        monkeypatch.setitem(sys.modules, "dicom_node.phantoms.demo", player)
        words = ("demo", "--seed", "5", "--output", str(tmp_path), "--pacs", "localhost:4242:ORTHANC")
        assert segnode(*words, with_conf=False).exit_code == code
        assert (asked["seed"], asked["output"], str(asked["pacs"])) == (5, tmp_path, "ORTHANC@localhost:4242")


class TestAsAProcess:
    def test_a_fresh_shell_gets_json_and_nothing_else(self, story: Parts, conf: Path) -> None:
        done = shell("status", "--json", "--conf", str(conf))
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["jobs"]["FAILED"] == 1

    def test_a_mistake_is_a_line_and_exit_code_2(self, conf: Path) -> None:
        add(conf, "node", "port: 99999\n")
        done = shell("check", "--no-echo", "--conf", str(conf))
        assert done.returncode == 2
        assert done.stdout.startswith("wrong node.yaml:9: port = 99999")
        assert shell("study").returncode == 2
        assert "Traceback" not in done.stderr
