"""What a study lacks is fetched from an archive by DICOMweb: QIDO-RS and WADO-RS. Orthanc with a password is it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ball_scan import IMAGES, scan
from bright_conf import MODELS, routes
from pydicom import dcmread
from running_node import MakeNode, RunningNode

pytestmark = [pytest.mark.peer, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def orthanc(make_shared_orthanc: Any, dicomweb: dict[str, Any]) -> Any:
    return make_shared_orthanc(dicomweb)


@pytest.fixture(scope="module")
def node(make_shared_node: MakeNode, orthanc: Any, tmp_path_factory: pytest.TempPathFactory) -> RunningNode:
    """A node that asks this Orthanc about everything."""
    password = tmp_path_factory.mktemp("secret") / "password"
    password.write_text("open sesame\n")
    return make_shared_node(
        routes=routes("seg"),
        models=MODELS,
        node=f"peers:\n  vna:\n    kind: dicomweb\n    url: {orthanc.url}/dicom-web\n"
        f"    authentication: {{kind: basic, user: segnode, password: {{file: {password}}}}}\n"
        'sources:\n  "*": {peer: vna, deadline_s: 60, ask_again_s: 1}\n',
    )


@pytest.mark.parametrize("here", [IMAGES // 2, IMAGES - 3], ids=["half", "all but three"])
def test_a_study_that_came_in_part_is_completed_and_segmented_once(
    node: RunningNode, orthanc: Any, tmp_path: Path, here: int
) -> None:
    assert f"vna ({orthanc.url}/dicom-web) answers QIDO-RS" in node.run("check").stdout
    uid, paths = scan(f"fetched beside {here}", tmp_path)
    orthanc.upload(paths)
    node.send(paths[:here])

    view = node.until_delivered(uid)
    assert (view["images"], view["generation"], view["incomplete"]) == (IMAGES, 1, "")
    with node.database.reading() as tx:
        (job,) = [tx.jobs.get(job["job"]) for job in view["jobs"]]
        kept = {one.sop_instance_uid: one for one in tx.studies.instances(study_uid=uid)}
    assert len(job.inputs["CT"]["instances"]) == IMAGES, "one job, over all that the archive holds"
    fetch = view["fetch"]
    assert (fetch["state"], fetch["expected"], fetch["missing"]) == ("DONE", IMAGES, 0)
    assert node.journal(uid, "complete") == [f"{IMAGES} images, as many as vna holds; {IMAGES - here} of them fetched"]
    assert view["from"] == ["SCANNER"], "who answers a fetch is no sender"
    for path in paths:
        sent = dcmread(path)
        one = kept[sent.SOPInstanceUID]
        assert one.transfer_syntax_uid == sent.file_meta.TransferSyntaxUID
        assert dcmread(node.folder / "data" / "archive" / one.file.path) == sent
    assert "sesame" not in (node.folder / "node.log").read_text()


def test_a_day_is_found_and_pulled(node: RunningNode, orthanc: Any, tmp_path: Path) -> None:
    uid, paths = scan("wanted", tmp_path)
    orthanc.upload(paths)
    day = dcmread(paths[0]).StudyDate
    wish = ("fetch", "--from", day, "--to", day, "--modality", "CT")
    assert {line["study"]: line["modalities"] for line in node.command(*wish, "--dry-run")} == {uid: "CT"}
    assert len(node.command(*wish, "--rate", "600")) == 1
    view = node.until_delivered(uid)
    assert (view["images"], view["fetch"]["state"], view["from"]) == (IMAGES, "DONE", ["vna"])
    assert node.command(*wish, ok=(1,)) == [], "what was fetched is not wanted again"
