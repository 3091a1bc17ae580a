"""Each public data set, in its published layout, becomes a model that the node runs: train, judge, export, segment.

The data sets are miniatures made of one phantom: coarse copies of it with noise of their own, each a patient. What is
proven is that every step takes what the one before gives; the networks are too small to be good.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import miniatures
import numpy as np
import pytest
from click.testing import CliRunner
from drawn_study import DrawnCase
from miniatures import Miniature
from ruamel.yaml import YAML
from running_node import MakeNode, RunningNode

from dicom_node.cli.main import main
from inference.evaluation.files import read_report, read_scores
from inference.phantom import PhantomCase, write_study
from inference.training.datasets import Mark
from inference.transforms.geometry import grid_at_spacing, resample, resample_labels
from inference.volume import Spacing

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

CONF = Path(__file__).resolve().parents[2] / "conf" / "training"
PATIENTS = 7
SEEDS = {"brain_tumour": 9001, "liver_tumour": 9000, "lung_nodule": 9000}
COARSE = Spacing(5.0, 5.0, 5.0)
KINDS = {
    "brats": ("brain_tumour", miniatures.write_brats, "{kind: mr_brain}"),
    "lits": ("liver_tumour", miniatures.write_lits, "{kind: one_series, role: CT}"),
    "luna16": ("lung_nodule", miniatures.write_luna16, "{kind: one_series, role: CT}"),
}
SMALL: dict[str, Any] = {  # the shipped configuration otherwise
    "network": {"kind": "hybrid", "widths": [4, 8], "transformer_layers": 1, "heads": 2, "dropout": 0.1},
    "patch": [1, 32, 32], "window": [8, 32, 32], "batch": 4, "epochs": 2, "patches_per_case": 8, "learning_rate": 0.01,
    "threads": 1,
}  # fmt: skip


def coarse(case: PhantomCase) -> Miniature:
    """The phantom as a scan of large voxels, all roles on one grid."""
    grid = grid_at_spacing(case.grid, COARSE)
    volumes = {
        role: resample(volume, grid, fill=float(np.min(volume.array))) for role, volume in case.aligned(0.0).items()
    }
    truth = np.asarray(resample_labels(case.truth, case.grid, grid), dtype=np.uint8)
    nodules = tuple(Mark(lesion.centre, lesion.diameter_mm) for lesion in case.lesions)
    return Miniature(volumes, truth, nodules)


def as_scanned(case: PhantomCase, patient: Miniature) -> PhantomCase:
    """The study of the coarse scan."""
    return replace(case, volumes=patient.volumes, truth=patient.truth, decoys=(), motion={})


def with_noise(case: Miniature, seed: int) -> Miniature:
    """Another patient, who differs by the scanner's noise alone."""
    rng = np.random.default_rng(seed)
    volumes = {
        role: type(volume)(volume.array + rng.normal(0, 5, volume.grid.shape).astype(np.float32), volume.grid,
                           volume.units)
        for role, volume in case.volumes.items()
    }  # fmt: skip
    return Miniature(volumes, case.truth, case.nodules)


def configuration(kind: str, folder: Path, data: Path) -> Path:
    """The shipped configuration of a data set, made small."""
    content = YAML(typ="safe").load((CONF / f"{kind}.yaml").read_text())
    content |= SMALL
    content["data"]["folder"] = str(data)
    content["split"]["file"] = "split.json"
    content["recipe"]["spacing_mm"] = list(COARSE)
    content["recipe"]["bias_field"] = False
    path = folder / f"{kind}.yaml"
    YAML(typ="safe").dump(content, path)
    return path


def segnode(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


class Trained(NamedTuple):
    """What the commands made of a data set, and a patient to segment."""

    folder: Path
    patient: PhantomCase

    @property
    def bundle(self) -> Path:
        return self.folder / "bundle"


@pytest.fixture(scope="module")
def trained(drawn_case: DrawnCase, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    """Every data set, trained on and evaluated."""
    made = {}
    for kind, (task, write, _) in KINDS.items():
        folder = tmp_path_factory.mktemp(kind)
        phantom = drawn_case(task, SEEDS[task])
        patient = coarse(phantom)
        write_all: Callable[[Path, dict[int, Miniature]], None] = write
        write_all(folder / "data", {n: with_noise(patient, n) for n in range(PATIENTS)})
        path = configuration(kind, folder, folder / "data")
        segnode("train", path, "--output", folder / "bundle", "--cache", folder / "cache")
        segnode("evaluate", path, folder / "bundle", "--output", folder / "report")
        made[kind] = Trained(folder, as_scanned(phantom, patient))
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_data_set_is_split_trained_on_and_judged(kind: str, trained: dict[str, Trained]) -> None:
    folder = trained[kind].folder
    groups = json.loads((folder / "split.json").read_text())["groups"]
    assert {name: len(cases) for name, cases in groups.items()} == {"training": 5, "validation": 1, "test": 1}

    report = read_report(folder / "report" / "report.json")
    assert [row.case for row in read_scores(folder / "report" / "scores.csv")][:1] == groups["test"]
    assert not report.trained_on_phantoms  # the miniature poses as the real one
    assert [point.epoch for point in report.losses] == [1, 2]
    assert all(0 <= (summary.metrics["dice"].mean or 0) <= 1 for summary in report.summaries)
    assert "<html" in (folder / "report" / "report.html").read_text()


@pytest.fixture(scope="module")
def node(
    make_shared_node: MakeNode, trained: dict[str, Trained], tmp_path_factory: pytest.TempPathFactory
) -> RunningNode:
    """A node that runs all these models, each for whom the data set's title names as sender."""
    routes, models = "routes:\n", "models:\n"
    for kind, (task, _, select) in KINDS.items():
        routes += (
            f"  - {{name: {kind}, when: {{kind: peer, any_of: [{kind.upper()}]}}, select: {select}, task: {task},"
            f" model: {kind}, outputs: [seg, sr], destinations: [lab, pacs]}}\n"
        )
        models += f"  {kind}: {{task: {task}, kind: bundle, path: {trained[kind].bundle}}}\n"
    lab = tmp_path_factory.mktemp("lab")
    return make_shared_node(
        routes=routes, models=models, beside=f"  lab: {{kind: folder, path: {lab}, accepts: [research]}}\n"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_node_runs_the_model_that_came_of_it(
    kind: str, trained: dict[str, Trained], node: RunningNode, tmp_path: Path
) -> None:
    patient = trained[kind].patient
    node.send(write_study(patient, tmp_path / "study"), kind.upper())
    view = node.until_over(patient.acquisitions[patient.primary].study.study_instance_uid)
    assert [job["state"] for job in view["jobs"]] == ["DONE"], view["jobs"]
    states = {delivery["destination"]: delivery["state"] for delivery in view["deliveries"]}
    assert states == {"lab": "SENT", "pacs": "HELD"}  # a research model's results go where they are taken
