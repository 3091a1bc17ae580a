"""Killed at every point where it could hurt, the node still keeps what it acknowledged and delivers it once.

Each commit and each rename on a study's way is a point, before and after it. The process dies there by SIGKILL, another
one takes over, and the end must be the same as without a death.
"""

from __future__ import annotations

import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import crash_points
import numpy as np
import pytest
from bright_conf import MODELS, routes
from commitment_peer import CommitmentPeer

from dicom_node.errors import PeerError
from dicom_node.network.client import send
from dicom_node.network.peer import Peer
from dicom_node.settings import load
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.acquisition import Acquisition
from inference.writers.dicom_series import StudyDetails, write_series
from storage.database import Database
from storage.files.folder_archive import FolderArchive
from storage.lifecycle import DeliveryState, JobState, StudyState

pytestmark = pytest.mark.timeout(900)

SLICES = 12


GRANTS = "an archive that commits"


@pytest.fixture
def pacs(request: pytest.FixtureRequest) -> Iterator[CommitmentPeer]:
    """An archive, with storage commitment or without."""
    grants = getattr(request, "param", "") == GRANTS
    with CommitmentPeer(stores=True, offers=grants, reports_at_once=grants) as archive:
        yield archive


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small CT with a bright cube in it."""
    array = np.full((SLICES, 24, 24), 40, np.float32)
    array[4:9, 8:14, 8:14] = 400
    grid = Grid(array.shape, regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3, 2, 2)), "1.2.826.0.1.5")
    acquisition = Acquisition.ct(StudyDetails.of("crash-points"), "body")
    return write_series(Volume(array, grid, "HU"), acquisition, tmp_path_factory.mktemp("images"))


@pytest.fixture
def make_conf(tmp_path: Path, pacs: CommitmentPeer, free_port: Callable[[], int]) -> Callable[[str], Path]:
    """`make_conf(name)` writes the configuration of a node with a folder of its own."""

    def make(name: str) -> Path:
        conf = tmp_path / name / "conf"
        conf.mkdir(parents=True)
        (conf / "node.yaml").write_text(
            f"host: 127.0.0.1\nport: {free_port()}\ndata_folder: {tmp_path / name / 'data'}\nkeep_free_bytes: 0\n"
            "audit: {mode: 'off'}\n"
            f"quiet_s: 0.5\nlease_term_s: 3\ndestinations:\n  pacs: {{kind: dimse, ae_title: ARCHIVE, "
            f"host: 127.0.0.1, port: {pacs.port}, accepts: [demonstration]}}\n"
        )
        (conf / "routes.yaml").write_text(routes("seg", "sr"))
        (conf / "models.yaml").write_text(MODELS)
        return conf

    return make


def received(conf: Path, images: list[Path], told: Path, fatal: int | None) -> set[str]:
    """Send the images to a receiver that may die on the way; the UIDs that it acknowledged."""
    node = load(conf).node
    child = crash_points.start(crash_points.receive, conf, told, fatal)
    while socket.socket().connect_ex(("127.0.0.1", node.port)):
        time.sleep(0.05)
    acknowledged: set[str] = set()
    peer = Peer(ae_title="SEGNODE", host="127.0.0.1", port=node.port)
    for image in images:  # one association each, so that one death costs one answer
        try:
            answers = send([image], peer, "SCANNER")
        except PeerError:
            break
        acknowledged |= {uid for uid, status in answers.items() if status.stored}
    if child.is_alive():
        child.terminate()
    child.join(30)
    assert child.exitcode == (0 if fatal is None else -signal.SIGKILL)
    return acknowledged


def stored(conf: Path) -> Counter[str]:
    """SOP instance UIDs in the index whose files are whole, and how often."""
    node = load(conf).node
    database, archive = Database.open(node.database), FolderArchive(node.data_folder / "archive", low_water_bytes=0)
    with database.reading() as tx:
        studies = tx.studies.list()
        instances = [i for s in studies for i in tx.studies.instances(study_uid=s.study_instance_uid, conflicts=True)]
    database.close()
    for instance in instances:
        archive.read(instance.file)
    return Counter(instance.sop_instance_uid for instance in instances)


def test_whatever_point_kills_the_receiver_what_it_acknowledged_is_stored_once(
    make_conf: Callable[[str], Path], images: list[Path], tmp_path: Path
) -> None:
    told = tmp_path / "told"
    everything = received(make_conf("whole"), images[:2], told, None)
    points = crash_points.read(told)
    assert len(everything) == 2
    assert {name.split(": ")[1] for name in points} == {
        "before the commit", "after the commit", "before the rename", "after the rename"
    }
    for fatal, name in enumerate(points):
        conf = make_conf(f"killed-{fatal}")
        acknowledged = received(conf, images[:2], tmp_path / f"told-{fatal}", fatal)
        assert crash_points.read(tmp_path / f"told-{fatal}")[-1] == name
        assert acknowledged <= set(stored(conf)), name
        assert received(conf, images[:2], tmp_path / "again", None) == everything, name
        assert stored(conf) == Counter(everything), name


@pytest.mark.parametrize("pacs", ["an archive", GRANTS], indirect=True)
def test_whatever_point_kills_the_pipeline_the_result_reaches_the_archive_once(
    make_conf: Callable[[str], Path], images: list[Path], tmp_path: Path, pacs: CommitmentPeer
) -> None:
    sent = make_conf("sent")
    received(sent, images, tmp_path / "received", None)
    whole = another(sent, make_conf("whole"))
    walked(whole, tmp_path / "told", None)
    points = crash_points.read(tmp_path / "told")
    end = DeliveryState.COMMITTED if pacs.offers else DeliveryState.SENT
    results = ended_well(whole, end)
    assert results == set(pacs.kept)
    stages = {name.split()[0].removeprefix("dicom_node/pipeline/") for name in points}
    assert {"complete.py", "dispatch.py", "infer.py", "deliver.py", "commit.py"} <= stages
    for fatal, name in enumerate(points):
        conf = another(sent, make_conf(f"killed-{fatal}"))
        walked(conf, tmp_path / f"told-{fatal}", fatal)
        assert crash_points.read(tmp_path / f"told-{fatal}")[-1] == name
        walked(conf, tmp_path / "again", None)
        assert ended_well(conf, end) == results, name
        assert set(pacs.kept) == results, name


def another(sent: Path, conf: Path) -> Path:
    """The node of `conf` with the data of one that has received a study."""
    shutil.copytree(sent.parent / "data", conf.parent / "data")
    return conf


def walked(conf: Path, told: Path, fatal: int | None) -> None:
    child = crash_points.start(crash_points.walk, conf, told, fatal)
    child.join(120)
    assert child.exitcode == (0 if fatal is None else -signal.SIGKILL)


def ended_well(conf: Path, end: DeliveryState) -> set[str]:
    """The SOP instance UIDs of the one job's results; everything has come to its end, once."""
    database = Database.open(load(conf).node.database)
    with database.reading() as tx:
        (study,) = tx.studies.list()
        (job,) = tx.jobs.list()
        (delivery,) = tx.deliveries.of_study(study.study_instance_uid)
        results = tx.results.of_job(job.job_id)
    database.close()
    assert (study.state, study.images, study.generation) == (StudyState.DISPATCHED, SLICES, 1)
    assert job.state is JobState.DONE
    assert delivery.state is end
    assert len(results) == len({result.sop_instance_uid for result in results}) >= 2
    return {result.sop_instance_uid for result in results}
