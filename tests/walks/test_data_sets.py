"""Each public data set, in its published layout, becomes a model that the node runs: train, judge, export, segment.

The data sets are miniatures made of one phantom: coarse copies of it with noise of their own, each a patient. What is
proven is that every step takes what the one before gives; the networks are too small to be good.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import miniatures
import numpy as np
import pytest
from click.testing import CliRunner
from miniatures import Miniature
from ruamel.yaml import YAML
from running_node import MakeNode

from dicom_node.cli import main
from inference.evaluation.files import read_report, read_scores
from inference.phantom import PhantomCase, make_case, write_study
from inference.training.datasets import Mark
from inference.transforms.geometry import grid_at_spacing, resample, resample_labels
from inference.volume import Spacing

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

CONF = Path(__file__).resolve().parents[2] / "conf" / "training"
PATIENTS = 7
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_data_set_becomes_a_model_that_the_node_runs(
    kind: str, tmp_path: Path, make_node: MakeNode
) -> None:
    task, write, select = KINDS[kind]
    phantom = make_case(task, 9100)
    patient = coarse(phantom)
    write_all: Callable[[Path, dict[int, Miniature]], None] = write
    write_all(tmp_path / "data", {n: with_noise(patient, n) for n in range(PATIENTS)})
    path = configuration(kind, tmp_path, tmp_path / "data")

    bundle = tmp_path / "bundle"
    segnode("train", path, "--output", bundle, "--cache", tmp_path / "cache")
    groups = json.loads((tmp_path / "split.json").read_text())["groups"]
    assert {name: len(cases) for name, cases in groups.items()} == {"training": 5, "validation": 1, "test": 1}

    segnode("evaluate", path, bundle, "--output", tmp_path / "report")
    report = read_report(tmp_path / "report" / "report.json")
    assert [row.case for row in read_scores(tmp_path / "report" / "scores.csv")][:1] == groups["test"]
    assert not report.trained_on_phantoms  # the miniature poses as the real one
    assert [point.epoch for point in report.losses] == [1, 2]
    assert all(0 <= (summary.metrics["dice"].mean or 0) <= 1 for summary in report.summaries)
    assert "<html" in (tmp_path / "report" / "report.html").read_text()

    node = make_node(
        routes=f"routes:\n  - {{name: r, when: {{kind: volume}}, select: {select}, task: {task},"
        " model: ours, outputs: [seg, sr], destinations: [lab, pacs]}\n",
        models=f"models:\n  ours: {{task: {task}, kind: bundle, path: {bundle}}}\n",
        beside=f"  lab: {{kind: folder, path: {tmp_path / 'lab'}, accepts: [research]}}\n",
    )
    node.send(write_study(phantom, tmp_path / "study"))
    uid = next(iter(phantom.acquisitions.values())).study.study_instance_uid
    view = node.until_over(uid)
    assert [job["state"] for job in view["jobs"]] == ["DONE"], view["jobs"]
    states = {delivery["destination"]: delivery["state"] for delivery in view["deliveries"]}
    assert states == {"lab": "SENT", "pacs": "HELD"}  # a research model's results go where they are taken
