"""Trainings in processes of their own, killed by SIGKILL where a test wants it.

They fork from a server that has loaded torch once, so that each starts at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["inference.training.run", "torch._dynamo"])  # the latter is loaded by an optimizer
LIMIT_S = 100.0


def train_apart(configuration: Path, bundle: Path, cache: Path, kill_at: int | None = None) -> list[int]:
    """Train in another process, kill it once it has made this step; the steps that it made.

    It tells each step that it has made and waits for leave to go on: it dies in mid-run however slow the machine is.
    """
    ours, theirs = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_train, args=(configuration, bundle, cache, theirs))
    process.start()
    theirs.close()
    try:
        steps = []
        for step in _told(ours):
            steps.append(step)
            if step == kill_at:
                break
            ours.send("go on")
        else:
            process.join(LIMIT_S)
    finally:
        process.kill()
        process.join()
    assert process.exitcode == (0 if kill_at is None else -signal.SIGKILL)
    return steps


def die_saving(path: Path) -> None:
    """Write a checkpoint in another process that dies in the middle of that."""
    process = CONTEXT.Process(target=_save, args=(path,))
    process.start()
    process.join(LIMIT_S)
    assert process.exitcode == -signal.SIGKILL


def _told(leash: Connection) -> Iterator[int]:
    while leash.poll(LIMIT_S):
        try:
            yield leash.recv()
        except EOFError:  # it has ended
            return
    raise TimeoutError(f"no step in {LIMIT_S:g} s")


def _train(configuration: Path, bundle: Path, cache: Path, leash: Connection) -> None:
    from inference.training import run

    class Leashed(run.Board):
        def step(self, step: int, loss: float, rate: float) -> None:
            leash.send(step)
            leash.recv()

    run.Board = Leashed  # type: ignore[misc]
    run.train(configuration, bundle, cache, workers=1)


class _Fatal:
    def __reduce__(self) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return "never"


def _save(path: Path) -> None:
    from inference.training import checkpoint

    checkpoint.save(path, {"step": 2, "weights": _Fatal()})
