"""The worker process: loads weights, runs requests one after another, tells how far it is.

Messages to the parent: ("progress", fraction, step), ("result", Result or Explanation), ("error", type name, sentence).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

from inference import errors
from inference.executors.residents import Residents
from inference.explain.explain import explain
from inference.predict import predict
from inference.request import ExplainRequest

PARENT_CHECK_S = 1.0


def main(pipe: Connection, device: str, parent: int) -> None:
    """Serve requests from `pipe` until it closes or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor, which then ends us
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    residents = Residents(device)
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        try:
            run = explain if isinstance(request, ExplainRequest) else predict
            result = run(request, residents.backend(request), lambda *told: pipe.send(("progress", *told)))
        except Exception as error:  # noqa: BLE001 (foreign model code: whatever it raises ends the job, not the worker)
            pipe.send(("error", *_told(error)))
        else:
            pipe.send(("result", result))


def _told(error: Exception) -> tuple[str, str]:
    """An error as its type among ours and a sentence; foreign ones are the model's."""
    if isinstance(error, errors.InferenceError):
        return type(error).__name__, str(error)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
    return errors.ModelError.__name__, f"{type(error).__name__}{where}: {error}"


def _end_with_parent(parent: int) -> None:
    """Leave when the parent has died, even in mid-computation: its lease ends and the job runs elsewhere."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)
