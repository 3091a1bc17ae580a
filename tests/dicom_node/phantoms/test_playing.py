"""Where a played study stands, in five steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dicom_node.phantoms.playing import Played
from inference.phantom import PhantomCase
from inference.volume import Grid, Volume
from inference.writers.dicom_series import Acquisition, StudyDetails

STUDY = StudyDetails.of("a played study")


@pytest.fixture
def played() -> Played:
    volume = Volume(np.zeros((2, 3, 4), dtype=np.float32), Grid((2, 3, 4), np.eye(4)), "HU")
    case = PhantomCase("liver_tumour", 1, "CT", {"CT": volume}, np.zeros((2, 3, 4), np.uint8), (),
                       {"CT": Acquisition.ct(STUDY)})
    return Played("liver_tumour", case, ())


def view(state: str, job: dict[str, Any] | None = None, deliveries: tuple[str, ...] = ()) -> dict[str, Any]:
    jobs = [{"job": "j", "task": "liver_tumour", "reason": "", "step": "", "progress": None} | job] if job else []
    return {"state": state, "jobs": jobs, "deliveries": [{"job": "j", "state": s} for s in deliveries]}


@pytest.mark.parametrize(
    ("seen", "step", "ended"),
    [
        ({}, "receive", False),
        (view("RECEIVING"), "complete: waiting for quiet", False),
        (view("COMPLETE"), "route", False),
        (view("DISPATCHED", {"state": "PENDING"}), "infer: waiting for the device", False),
        (view("DISPATCHED", {"state": "RUNNING", "step": "network", "progress": 0.5}), "infer: network", False),
        (view("DISPATCHED", {"state": "DONE"}, ("PENDING",)), "deliver", False),
        (view("DISPATCHED", {"state": "DONE"}, ("SENT",)), "delivered", True),
        (view("DISPATCHED", {"state": "REFUSED", "reason": "no liver"}), "refused: no liver", True),
        (view("NOT_ROUTED"), "route", True),
    ],
)
def test_steps(played: Played, seen: dict[str, Any], step: str, ended: bool) -> None:
    played.view = seen
    assert played.progress()[1] == step
    assert played.ended is ended
    assert played.delivered is (step == "delivered")


def test_study_uid_is_the_primary_series_study(played: Played) -> None:
    assert played.study_uid == STUDY.study_instance_uid
