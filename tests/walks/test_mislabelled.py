"""BodyPartExamined is wrong in the field; what the voxels show decides, and the reason is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_study import DrawnCase
from running_node import MakeNode, RunningNode

from inference.phantom import PhantomCase, write_study
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

pytestmark = pytest.mark.timeout(600)

ANYWHERE = {"series_description": "axial 3.0", "protocol_name": "routine"}


def relabelled(case: PhantomCase, body_part: str) -> PhantomCase:
    """The same study with a wrong body part and descriptions that say nothing."""
    old = case.acquisitions["CT"]
    study = replace(old.study, description="")
    changed = replace(old, study=study, body_part=body_part, **ANYWHERE)
    return replace(case, acquisitions={"CT": changed}, decoys=())


def above_the_liver(case: PhantomCase, share: float = 0.62) -> PhantomCase:
    """The upper part of a chest; whole chests show the dome of the liver too."""
    volume = case.volumes["CT"]
    keep = round(volume.grid.shape[0] * share)
    assert volume.grid.directions[2, 0] > 0.9, "slices run towards the head"
    first = volume.grid.shape[0] - keep
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_lps([first, 0, 0])
    grid = Grid((keep, *volume.grid.shape[1:]), affine, volume.grid.frame_of_reference_uid)
    upper = Volume(volume.array[first:], grid, "HU")
    return replace(case, volumes={"CT": upper}, truth=case.truth[first:])


@pytest.fixture(scope="module")
def node(make_shared_node: MakeNode) -> RunningNode:
    return make_shared_node()


def jobs_of(view: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {job["task"]: (job["state"], job["reason"]) for job in view["jobs"]}


def test_a_chest_labelled_abdomen(node: RunningNode, drawn_case: DrawnCase, tmp_path: Path) -> None:
    case = above_the_liver(relabelled(drawn_case("lung_nodule", 9000), "ABDOMEN"))
    node.send(write_study(case, tmp_path / "sent"))
    uid = case.acquisitions["CT"].study.study_instance_uid
    jobs = jobs_of(node.until_over(uid))
    state, reason = jobs["liver_tumour"]
    assert state == "REFUSED"
    assert "liver" in reason.lower()
    assert jobs["lung_nodule"][0] == "DONE", "the voxels show lungs"
    assert reason in node.journal(uid, "refused")


def test_an_abdomen_labelled_chest(node: RunningNode, drawn_case: DrawnCase, tmp_path: Path) -> None:
    case = relabelled(drawn_case("liver_tumour", 9000), "CHEST")
    node.send(write_study(case, tmp_path / "sent"))
    uid = case.acquisitions["CT"].study.study_instance_uid
    jobs = jobs_of(node.until_over(uid))
    state, reason = jobs["lung_nodule"]
    assert state == "REFUSED"
    assert "lung" in reason.lower()
    assert jobs["liver_tumour"][0] == "DONE", "the voxels show a liver"


def knee(bright: float, fluid: float, seed: int) -> Volume:
    """A leg around the knee: muscle, femur and tibia with bright marrow, a little fluid in the joint."""
    spacing = Spacing(4.0, 1.0, 1.0)
    shape = (36, 200, 200)
    grid = Grid(shape, regular_affine((-100, -100, 0), np.eye(3)[:, ::-1], spacing), "1.2.826.0.1.78")
    z, y, x = np.indices(shape) * np.array(spacing).reshape(3, 1, 1, 1) - np.array([72, 100, 100]).reshape(3, 1, 1, 1)
    radius = np.hypot(x, y)
    shaft = 14 + 12 * np.exp(-((z / 25) ** 2))
    image = np.where(radius < 62, 220.0, 0.0)
    image[(radius > 55) & (radius < 62)] = bright  # fat under the skin
    image[(radius < shaft) & (np.abs(z) > 3)] = bright
    image[(radius < shaft) & (np.abs(z) <= 3)] = fluid
    image[(np.abs(radius - shaft) < 2) & (np.abs(z) > 3)] = 20  # cortex
    noise = np.random.default_rng(seed).normal(0, 8, shape)
    return Volume(np.clip(image + noise, 0, None).astype(np.float32), grid, "signal")


def test_a_knee_labelled_head(node: RunningNode, tmp_path: Path) -> None:
    study = StudyDetails.of("knee labelled head")
    signals = {"T1": (700, 150), "T1ce": (720, 260), "T2": (420, 900), "FLAIR": (400, 200)}
    for number, (weighting, (bright, fluid)) in enumerate(signals.items(), start=1):
        acquisition = Acquisition.mr(study, weighting, series_number=number, body_part="HEAD")  # type: ignore[arg-type]
        node.send(write_series(knee(bright, fluid, number), acquisition, tmp_path / weighting))
    view = node.until_over(study.study_instance_uid)
    assert jobs_of(view)["brain_tumour"][0] == "REFUSED", view["jobs"]
    assert "brain" in view["jobs"][0]["reason"].lower() or "head" in view["jobs"][0]["reason"].lower()
    assert view["deliveries"] == []
