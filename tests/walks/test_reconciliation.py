"""A study is held until its archive says that all of it is here; what is missing is fetched. Orthanc is the archive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ball_scan import IMAGES, scan
from bright_conf import MODELS, routes
from pydicom import Dataset, dcmread
from running_node import MakeNode, RunningNode

from dicom_node.network.peer import Peer
from dicom_node.network.ports import free_port

pytestmark = [pytest.mark.peer, pytest.mark.timeout(400)]

ROUTES = routes("seg", "sr")
ANSWERS = {"DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True, "DicomAlwaysAllowGet": True}  # whoever asks
# One node for those that look at a study of their own: who sends it says how its archive is asked.
BY_SENDER: dict[str, dict[str, object]] = {
    "MOVE": {},
    "GET": {"retrieve": "get"},
    "DOWN": {"peer": "nobody", "deadline_s": 3},
    "WAIT": {"retrieve": "none", "deadline_s": 2},
    "REFUSE": {"retrieve": "none", "deadline_s": 2},
}
REFUSING = (
    routes("seg", "sr", when="{kind: peer, any_of: [REFUSE]}").replace("everything", "complete-only")
    + "    incomplete: refuse\n"
)
NOT_REFUSING = routes("seg", "sr", when="{kind: peer, any_of: [MOVE, GET, DOWN, WAIT]}").replace("routes:\n", "")


@pytest.fixture
def orthanc_settings() -> dict[str, Any]:
    """It answers whoever asks; where it may send to it must be told."""
    return ANSWERS


def source(port: int, by_sender: dict[str, dict[str, object]]) -> str:
    """node.yaml's lines for an Orthanc that is asked about what these send, and for a peer that is down."""
    lines = [
        "peers:",
        f"  orthanc: {{ae_title: ORTHANC, host: 127.0.0.1, port: {port}}}",
        f"  nobody: {{ae_title: NOBODY, host: 127.0.0.1, port: {free_port()}}}",
        "sources:",
    ]
    for sender, keys in by_sender.items():
        settings = {"peer": "orthanc", "retrieve": "move", "deadline_s": 60, "ask_again_s": 1} | keys
        listed = ", ".join(f"{key}: {value}" for key, value in settings.items())
        lines.append(f'  "{sender}": {{{listed}}}')
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def archive(make_shared_orthanc: Any) -> Any:
    """The Orthanc that `node` asks."""
    return make_shared_orthanc(ANSWERS)


@pytest.fixture(scope="module")
def node(make_shared_node: MakeNode, archive: Any) -> RunningNode:
    running = make_shared_node(routes=REFUSING + NOT_REFUSING, models=MODELS, node=source(archive.port, BY_SENDER))
    archive.know("segnode", "SEGNODE", running.peer.port)
    return running


def over(node: Any, uid: str) -> dict[str, Any]:
    """The study's view when its jobs and deliveries have ended, or no route wants it."""
    ended = ("PENDING", "RUNNING")

    def is_over(view: dict[str, Any]) -> bool:
        work = [one["state"] for one in (*view["jobs"], *view["deliveries"])]
        return view["state"] == "NOT_ROUTED" or (bool(view["jobs"]) and not any(state in ended for state in work))

    return node.until(uid, is_over, 90)


def items(report: Dataset) -> Iterator[Dataset]:
    """Every content item below."""
    for item in report.get("ContentSequence", ()):
        yield item
        yield from items(item)


def delivered(node: Any, uid: str) -> dict[str, Any]:
    view = over(node, uid)
    assert view["deliveries"], [(job["task"], job["state"], job["reason"]) for job in view["jobs"]]
    return view


def slices_of(view: dict[str, Any], node: Any) -> list[int]:
    """How many slices each job had, the oldest job first."""
    with node.database.reading() as tx:
        return [len(tx.jobs.get(job["job"]).inputs["CT"]["instances"]) for job in view["jobs"]]


@pytest.mark.parametrize("how", ["move", "get"])
def test_three_of_forty_images_are_fetched_and_one_result_comes_of_it(
    node: RunningNode, archive: Any, tmp_path: Path, how: str
) -> None:
    uid, paths = scan(f"fetched by {how}", tmp_path)
    archive.upload(paths)
    node.send([*paths[:10], *paths[13:]], how.upper())

    view = delivered(node, uid)
    assert (view["images"], view["generation"], view["incomplete"]) == (IMAGES, 1, "")
    assert slices_of(view, node) == [IMAGES], "one job, over all that the archive holds"
    fetch = view["fetch"]
    assert (fetch["state"], fetch["expected"], fetch["missing"], fetch["fetched"]) == ("DONE", IMAGES, 0, 3)
    assert node.journal(uid, "complete") == [f"{IMAGES} images, as many as orthanc holds; 3 of them fetched"]
    assert view["from"] == [how.upper()], "who answers a fetch is no sender"


