"""A cluster of two machines: who runs where, what is told, and what is left when a machine is lost."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import ray
from ray_machines import Machines, machines

import inference
from inference.errors import ClusterError, Unfit, WorkerDied
from inference.executors import ray_cluster
from inference.executors.ray_cluster import RayCluster
from inference.executors.ray_settings import RaySettings
from inference.findings import Result
from inference.request import Request, SeriesFiles
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

PATIENCE_S = 120.0

Make = Callable[..., RayCluster]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("held")


@pytest.fixture(scope="module")
def cluster(held: Path) -> Iterator[Machines]:
    with machines("east", "west", held=held) as found:
        yield found


@pytest.fixture
def make(cluster: Machines) -> Iterator[Make]:
    """An executor on the cluster; its actors end with the test."""
    made: list[RayCluster] = []

    def executor(**asked: object) -> RayCluster:
        made.append(RayCluster(cluster.settings(**asked)))
        made[-1].start()
        return made[-1]

    yield executor
    for one in made:
        one.stop()


@pytest.fixture(scope="module")
def executor(cluster: Machines) -> Iterator[RayCluster]:
    """One for those tests that need none of their own: to start actors takes seconds."""
    made = RayCluster(cluster.settings(workers=2))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> SeriesFiles:
    grid = Grid((4, 16, 16), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 1.0, 1.0)))
    array = np.full(grid.shape, -50.0, np.float32)
    array[1:3, 4:9, 5:12] = 150.0
    paths = write_series(Volume(array, grid, "HU"), Acquisition.ct(StudyDetails.of("ray")),
                         tmp_path_factory.mktemp("series"))
    return SeriesFiles("1.2.3", tuple(paths), tuple(str(number) for number, _ in enumerate(paths)))


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


class Job:
    """A request for a model of its own that runs in a thread and, where it is held, waits inside the model."""

    def __init__(self, executor: RayCluster, request: Request) -> None:
        self.told: list[tuple[float, str]] = []
        self.result: Result | None = None
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(executor, request), daemon=True)
        self._thread.start()

    def _run(self, executor: RayCluster, request: Request) -> None:
        try:
            self.result = executor.run(request, lambda *progress: self.told.append(progress))
        except Exception as error:
            self.error = error

    def until_told(self, step: str) -> None:
        until(lambda: step in [word for _, word in self.told] or self.error)
        assert self.error is None, self.error

    def end(self) -> Exception | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the request did not end"
        return self.error


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def ask(series: SeriesFiles, tmp_path: Path, held: Path) -> Iterator[Callable[..., Request]]:
    """A request that finds 70 voxels, by a model that is called `upper`; held until `held / str(upper)` is gone."""
    holding: list[Path] = []

    def request(upper: int, name: str = "job", *, hold: bool = False, **changes: object) -> Request:
        model = {"kind": "threshold", "lower": 100, "upper": upper, "label": 1}
        scratch = tmp_path / name
        scratch.mkdir(exist_ok=True)
        if hold:
            holding.append(held / str(upper))
            holding[-1].touch()
        plain = Request(name, "liver_tumour", {"CT": series}, model, scratch, time_limit_s=PATIENCE_S)
        return replace(plain, **changes)

    yield request
    for file in holding:
        file.unlink(missing_ok=True)


def lines(held: Path, file: str, upper: int) -> list[int]:
    """Which processes loaded a model, or began with it, in their order."""
    told = (held / file).read_text() if (held / file).exists() else ""
    return [int(pid) for name, pid in map(str.split, told.splitlines()) if name == str(upper)]


def silent(fraction: float, step: str) -> None:
    """Progress that nobody asks for."""


def test_each_machine_has_its_worker_and_a_lost_one_costs_its_job_alone(
    cluster: Machines, make: Make, ask: Callable[..., Request], held: Path
) -> None:
    executor = make(workers=2, cpus=2)  # one has room on each
    jobs = [Job(executor, ask(202, name, hold=True)) for name in ("one", "other")]
    until(lambda: len(lines(held, "begun", 202)) == 2)
    raylets = {psutil.Process(pid).ppid() for pid in lines(held, "begun", 202)}
    assert len(raylets) == 2
    cluster.lose("west")
    until(lambda: any(job.error for job in jobs))
    (died,) = [job for job in jobs if job.error]
    (lives,) = [job for job in jobs if job is not died]
    assert isinstance(died.error, WorkerDied)
    assert (died.error.timed_out, died.error.stopped) == (False, False)
    assert "ended under the job" in str(died.error)
    (held / "202").unlink()
    assert lives.end() is None
    again = executor.run(ask(202, "again"), silent)
    assert [finding.voxels for finding in again.findings] == [70]
    cluster.add("west")


def test_weights_stay_with_the_worker_and_masks_come_back(
    executor: RayCluster, ask: Callable[..., Request], held: Path
) -> None:
    first, second = (executor.run(ask(201, name), silent) for name in ("first", "second"))
    (worker,) = lines(held, "loaded", 201)
    assert lines(held, "begun", 201) == [worker, worker]
    where = socket.gethostname()
    assert executor.pids().keys() == {f"cpu of {where}", f"reader of {where}"}
    assert executor.pids()[f"cpu of {where}"] == worker
    assert [finding.voxels for finding in first.findings] == [70]
    assert np.load(first.labelmap).sum() == np.load(second.labelmap).sum() == 70
    assert first.labelmap.parent.name == "first"
    assert first.seconds["read"] > 0


def test_the_line_is_by_priority_and_no_longer_than_there_are_slots_for(
    make: Make, ask: Callable[..., Request], held: Path
) -> None:
    """One worker: the first model keeps both its lanes, and whoever is most urgent has the next one."""
    executor = make(workers=1)
    assert executor.slots == 2
    first = [Job(executor, ask(203, name, hold=True)) for name in ("first", "second")]
    until(lambda: len(lines(held, "begun", 203)) == 1 and "wait" in [step for job in first for _, step in job.told])
    routine = Job(executor, ask(204, "routine", priority=10))
    routine.until_told("wait")
    urgent = Job(executor, ask(205, "urgent", priority=90))
    urgent.until_told("wait")
    assert {step for _, step in (*routine.told, *urgent.told)} == {"wait"}, "their images are not read before"
    (held / "203").unlink()
    for job in (*first, urgent, routine):
        assert job.end() is None
    order = [line.split()[0] for line in (held / "begun").read_text().splitlines()]
    assert order.index("205") < order.index("204")
    assert [step for _, step in urgent.told] == ["wait", "read", "threshold", "measure"]


def test_a_killed_worker_ends_its_job_and_another_one_is_made(
    executor: RayCluster, ask: Callable[..., Request], held: Path
) -> None:
    job = Job(executor, ask(206, hold=True))
    until(lambda: lines(held, "begun", 206))
    (victim,) = lines(held, "begun", 206)
    os.kill(victim, signal.SIGKILL)
    died = job.end()
    assert isinstance(died, WorkerDied)
    assert str(died) == f"the worker on cpu of {socket.gethostname()} ended under the job (its process is gone)"
    assert (died.timed_out, died.stopped) == (False, False)
    (held / "206").unlink()
    assert executor.run(ask(206), silent).findings
    assert lines(held, "begun", 206)[-1] != victim


def test_a_job_past_its_time_has_its_worker_killed_which_is_no_fault_of_the_other(
    make: Make, ask: Callable[..., Request], held: Path
) -> None:
    executor = make(workers=1)
    assert executor.run(ask(207), silent).findings, "so that no start counts"
    slow = Job(executor, ask(207, "slow", hold=True, time_limit_s=1.0))
    until(lambda: len(lines(held, "begun", 207)) == 2)
    other = Job(executor, ask(207, "other"))
    other.until_told("wait")
    late, innocent = slow.end(), other.end()
    assert isinstance(late, WorkerDied)
    assert (late.timed_out, str(late)) == (True, "the job exceeded its time limit of 1 s; its worker was killed")
    assert isinstance(innocent, WorkerDied)
    assert innocent.stopped


def test_reading_counts_and_an_endless_one_costs_the_reader(
    executor: RayCluster, ask: Callable[..., Request], tmp_path: Path
) -> None:
    executor.run(ask(208), silent)
    (before,) = [pid for name, pid in executor.pids().items() if name.startswith("reader")]
    pipe = tmp_path / "pipe.dcm"
    os.mkfifo(pipe)
    endless = ask(208, inputs={"CT": SeriesFiles("1.2.3", (pipe,), ("1.2.3.1",))}, time_limit_s=0.5)
    with pytest.raises(WorkerDied, match="time limit") as late:
        executor.run(endless, silent)
    assert late.value.timed_out
    assert executor.run(ask(208), silent).findings
    (after,) = [pid for name, pid in executor.pids().items() if name.startswith("reader")]
    assert after != before


def test_stopping_ends_the_jobs_for_no_fault_of_theirs(make: Make, ask: Callable[..., Request], held: Path) -> None:
    executor = make()
    job = Job(executor, ask(211, hold=True))
    until(lambda: lines(held, "begun", 211))
    (worker,) = lines(held, "begun", 211)
    executor.stop()
    died = job.end()
    assert isinstance(died, WorkerDied)
    assert (died.stopped, str(died)) == (True, "the node was stopped under the job")
    with pytest.raises(WorkerDied, match="was stopped"):
        executor.run(ask(211), silent)
    assert executor.pids() == {}
    until(lambda: not psutil.pid_exists(worker))


def test_a_worker_that_has_nothing_to_do_for_long_leaves_its_machine_to_others(
    make: Make, ask: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "LOOK_EVERY_S", 0.05)
    executor = make(idle_s=1)
    executor.run(ask(214), silent)
    assert len(executor.pids()) == 2
    until(lambda: len(executor.pids()) == 1)


def test_a_process_whose_machine_has_lost_its_ray_is_ended(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(ray_cluster, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(ray_cluster, "SEE_EVERY_S", 0.02)
    monkeypatch.setattr(signal, "raise_signal", ended.append)
    executor = make()
    until(executor._joined.is_set)
    time.sleep(0.2)
    assert ended == [], "it is there"
    monkeypatch.setattr(ray, "nodes", list)
    until(lambda: executor.trouble and ended)
    assert set(ended) == {signal.SIGTERM}
    assert executor.trouble.startswith("the Ray of this machine has died")


def test_a_models_files_are_brought_and_looked_at_by_each_worker(
    cluster: Machines, make: Make, ask: Callable[..., Request], tmp_path: Path
) -> None:
    bundle = tmp_path / "our_liver"
    shutil.copytree(Path(inference.__file__).parent / "bundles/liver_tumour", bundle)
    asked, executor = ask(0, model={"kind": "bundle", "path": str(bundle)}), make(workers=1)
    with pytest.raises(Unfit, match="Hounsfield"):  # so it was loaded, and has looked
        executor.run(asked, silent)
    (brought,) = (cluster.folder / "models").glob("*/our_liver")
    weights = brought / "models/model.pt"
    assert weights.read_bytes() == (bundle / "models/model.pt").read_bytes()
    weights.write_bytes(b"something else")
    executor.run(ask(213), silent)  # another model takes the only worker
    with pytest.raises(Unfit, match="Hounsfield"):
        executor.run(asked, silent)
    assert weights.read_bytes() == (bundle / "models/model.pt").read_bytes()


def test_jobs_wait_for_a_cluster_that_is_away_and_the_way_out_is_told(
    ask: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    away = RaySettings(address=f"127.0.0.1:{free_port()}")
    with pytest.raises(ClusterError, match=r"no Ray cluster answers at 127\.0\.0\.1:\d+ \(Connection refused\): start"):
        away.knock()
    executor = RayCluster(away)
    job = Job(executor, ask(212))
    job.until_told("wait")
    assert executor.trouble == ""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # this process is part of the tests' cluster
    executor.start()
    until(lambda: executor.trouble)
    assert "start its head, or say under ray.address in node.yaml where it is" in executor.trouble
    executor.stop()
    died = job.end()
    assert isinstance(died, WorkerDied)
    assert died.stopped
