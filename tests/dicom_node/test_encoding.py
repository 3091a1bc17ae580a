"""A job's objects are made once for each profile among its destinations, of what its route lets out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dicom_node.destinations import FolderDestination
from dicom_node.encoding import encode_for
from dicom_node.objects.profile import Profile
from inference.findings import IntendedUse, ModelIdentity, Result
from inference.volume import Grid
from storage.database import Database
from storage.lifecycle import JobState
from storage.records import Job

MODEL = ModelIdentity("m", "1", "", "", IntendedUse.RESEARCH)
RESULT = Result("t", MODEL, Grid((1, 1, 1), np.eye(4)), "CT", Path("mask.npy"), ())


def encoded_job(outputs: list[str], destinations: Sequence[str] = ()) -> Job:
    parameters = {"outputs": outputs, "destinations": list(destinations)}
    return Job("job", "1.2.3", 1, "r", "t", "m", JobState.PENDING, 0, {}, parameters, 20.0)


@pytest.mark.parametrize(
    ("outputs", "kinds"), [(["seg"], ["seg"]), (["sr"], ["sr", "summary"]), (["seg", "sr"], ["seg", "sr", "summary"])]
)
def test_a_job_gets_the_objects_that_its_route_asks_for(
    outputs: list[str], kinds: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def encode(result: Result, job_id: str, files: Any, context: Any) -> list[Any]:
        assert (job_id, context.created_at) == ("job", 20.0)
        told.append(context.kept_in & {"seg", "sr", "summary"})
        return [SimpleNamespace(kind=kind, variant=context.profile.variant) for kind in ("seg", "sr", "summary")]

    told: list[frozenset[str]] = []
    monkeypatch.setattr("dicom_node.encoding.encode", encode)
    job = encoded_job(outputs=outputs)
    database = Database.open("sqlite:///" + str(tmp_path / "node.db"))
    assert [item.kind for item in encode_for(database, {}, job, RESULT, {})] == kinds
    assert told == [{"seg", "sr", "summary"} - set(kinds)], "the others are made so that nothing leads there"
    assert encode_for(database, {}, encoded_job(outputs=[]), RESULT, {}) == ()
    database.close()


def test_destinations_of_one_profile_share_their_objects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def encode(result: Result, job_id: str, files: Any, context: Any) -> list[Any]:
        return [SimpleNamespace(kind="seg", variant=context.profile.variant)]

    monkeypatch.setattr("dicom_node.encoding.encode", encode)
    labelmap = Profile(seg="labelmap")
    destinations = {
        "pacs": FolderDestination(path=tmp_path),
        "ward": FolderDestination(path=tmp_path, profile=Profile.model_validate("slicer")),
        "research": FolderDestination(path=tmp_path, profile=labelmap),
    }
    job = encoded_job(outputs=["seg"], destinations=["pacs", "ward", "research", "gone"])
    database = Database.open("sqlite:///" + str(tmp_path / "node.db"))
    made = encode_for(database, destinations, job, RESULT, {})
    assert [item.variant for item in made] == ["", labelmap.variant]
    job = encoded_job(outputs=["seg"], destinations=["research", "gone"])
    made = encode_for(database, destinations, job, RESULT, {})
    assert [item.variant for item in made] == [labelmap.variant, ""], "one that is gone may come back"
    database.close()
