"""`segnode models`: one's own model is added, verified, tried and removed by name; dicom_node.cli.model_use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dicom_node.assembly import Parts, audit_spool
from dicom_node.audit.reading import read_message
from dicom_node.audit.recorder import person
from dicom_node.audit.words import sentence_of
from dicom_node.cli import main as cli
from dicom_node.settings import load
from inference import bench
from inference.backends.nnunet import NnUNet
from inference.volume import Grid, Volume
from storage.working.shadows import Pair

Segnode = Callable[..., Result]
GLIOMA = {"background": 0, "whole tumor": [1, 2, 3], "tumor core": [2, 3], "enhancing tumor": [3]}


@pytest.fixture
def segnode(conf: Path) -> Segnode:
    def run(*args: object) -> Result:
        result = CliRunner().invoke(cli.main, [*map(str, args), "--conf", str(conf)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def nnunet(tmp_path: Path) -> Callable[..., Path]:
    """What a folder of nnU-Net says of itself, with something in the place of its weights."""

    def make(labels: dict[str, Any] | None = None, channels: tuple[str, ...] = ("CT",)) -> Path:
        folder = tmp_path / "Dataset003_Liver" / "nnUNetTrainer__nnUNetPlans__3d_fullres"
        (folder / "fold_0").mkdir(parents=True)
        dataset = {"channel_names": dict(enumerate(channels)),
                   "labels": labels or {"background": 0, "liver": 1, "tumor": 2}}
        (folder / "dataset.json").write_text(json.dumps(dataset))
        (folder / "plans.json").write_text(json.dumps({"dataset_name": "Dataset003_Liver", "configurations": {}}))
        (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"weights")
        return folder

    return make


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """The configuration of a bundle of the zoo."""
    folder = tmp_path / "spleen_bundle"
    (folder / "configs").mkdir(parents=True)
    pred = {"channel_def": {"0": "background", "1": "liver"}}
    metadata = {"name": "Theirs", "version": "0.1", "network_data_format": {
        "inputs": {"image": {"channel_def": {"0": "image"}}}, "outputs": {"pred": pred}}}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (folder / "configs" / "inference.json").write_text("{}")
    return folder


class TestList:
    @pytest.mark.parametrize("arguments", [("models",), ("models", "--json")])
    def test_without_a_word_they_are_listed(self, segnode: Segnode, arguments: tuple[str, ...]) -> None:
        told = segnode(*arguments)
        assert told.exit_code == 0
        assert "bright" in told.stdout
        assert "liver_tumour" in told.stdout


def test_json_may_be_said_before_a_command_as_well(segnode: Segnode) -> None:
    told = segnode("models", "--json", "verify")
    assert "bright" in {one["model"] for one in json.loads(told.stdout)}


class TestAdd:
    def test_a_model_is_written_with_its_words_and_its_files(
        self, segnode: Segnode, conf: Path, nnunet: Callable[..., Path]
    ) -> None:
        before = (conf / "models.yaml").read_text().replace("models:\n", "models:  # ours\n")
        (conf / "models.yaml").write_text(before)
        told = segnode("models", "add", nnunet().parent, "--name", "liver_591", "--task", "liver_tumour")
        assert told.exit_code == 0
        assert "output tumor is Liver tumour" in told.stdout
        assert (conf / "models.yaml").read_text().startswith(before.rstrip()), "comments and other entries stay"
        backend = load(conf).models["liver_591"].backend
        assert isinstance(backend, NnUNet)
        assert backend.outputs == {"liver": "Liver", "tumor": "Liver tumour"}
        assert set(backend.sha256) == {"dataset.json", "plans.json", "fold_0/checkpoint_final.pth"}
        assert backend.identity().name == "Dataset003_Liver 3d_fullres"
        assert "liver_591" in segnode("models").stdout

    def test_a_folder_without_models_yaml_begins_with_the_shipped_one(
        self, segnode: Segnode, conf: Path, nnunet: Callable[..., Path]
    ) -> None:
        for name in ("models", "routes", "node"):
            (conf / f"{name}.yaml").unlink()
        assert segnode("models", "add", nnunet(), "--name", "liver_591", "--task", "liver_tumour").exit_code == 0
        assert {"liver_591", "brain_tumour", "lung_nodule"} <= set(load(conf).models)
        assert "# models: by name" in (conf / "models.yaml").read_text()

    def test_names_of_channels_and_regions_are_understood(
        self, segnode: Segnode, conf: Path, nnunet: Callable[..., Path]
    ) -> None:
        folder = nnunet(GLIOMA, ("t1n", "t1c", "t2w", "t2f"))
        assert segnode("models", "add", folder, "--name", "glioma", "--task", "brain_tumour").exit_code == 0
        backend = load(conf).models["glioma"].backend
        assert backend.inputs == {"t1n": "T1", "t1c": "T1ce", "t2w": "T2", "t2f": "FLAIR"}
        assert backend.outputs == {"whole tumor": "Oedema", "tumor core": "Necrotic core",
                                   "enhancing tumor": "Enhancing tumour"}

    def test_what_is_left_out_is_told(self, segnode: Segnode, nnunet: Callable[..., Path]) -> None:
        folder = nnunet({"background": 0, "liver": 1, "tumour 1": 2, "spleen": 3})
        told = segnode("models", "add", folder, "--name", "m", "--task", "liver_tumour")
        assert "output liver is Liver\n" in told.stdout
        assert "left out: tumour 1, spleen (--output NAME=STRUCTURE" in told.stderr
        told = segnode("models", "add", folder, "--name", "n", "--task", "liver_tumour", "--output", "liver=Liver",
                       "--output", "tumour 1=Liver tumour", "--output", "spleen=Liver")  # fmt: skip
        assert "left out" not in told.output

    @pytest.mark.parametrize(("words", "sentence"), [
        ((), "say which is what by --output NAME=STRUCTURE (structures: Liver, Liver tumour)"),
        (("--output", "tumour=Liver tumour"), "does not find 'tumour'. It finds: a, b."),
        (("--output", "a=Liver tumor"),
         "outputs.a = 'Liver tumor': task liver_tumour has no such structure; allowed: Liver, Liver tumour"),
        (("--output", "a"), "'a' is not NAME=MEANING"),
        (("--output", "a=Liver", "--input", "MR=CT"), "has no input 'MR'. It has: CT."),
        (("--output", "a=Liver", "--set", "folds=[x]"), "folds"),
    ])
    def test_wrong_words_are_told_and_nothing_is_written(
        self, segnode: Segnode, conf: Path, nnunet: Callable[..., Path], words: tuple[str, ...], sentence: str
    ) -> None:
        before = (conf / "models.yaml").read_text()
        folder = nnunet({"background": 0, "a": 1, "b": 2})
        told = segnode("models", "add", folder, "--name", "m", "--task", "liver_tumour", *words)
        assert told.exit_code != 0
        assert sentence in told.stderr
        assert (conf / "models.yaml").read_text() == before
        assert not (conf / "models.lock.json").exists()

    def test_code_is_added_only_by_who_trusts_it(self, segnode: Segnode, conf: Path, zoo: Path) -> None:
        add = ("models", "add", zoo, "--name", "theirs", "--task", "liver_tumour")
        refused = segnode(*add)
        assert refused.exit_code == 1
        assert "running it runs that code: with the rights of this node's worker process" in refused.stderr
        assert "theirs" not in load(conf).models
        trusted = segnode(*add, "--trust")
        assert trusted.exit_code == 0
        assert "running it runs that code" in trusted.stderr
        backend = load(conf).models["theirs"].backend
        assert (backend.trusted, backend.inputs, backend.outputs) == (True, {"image": "CT"}, {"liver": "Liver"})

    def test_a_name_is_given_once(self, segnode: Segnode, nnunet: Callable[..., Path]) -> None:
        told = segnode("models", "add", nnunet(), "--name", "bright", "--task", "liver_tumour")
        assert told.exit_code == 2
        assert "there is a model bright already" in told.stderr

    def test_what_is_no_model_is_told(self, segnode: Segnode, tmp_path: Path) -> None:
        told = segnode("models", "add", tmp_path, "--name", "m", "--task", "liver_tumour")
        assert told.exit_code == 1
        assert "is no model that is known" in told.stderr


class TestFiles:
    @pytest.fixture
    def added(self, segnode: Segnode, nnunet: Callable[..., Path]) -> Path:
        folder = nnunet()
        assert segnode("models", "add", folder, "--name", "liver_591", "--task", "liver_tumour").exit_code == 0
        return folder

    def test_they_are_verified(self, segnode: Segnode, added: Path) -> None:
        told = segnode("models", "verify")
        assert told.exit_code == 0
        assert told.stdout.splitlines() == ["bright: as recorded", "liver_591: as recorded"]
        assert "written down nowhere: no database at" in told.stderr, "no node has run yet"

    def test_what_came_out_is_kept_where_a_node_has_run(self, segnode: Segnode, added: Path, parts: Parts) -> None:
        (added / "plans.json").write_text("{}")
        assert segnode("models", "verify").exit_code == 1
        with parts.database.reading() as tx:
            checks = tx.model_checks.all()
        assert checks["bright"].fault == ""
        assert "plans.json" in checks["liver_591"].fault
        assert checks["bright"].by

    def test_every_change_is_audited_with_who_made_it(self, segnode: Segnode, conf: Path, added: Path) -> None:
        """No node has run yet: the trail is kept all the same."""
        segnode("models", "pin", "liver_591")
        segnode("models", "remove", "liver_591")
        told = [read_message(one.path.read_bytes()) for one in audit_spool(load(conf)).waiting()]
        who = person().name
        assert [sentence_of(one) for one in told] == [
            f"{who}: model liver_591 added for task liver_tumour, from {added}",
            f"{who}: files of model liver_591 recorded as they are; other than before: none",
            f"{who}: model liver_591 removed",
        ]
        assert {one.kind.value for one in told if one.kind} == {"110131"}

    def test_nothing_is_audited_that_was_refused(self, segnode: Segnode, conf: Path) -> None:
        assert segnode("models", "remove", "bright").exit_code == 1
        assert audit_spool(load(conf)).waiting() == []

    def test_a_changed_file_is_refused_until_it_is_recorded_anew(self, segnode: Segnode, added: Path) -> None:
        (added / "fold_0" / "checkpoint_final.pth").write_bytes(b"others")
        told = segnode("models", "verify", "liver_591", "--json")
        assert told.exit_code == 1
        (line,) = json.loads(told.stdout)
        assert line["fault"].startswith(
            "fold_0/checkpoint_final.pth of model nnUNetTrainer__nnUNetPlans__3d_fullres was changed")
        assert "models.yaml: liver_591: fold_0/checkpoint_final.pth" in segnode("check", "--no-echo").output
        pinned = segnode("models", "pin", "liver_591")
        assert "other than before: fold_0/checkpoint_final.pth" in pinned.stdout
        assert segnode("models", "verify", "liver_591").exit_code == 0

    def test_a_model_is_removed_once_no_route_names_it(self, segnode: Segnode, conf: Path, added: Path) -> None:
        kept = segnode("models", "remove", "bright")
        assert kept.exit_code == 1
        assert "still named by route everything" in kept.stderr
        assert segnode("models", "remove", "liver_591").exit_code == 0
        assert set(load(conf).models) == {"bright"}
        assert json.loads((conf / "models.lock.json").read_text()) == {}
        assert (added / "plans.json").exists()

    @pytest.mark.parametrize("command", ["verify", "pin", "remove", "bench"])
    def test_an_unknown_name_is_answered_with_those_there_are(self, segnode: Segnode, command: str) -> None:
        told = segnode("models", command, "nobody")
        assert told.exit_code == 1
        assert "there is no model nobody; known: bright" in told.stderr


def test_it_is_tried_on_a_phantom(segnode: Segnode, monkeypatch: pytest.MonkeyPatch) -> None:
    def apart(*arguments: Any) -> bench.Measured:
        return bench.measure(*arguments)  # in this process, lest the test start another

    volume = Volume(np.full((4, 6, 6), 200.0, np.float32), Grid((4, 6, 6), np.eye(4)), "HU")
    monkeypatch.setattr(bench, "_apart", apart)
    monkeypatch.setattr("inference.phantom.make_case", lambda task, seed: type("Case", (), {"volumes": {"CT": volume}}))
    told = segnode("models", "bench", "bright", "--json")
    view = json.loads(told.stdout)
    assert (view["device"], view["better"]) == ("cpu", None)
    assert view["runs"][0]["windows"] == 0
    assert view["runs"][0]["dice_with_fp32"] == 1.0
    assert f"it is run in {view['chosen']}" in segnode("models", "bench", "bright").stdout


def test_a_faster_way_that_is_kept_is_audited(
    segnode: Segnode, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_of_it = SimpleNamespace(runs=(), alike={}, auto="fp32", better="bf16", found=True)
    monkeypatch.setattr(bench, "bench", lambda *_: told_of_it)
    monkeypatch.setattr("inference.phantom.make_case", lambda task, seed: type("Case", (), {"volumes": {}}))
    segnode("models", "bench", "bright")
    assert audit_spool(parts.settings).waiting() == []
    segnode("models", "bench", "bright", "--keep")
    (kept,) = audit_spool(parts.settings).waiting()
    told = sentence_of(read_message(kept.path.read_bytes()))
    assert told == f"{person().name}: model bright is run in bf16 from now on"


def test_the_shipped_configuration_is_not_written_to() -> None:
    told = CliRunner().invoke(cli.main, ["models", "pin", "brain_tumour"])
    assert told.exit_code == 2
    assert "say --conf FOLDER" in told.stderr


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [(None, None, "environment"), ("before", None, "before"), (None, "after", "after"), ("before", "after", "after")],
)
def test_a_folder_that_is_written_comes_before_that_of_the_environment(
    tmp_path: Path, before: str | None, after: str | None, asked: str
) -> None:
    """On an installed machine SEGNODE_CONF always names the running node, which another folder must not touch."""
    for name in ("environment", "before", "after"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "node.yaml").write_text(f"data_folder: {tmp_path / name}\n")
        (tmp_path / name / "routes.yaml").write_text("routes: []\n")
    first, last = (["--conf", str(tmp_path / name)] if name else [] for name in (before, after))
    told = CliRunner(env={"SEGNODE_CONF": str(tmp_path / "environment")}).invoke(
        cli.main, ["models", *first, "enable", "lung_nodule", *last]
    )
    assert (told.exit_code, told.stderr) == (1, f"Error: no database at {tmp_path / asked / 'segnode.sqlite'}\n")


class TestUse:
    @pytest.fixture
    def known(self, parts: Parts) -> Parts:
        """A node that has run."""
        return parts

    def test_a_model_is_disabled_and_enabled(self, segnode: Segnode, conf: Path, known: Parts) -> None:
        assert segnode("models", "disable", "bright").stdout == "bright takes no new jobs\n"
        assert "disabled" in (conf / "models.yaml").read_text()
        assert segnode("models", "disable", "bright").stdout == "bright was disabled already\n"
        assert segnode("models", "enable", "bright").stdout == "bright takes jobs again\n"
        assert segnode("models", "enable", "bright").stdout == "bright was not disabled\n"

    def test_where_studies_wait_it_asks(self, segnode: Segnode, conf: Path, story: Parts) -> None:
        told = segnode("models", "disable", "bright")
        assert (told.exit_code, "1 study waits for model bright" in told.output) == (1, True)
        assert "disabled" not in (conf / "models.yaml").read_text()
        assert segnode("models", "disable", "bright", "--yes").exit_code == 0

    def test_what_is_a_shadow_is_not_removed(self, segnode: Segnode, conf: Path, known: Parts) -> None:
        dim = "  dim: {task: liver_tumour, kind: threshold, lower: 50, upper: 3000}\n"
        text = (conf / "models.yaml").read_text().replace("bright: {", "bright: {shadow: dim, ")
        (conf / "models.yaml").write_text(text + dim)
        assert "dim is still the shadow of bright" in segnode("models", "remove", "dim").stderr

    def test_a_shadow_is_named_and_dropped(self, segnode: Segnode, conf: Path, known: Parts) -> None:
        dim = "  dim: {task: liver_tumour, kind: threshold, lower: 50, upper: 3000}\n"
        (conf / "models.yaml").write_text((conf / "models.yaml").read_text() + dim)
        assert segnode("models", "shadow", "bright", "--by", "dim").stdout == "dim runs beside bright from now on\n"
        assert load(conf).models["bright"].shadow == "dim"
        assert segnode("models", "shadow", "bright", "--by", "dim").stdout == "it was so already\n"
        assert segnode("models", "shadow", "bright", "--by", "").stdout == "no model runs beside bright from now on\n"
        assert load(conf).models["bright"].shadow is None
        wrong = segnode("models", "shadow", "bright", "--by", "gone")
        assert (wrong.exit_code, "no such model; known: bright, dim" in wrong.stderr) == (2, True)
        assert "beside which one model?" in segnode("models", "shadow", "--by", "dim").stderr

    def test_how_a_shadow_compares_is_told(self, segnode: Segnode, story: Parts) -> None:
        with story.database.transaction() as tx:
            tx.shadows.add(Pair("job-0", "1.2.3", "bright", "1", "next"), 500.0)
            found = tx.shadows.claim("me", 500.0, 60.0)
            answer = {"regions": [], "seconds": 1.0, "shadow_seconds": 2.0}
            tx.shadows.done(found.shadow_id, "me", 510.0, version="2", mean_dice=0.75, answer=answer)
        assert "bright and next differ most in 1.2.3: 0.75" in segnode("models", "shadow").stdout
        (view,) = json.loads(segnode("models", "shadow", "bright", "--json").stdout)
        assert view["compared"][0]["mean_dice"] == 0.75
        assert segnode("models", "shadow", "nobody").exit_code == 1
