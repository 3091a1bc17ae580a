"""What every executor keeps: the same result, errors as types; and what worker processes keep beyond that.

A series whose file is a named pipe keeps a worker reading for as long as a test wants.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from ray_machines import machines

from inference.errors import ModelError, Unfit, WorkerDied
from inference.executors.base import Executor
from inference.executors.inline import Inline
from inference.executors.processes import AT_A_TIME, Processes
from inference.executors.ray_cluster import RayCluster
from inference.executors.turns import WAITS
from inference.findings import Result
from inference.request import ExplainRequest, Request, SeriesFiles
from inference.volume import Grid, Spacing, Volume, regular_affine
from inference.writers.dicom_series import Acquisition, StudyDetails, write_series

THRESHOLD = {"kind": "threshold", "lower": 100, "upper": 200, "label": 1}
PATIENCE_S = 120.0

MakeRequest = Callable[..., Request]


def silent(fraction: float, step: str) -> None:
    """Progress that nobody asks for."""


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> SeriesFiles:
    grid = Grid((4, 16, 16), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(3.0, 1.0, 1.0)))
    array = np.full(grid.shape, -50.0, np.float32)
    array[1:3, 4:9, 5:12] = 150.0
    volume = Volume(array, grid, "HU")
    paths = write_series(volume, Acquisition.ct(StudyDetails.of("executors")), tmp_path_factory.mktemp("series"))
    return SeriesFiles("1.2.3", tuple(paths), tuple(str(number) for number, _ in enumerate(paths)))


@pytest.fixture
def request_of(series: SeriesFiles, tmp_path: Path) -> MakeRequest:
    """A request that finds 70 voxels; keyword arguments change it."""

    def make(**changes: object) -> Request:
        plain = Request("job", "liver_tumour", {"CT": series}, THRESHOLD, tmp_path, time_limit_s=PATIENCE_S)
        return replace(plain, **changes)

    return make


@pytest.fixture
def endless(request_of: MakeRequest, tmp_path: Path) -> MakeRequest:
    """A request that never ends by itself."""
    pipe = tmp_path / "pipe.dcm"
    os.mkfifo(pipe)
    return lambda **changes: request_of(inputs={"CT": SeriesFiles("1.2.3", (pipe,), ("1.2.3.1",))}, **changes)


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    executor = Processes(["cpu"])
    executor.start()
    yield executor
    executor.stop()


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[RayCluster]:
    with machines("only") as cluster:
        executor = RayCluster(cluster.settings(workers=1))
        executor.start()
        yield executor
        executor.stop()


@pytest.fixture(params=["inline", "processes", "ray_cluster"])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param != "inline":
        return request.getfixturevalue(request.param)
    inline = Inline()
    inline.start()
    return inline


class Running:
    """A request that runs in a thread, and how it ended."""

    def __init__(self, executor: Executor, request: Request) -> None:
        self.error: Exception | None = None
        self.result: Result | None = None
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(executor, request), daemon=True)
        self._thread.start()
        assert self._begun.wait(PATIENCE_S), "the request never began"

    def _run(self, executor: Executor, request: Request) -> None:
        try:
            self.result = executor.run(request, lambda *_: self._begun.set())
        except Exception as error:
            self.error = error

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> Exception | None:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the request did not end"
        return self.error


class TestEveryExecutor:
    def test_answers_with_the_same_result(self, executor: Executor, request_of: MakeRequest) -> None:
        told: list[tuple[float, str]] = []
        result = executor.run(request_of(), lambda *progress: told.append(progress))
        assert [(f.label, f.voxels) for f in result.findings] == [("Liver", 70)]
        assert (result.task, result.model.name, result.device) == ("liver_tumour", "threshold", "cpu")
        labelmap = np.load(result.labelmap)
        assert labelmap.shape == result.grid.shape == (4, 16, 16)
        assert labelmap[1:3, 4:9, 5:12].all()
        assert labelmap.sum() == 70
        fractions = [fraction for fraction, _ in told]
        assert fractions == sorted(fractions)
        assert [step for _, step in told if step != WAITS] == ["read", "threshold", "measure"]

    def test_has_a_slot_for_each_job_that_it_takes_at_a_time(self, executor: Executor) -> None:
        assert executor.slots == (1 if isinstance(executor, Inline) else AT_A_TIME)
        assert executor.trouble == ""

    @pytest.mark.parametrize(
        ("changes", "kind", "sentence"),
        [
            ({"inputs": {}}, Unfit, "also needs CT"),
            ({"model": {"kind": "oracle"}}, ModelError, "settings are wrong"),
            ({"model": THRESHOLD | {"label": 9}}, ModelError, r"labels \[9\]"),
            ({"task": "palmistry"}, ModelError, "no task palmistry"),
        ],
    )
    def test_errors_are_types_with_a_sentence(
        self, executor: Executor, request_of: MakeRequest, changes: dict, kind: type[Exception], sentence: str
    ) -> None:
        with pytest.raises(kind, match=sentence):
            executor.run(request_of(**changes), silent)
        assert executor.run(request_of(), silent).findings, "it goes on"


    def test_looks_into_networks_and_says_where_there_is_none(
        self, executor: Executor, series: SeriesFiles, tmp_path: Path
    ) -> None:
        asked = ExplainRequest("job", "liver_tumour", {"CT": series}, THRESHOLD, tmp_path, time_limit_s=PATIENCE_S)
        with pytest.raises(ModelError, match="threshold has no network"):
            executor.explain(asked, silent)


class TestWorkers:
    def test_keep_running_from_job_to_job(self, processes: Processes, request_of: MakeRequest) -> None:
        processes.run(request_of(), silent)
        before = processes.pids()
        processes.run(request_of(), silent)
        assert processes.pids() == before

    def test_what_foreign_code_raises_is_the_models_error(
        self, processes: Processes, request_of: MakeRequest, tmp_path: Path
    ) -> None:
        before = processes.pids()
        with pytest.raises(ModelError, match=r"FileNotFoundError at \w+\.py:\d+"):
            processes.run(request_of(scratch=tmp_path / "nowhere"), silent)
        assert processes.pids() == before, "the worker survives it"

    def test_a_killed_worker_is_told_and_replaced(
        self, processes: Processes, request_of: MakeRequest, endless: MakeRequest
    ) -> None:
        running = Running(processes, endless())
        victim = processes.pids()["cpu"]
        os.kill(victim, signal.SIGKILL)
        died = running.end()
        assert isinstance(died, WorkerDied)
        assert str(died) == "the worker on cpu ended under the job (signal 9)"
        assert (died.timed_out, died.stopped) == (False, False)
        assert processes.run(request_of(), silent).findings
        assert processes.pids()["cpu"] != victim

    def test_a_worker_that_dies_between_jobs_costs_nothing(
        self, processes: Processes, request_of: MakeRequest
    ) -> None:
        processes.run(request_of(), silent)
        victim = psutil.Process(processes.pids()["cpu"])
        victim.kill()
        until_gone(victim)
        time.sleep(0.5)  # its last threads may outlive what the system shows of it
        assert processes.run(request_of(), silent).findings

    def test_a_job_past_its_time_has_its_worker_killed(
        self, processes: Processes, request_of: MakeRequest, endless: MakeRequest
    ) -> None:
        processes.run(request_of(), silent)
        victim = psutil.Process(processes.pids()["cpu"])
        with pytest.raises(WorkerDied, match=r"time limit of 0\.3 s") as caught:
            processes.run(endless(time_limit_s=0.3), silent)
        assert caught.value.timed_out
        assert not victim.is_running()
        assert processes.run(request_of(), silent).findings

    def test_telling_progress_does_not_lengthen_a_jobs_time(
        self, processes: Processes, request_of: MakeRequest
    ) -> None:
        with pytest.raises(WorkerDied, match="time limit"):
            processes.run(request_of(time_limit_s=5), lambda *_: time.sleep(5.1))

    def test_an_answer_that_nobody_waited_for_is_not_the_next_jobs(
        self, processes: Processes, request_of: MakeRequest
    ) -> None:
        def report(fraction: float, step: str) -> None:
            raise RuntimeError("whoever listens has failed")

        with pytest.raises(RuntimeError, match="has failed"):
            processes.run(request_of(), report)
        result = processes.run(request_of(model=THRESHOLD | {"lower": -100}), silent)
        assert [f.voxels for f in result.findings] == [4 * 16 * 16]

    def test_a_job_runs_beside_one_that_still_reads(
        self, processes: Processes, request_of: MakeRequest, endless: MakeRequest
    ) -> None:
        reading = Running(processes, endless())
        before = processes.pids()
        assert processes.run(request_of(job_id="other"), silent).findings
        assert processes.pids() == before
        os.kill(before["cpu"], signal.SIGKILL)
        assert isinstance(reading.end(), WorkerDied)

    def test_a_worker_that_is_killed_for_one_job_is_no_fault_of_the_other(
        self, processes: Processes, endless: MakeRequest
    ) -> None:
        innocent = Running(processes, endless(job_id="innocent"))
        with pytest.raises(WorkerDied, match="time limit"):
            processes.run(endless(job_id="slow", time_limit_s=0.3), silent)
        died = innocent.end()
        assert isinstance(died, WorkerDied)
        assert (died.stopped, str(died)) == (True, "the worker on cpu was ended for another job")

    def test_of_jobs_under_which_a_worker_died_each_is_by_itself_the_next_time(
        self, processes: Processes, request_of: MakeRequest, endless: MakeRequest
    ) -> None:
        first, second = (Running(processes, endless(job_id=name)) for name in ("first", "second"))
        os.kill(processes.pids()["cpu"], signal.SIGKILL)
        assert [died.stopped for died in (first.end(), second.end()) if isinstance(died, WorkerDied)] == [False, False]
        processes.run(request_of(job_id="third"), silent)
        other = Running(processes, endless(job_id="other", time_limit_s=1))
        assert processes.run(request_of(job_id="first"), silent).findings
        assert other.over, "it waits until the worker has nothing else"

    def test_stopping_ends_them_and_is_no_fault_of_the_job(
        self, request_of: MakeRequest, endless: MakeRequest
    ) -> None:
        executor = Processes(["cpu"])
        executor.start()
        running = Running(executor, endless())
        worker = psutil.Process(executor.pids()["cpu"])
        executor.stop()
        assert not worker.is_running()
        died = running.end()
        assert isinstance(died, WorkerDied)
        assert died.stopped
        with pytest.raises(WorkerDied, match="stopped"):
            executor.run(request_of(), silent)
        assert executor.pids() == {}


NODE = """
import pickle, sys
from inference.executors.processes import AT_A_TIME, Processes

if __name__ == "__main__":
    executor = Processes(["cpu"])
    executor.start()
    result = executor.run(pickle.load(sys.stdin.buffer), lambda *_: None)
    print(executor.pids()["cpu"], len(result.findings), "torch" in sys.modules, flush=True)
    executor.run(pickle.load(sys.stdin.buffer), lambda *_: None)
"""


def test_workers_die_with_their_parent_which_never_loads_torch(
    request_of: MakeRequest, endless: MakeRequest
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", NODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent:
        for request in (request_of(), endless()):
            pickle.dump(request, parent.stdin)
        parent.stdin.flush()
        pid, findings, torch = parent.stdout.readline().split()
        worker = psutil.Process(int(pid))
        parent.kill()
    assert (findings, torch) == (b"1", b"False")
    until_gone(worker)


def until_gone(process: psutil.Process) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the process lives on"
        time.sleep(0.05)
