"""The worker process: loads weights, runs requests, tells how far it is.

Each pipe is served by a thread of its own, one request after another; the device they share by turns. So one request is
read, or its answer measured, while another has the device.
Messages to the parent: ("progress", fraction, step), ("result", Result or Explanation), ("error", type name, sentence).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from inference import errors
from inference.executors.base import Report
from inference.executors.quiet import keep_quiet
from inference.executors.residents import Residents
from inference.executors.turns import Device
from inference.explain.explain import explain
from inference.explain.explanation import Explanation
from inference.findings import Result
from inference.material import Material
from inference.own_folder import clear_abandoned
from inference.predict import predict
from inference.request import ExplainRequest, Request

log = logging.getLogger(__name__)

PARENT_CHECK_S = 1.0
DEVICE_FAILED = 70  # exit code


def main(pipes: Sequence[Connection], device: str, parent: int) -> None:
    """Serve requests from `pipes` until they close or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor, which then ends us
    keep_quiet()
    clear_abandoned()  # the one before may have been killed under a job
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    residents, turn = Residents(device), Device()
    threads = [threading.Thread(target=_serve, args=(pipe, residents, turn), daemon=True) for pipe in pipes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _serve(pipe: Connection, residents: Residents, turn: Device) -> None:
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        pipe.send(outcome(partial(answer, request, residents, turn, lambda *told: pipe.send(("progress", *told)))))
        del request


def outcome(work: Callable[[], Any]) -> tuple[Any, ...]:
    """The last message on a piece of work: its result, or what it raised.

    A device that failed fails this process for ever after: it ends, and the job is tried again by one that begins anew.
    Code of a bundle that calls `sys.exit` ends its job; it would end the thread without a word, and the job would wait.
    """
    try:
        return "result", work()
    except (Exception, SystemExit) as error:  # noqa: BLE001 (foreign code: what it raises ends the job, not the worker)
        if _device_failed(error):
            log.critical("the device has failed: %s", str(error).partition("\n")[0])
            os._exit(DEVICE_FAILED)  # no clean end: what is left to be tidied up may wait for the device
        return "error", *_told(error)


def answer(
    request: Request, residents: Residents, turn: Device, report: Report, material: Material | None = None
) -> Result | Explanation:
    """What a request asks for, by the model that is loaded or loads; the device is waited for."""
    backend = residents.known(request) or turn.do(lambda: residents.backend(request), report)
    if isinstance(request, ExplainRequest):
        return turn.do(lambda: explain(request, backend, report, material), report)
    return predict(request, backend, report, material, turn.do)


def _told(error: BaseException) -> tuple[str, str]:
    """An error as its type among ours and a sentence; foreign ones are the model's."""
    if isinstance(error, errors.InferenceError):
        return type(error).__name__, str(error)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    kind = errors.Exhausted if _out_of_memory(error) else errors.ModelError
    where = f" at {Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
    return kind.__name__, f"{type(error).__name__}{where}: {error}"


def _out_of_memory(error: BaseException) -> bool:
    """Whether a device's memory did not suffice; who has not loaded torch has run on none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.OutOfMemoryError)


def _device_failed(error: BaseException) -> bool:
    """Whether a device reports an error that stays, as of a kernel that reached beyond its memory or a lost GPU."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(error, torch.AcceleratorError) and not _out_of_memory(error)


def _end_with_parent(parent: int) -> None:
    """Leave when the parent has died, even in mid-computation: its lease ends and the job runs elsewhere."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)
