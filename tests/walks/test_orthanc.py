"""A PACS sends three studies by its own C-STORE job and gets SEG and SR back, once, whatever it sends again."""

from __future__ import annotations

import time
from typing import Any

import pytest
from drawn_study import DrawnStudy, MakeDrawnStudy

from dicom_node.network.peer import Peer

pytestmark = [pytest.mark.peer, pytest.mark.timeout(900)]

TASKS = ("brain_tumour", "liver_tumour", "lung_nodule")
SEEDS = {"brain_tumour": 9001, "liver_tumour": 9000, "lung_nodule": 9000}  # head 9000 has no tumour


@pytest.fixture(scope="module")
def studies(drawn_study: MakeDrawnStudy) -> dict[str, DrawnStudy]:
    """Study UID and files of each task's phantom."""
    return {task: drawn_study(task, SEEDS[task]) for task in TASKS}


def modalities(orthanc: Any, study: str) -> list[str]:
    """Modality of every instance of the study that did not come from the scanner."""
    return sorted(
        series["MainDicomTags"]["Modality"]
        for series in orthanc.series(study)
        for _ in series["Instances"]
        if series["MainDicomTags"]["Modality"] in ("SEG", "SR")
    )


def orthanc_id(orthanc: Any, study: str) -> str:
    return orthanc.study(study)["ID"]


def test_results_return_to_the_study_once(make_node: Any, orthanc: Any, studies: dict[str, DrawnStudy]) -> None:
    node = make_node(pacs=Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port))
    orthanc.know("segnode", "SEGNODE", node.peer.port)
    for uid, paths in studies.values():
        orthanc.upload(paths)
        orthanc.send("segnode", [orthanc_id(orthanc, uid)])

    first: dict[str, list[str]] = {}
    for task, (uid, _) in studies.items():
        view = node.until_delivered(uid)
        assert [(job["task"], job["state"]) for job in view["jobs"]] == [(task, "DONE")], view["jobs"]
        assert [d["state"] in ("SENT", "COMMITTED") for d in view["deliveries"]] == [True]
        first[uid] = modalities(orthanc, uid)
        assert first[uid].count("SEG") == 1
        assert first[uid].count("SR") == 2, "measurements of the segments, and the summary"
        results = {r["sop_instance_uid"] for r in view["results"]}
        held = {
            orthanc.get(f"/instances/{instance}/simplified-tags")["SOPInstanceUID"]
            for series in orthanc.series(uid)
            if series["MainDicomTags"]["Modality"] in ("SEG", "SR")
            for instance in series["Instances"]
        }
        assert held == results

    # The PACS sends back everything that it holds: our results among it. No work follows.
    for uid, _ in studies.values():
        orthanc.send("segnode", [orthanc_id(orthanc, uid)])
    time.sleep(3)
    for uid, _ in studies.values():
        view = node.until_over(uid)
        assert view["state"] == "DISPATCHED"
        assert len(view["jobs"]) == 1, "what the PACS sends back re-opens nothing"
        assert view["generation"] == 1
        assert modalities(orthanc, uid) == first[uid], "no duplicates"

    # A person asks for a delivery again: the same instances, so still no duplicate.
    liver, paths = studies["liver_tumour"]
    resent = node.run("retry", liver, "--resend")
    assert resent.returncode == 0, resent.stderr
    node.until_delivered(liver)
    assert modalities(orthanc, liver) == first[liver]

    # The job is run once more, by a node that knows nothing of the first: its results bear the same names.
    node.stop()
    other = make_node(pacs=Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port))
    other.send(paths)
    view = other.until_delivered(liver)
    assert [job["state"] for job in view["jobs"]] == ["DONE"]
    assert modalities(orthanc, liver) == first[liver]