def test_a_full_study_is_asked_about_and_nothing_is_fetched(make_node: Any, orthanc: Any, tmp_path: Path) -> None:
    """Also when our own results lie in the archive: they are no gap."""
    uid, paths = scan("full", tmp_path)
    orthanc.upload(paths)
    pacs = Peer(ae_title=orthanc.aet, host="127.0.0.1", port=orthanc.port)
    node = make_node(routes=ROUTES, models=MODELS, pacs=pacs, node=source(orthanc.port, {"*": {}}))
    node.send(paths[:-1])
    # Nothing tells Orthanc where we are: its C-MOVE is refused, and the last image is waited for.
    node.until(uid, lambda view: view["fetch"] is not None and view["fetch"]["missing"] == 1, 40)
    node.send(paths[-1:])
    view = delivered(node, uid)
    assert (slices_of(view, node), view["fetch"]["state"]) == ([IMAGES], "DONE")
    assert len(orthanc.series(uid)) == 4, "the CT, SEG and two reports"

    assert [line["study"] for line in node.command("fetch", uid)] == [uid]
    view = node.until(uid, lambda view: view["fetch"]["purpose"] == "process" and view["fetch"]["state"] == "DONE", 60)
    assert (view["fetch"]["expected"], view["fetch"]["fetched"]) == (IMAGES, 0)
    view = over(node, uid)
    assert (len(view["jobs"]), view["generation"]) == (1, 1)


def test_an_archive_that_is_down_delays_until_the_deadline_and_late_images_supersede(
    node: RunningNode, tmp_path: Path
) -> None:
    uid, paths = scan("down", tmp_path)
    started = time.monotonic()
    node.send(paths[:37], "DOWN")
    view = delivered(node, uid)
    assert time.monotonic() - started > 3
    assert view["incomplete"] == "perhaps incomplete: nobody could not be asked"
    assert view["fetch"]["state"] == "GIVEN_UP"
    (reason,) = node.journal(uid, "incomplete")
    assert "waited 3 s for nobody" in reason
    assert "cannot be reached" in reason
    assert view["jobs"][0]["notes"][0] == view["incomplete"]
    described = {kept.sop_instance_uid: dcmread(kept.path).SeriesDescription for kept in node.archive.kept()}
    first = {result["sop_instance_uid"] for result in view["results"]}
    assert all(described[result].startswith("INCOMPLETE, DEMONSTRATION: ") for result in first)

    node.send(paths[37:], "DOWN")
    view = node.until(uid, lambda view: len(view["jobs"]) == 2 and view["jobs"][1]["state"] == "DONE", 90)
    assert [(job["generation"], job["state"]) for job in view["jobs"]] == [(1, "SUPERSEDED"), (2, "DONE")]
    assert slices_of(view, node) == [37, IMAGES]


def test_what_is_known_to_be_missing_is_said_in_the_report(node: RunningNode, archive: Any, tmp_path: Path) -> None:
    uid, paths = scan("waited for", tmp_path)
    archive.upload(paths)
    node.send(paths[:37], "WAIT")
    view = delivered(node, uid)
    assert view["incomplete"] == f"incomplete: 3 of {IMAGES} images missing"
    (summary,) = [r["sop_instance_uid"] for r in view["results"] if r["kind"] == "summary"]
    (report,) = [dcmread(kept.path) for kept in node.archive.kept() if kept.sop_instance_uid == summary]
    sentences = [item.TextValue for item in items(report) if item.ValueType == "TEXT"]
    assert f"The study was incomplete: 3 of {IMAGES} images missing when this was computed." in sentences


def test_a_route_may_refuse_what_is_incomplete(node: RunningNode, archive: Any, tmp_path: Path) -> None:
    uid, paths = scan("refused", tmp_path)
    archive.upload(paths)
    node.send(paths[:37], "REFUSE")
    view = over(node, uid)
    assert (view["state"], view["jobs"]) == ("NOT_ROUTED", [])
    of_study = [verdict for verdict in node.explain(uid)["verdicts"] if not verdict["series"]]
    (verdict,) = [verdict for verdict in of_study if verdict["route"] == "complete-only"]
    assert verdict["reason"] == f"incomplete: 3 of {IMAGES} images missing; such a study is refused here"

    assert [line["study"] for line in node.command("fetch", uid, "--peer", "orthanc")] == [uid]
    node.until(uid, lambda view: bool(view["jobs"]), 90)
    view = delivered(node, uid)
    assert (view["incomplete"], slices_of(view, node)) == ("", [IMAGES]), "a person's wish fetches what was waited for"


def test_a_backfill_pulls_days_of_an_archive_and_processes_them_gently(
    make_node: Any, orthanc: Any, tmp_path: Path
) -> None:
    studies = dict(scan(f"backfill {number}", tmp_path) for number in range(3))
    for paths in studies.values():
        orthanc.upload(paths)
    day = dcmread(next(iter(studies.values()))[0]).StudyDate
    dates = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    node = make_node(
        routes=ROUTES, models=MODELS, node=source(orthanc.port, {"*": {}}) + "backfill: {max_in_flight: 1}\n"
    )
    orthanc.know("segnode", "SEGNODE", node.peer.port)
    wish = ("fetch", "--from", dates, "--to", dates, "--modality", "CT")

    dry = node.command(*wish, "--dry-run")
    assert {line["study"]: line["images"] for line in dry} == dict.fromkeys(studies, IMAGES)
    with node.database.reading() as tx:
        assert tx.fetches.counts() == {}, "a dry run wants nothing"

    assert len(node.command(*wish, "--rate", "600")) == 3
    for uid in studies:
        view = delivered(node, uid)
        assert (view["images"], view["fetch"]["state"], view["from"]) == (IMAGES, "DONE", ["ORTHANC"])
        with node.database.reading() as tx:
            assert tx.jobs.get(view["jobs"][0]["job"]).priority == 0
    assert node.command(*wish, ok=(1,)) == [], "what was fetched is not wanted again"
