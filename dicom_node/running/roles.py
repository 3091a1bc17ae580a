"""The roles of `segnode serve`: what runs in each process until it is told to stop."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from dicom_node.assembly import (
    Parts,
    audit_sender,
    cleaner,
    destination_tls,
    executor,
    owner,
    server,
    stages,
)
from dicom_node.errors import NodeError
from dicom_node.log import setup
from dicom_node.running.gpus import Gpus
from dicom_node.running.heartbeat import Heartbeat
from dicom_node.running.reload import Watch, follow
from dicom_node.running.standing_by import StandingBy
from dicom_node.storing import watermarks
from dicom_node.this_process import this_process
from dicom_node.witness import participants
from storage.errors import StorageError

log = logging.getLogger(__name__)

LEFTOVERS_EVERY_S = 3600
TRACES_EVERY_S = 10


def receive(parts: Parts, stop: threading.Event, heartbeat: Heartbeat) -> None:
    """Take instances by C-STORE; never opens pixels."""
    node, ear = parts.settings.node, server(parts)
    try:
        ear.start()
    except OSError as error:
        raise NodeError(f"cannot listen on {node.ears}: {error.strerror}") from error
    heartbeat.tell("tls", ear.tls_states)
    gc.freeze()  # all that is there by now stays; the collector need not walk over it at every hundredth image

    def adopt(new: Parts) -> None:
        node = new.settings.node
        ear.adopt(node, frozenset(node.known_peers), new.revision)

    try:
        follow(Watch(parts), stop, heartbeat, adopt)
    finally:
        ear.stop()


def pipeline(parts: Parts, stop: threading.Event, heartbeat: Heartbeat) -> None:
    """Complete, dispatch, infer and deliver, each stage in a thread, models elsewhere."""
    from dicom_node.checking.fits import tell_unfit
    from dicom_node.models.trials import trials
    from dicom_node.pipeline.loop import Crew, idle_max_s

    run, watch, crew = executor(parts.settings), Watch(parts), Crew()
    if (ear := parts.database.ear(crew.wake)) is not None:
        crew.idle_s = idle_max_s(parts.settings.node.quiet_s)
        ear.start()
    run.start()
    gpus = Gpus()
    gpus.start(stop)
    heartbeat.tell("gpus", gpus.state)
    heartbeat.tell("workers", run.pids)
    heartbeat.tell("executor", lambda: {"trouble": run.trouble})
    heartbeat.tell("tls", lambda: destination_tls(watch.parts))

    def work(parts: Parts) -> None:
        asked = (parts.settings.destinations(), parts.database, parts.revision)
        threading.Thread(target=tell_unfit, args=asked, name="profiles", daemon=True).start()
        parts.audit.know(participants(parts.settings.destinations()))
        crew.take_over([*stages(parts, run), *trials(parts)])

    try:
        work(parts)
        follow(watch, stop, heartbeat, work)
    finally:
        deadline = time.monotonic() + parts.settings.node.drain_s
        crew.tell_to_stop()
        run.stop()
        crew.stop(max(0.0, deadline - time.monotonic()))
        if ear is not None:
            ear.stop()
        hand_back(parts)


def hand_back(parts: Parts) -> None:
    """Let others take at once what this process holds and will not end."""
    try:
        with parts.database.transaction() as tx:
            handed = tx.handover.of(f"{this_process()}:")
    except StorageError as trouble:
        log.warning("leases run out by themselves, they could not be handed back: %s", trouble)
    else:
        if handed:
            log.info("leases handed back", extra={"leases": handed})


def clock(parts: Parts, stop: threading.Event, heartbeat: Heartbeat) -> None:
    """Recovery, retention and the disk by the clock, and what the console's list of the trail needs; one at a time."""
    from dicom_node.acts.people import forget
    from dicom_node.alerts.watch import chores as watching
    from dicom_node.audit.ledger import forget as forget_records
    from dicom_node.running.clock import Chore, Clock, keep
    from dicom_node.running.upkeep import Upkeep
    from dicom_node.tracing.follow import Traces
    from storage.upkeep.leftovers import drop_leftovers

    watch = Watch(parts)
    threading.Thread(target=follow, args=(watch, stop, heartbeat), name="configuration", daemon=True).start()

    def upkeep(stopping: Callable[[], bool]) -> Upkeep:
        cleans = replace(cleaner(watch.parts), ages=parts.ages)
        return Upkeep(cleans, watermarks(parts.settings), stopping=stopping)

    def leftovers() -> None:
        now = parts.ages(time.time())
        forget(parts, now)
        forget_records(parts.database, now, watch.parts.settings.node.audit.listed_days)
        drop_leftovers(parts.database, now)

    chores = [Chore("leftovers", LEFTOVERS_EVERY_S, lambda: keep(leftovers))]
    chores += watching(lambda: watch.parts, owner("clock"))
    if (tracing := parts.settings.node.tracing) is not None:
        traces = Traces(parts.database, tracing, parts.settings.node.ae_title)

        def steps() -> None:
            traces.step(time.time())

        chores.append(Chore("traces", TRACES_EVERY_S, lambda: keep(steps)))
    def work(over: threading.Event) -> None:
        most = parts.settings.node.max_crashes
        Clock(parts.database, parts.archive, most, lambda: watch.parts.revision, upkeep, chores).run(over)

    turn = StandingBy(parts.database.sole("clock"), work)
    heartbeat.tell("active", lambda: turn.active)
    turn.run(stop)


def web(parts: Parts, stop: threading.Event, heartbeat: Heartbeat) -> None:
    """The console and the API, for people and programs."""
    from dicom_node.web.server import serve

    serve(parts, stop, heartbeat)


ROLES: dict[str, Callable[[Parts, threading.Event, Heartbeat], None]] = {
    "receive": receive,
    "pipeline": pipeline,
    "web": web,
    "clock": clock,
}


def run_role(name: str, parts: Parts) -> None:
    """Run one role until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    setup(parts.settings.logging)
    heartbeat = Heartbeat(parts.database, name, parts.counts)
    heartbeat.tell("revision", lambda: parts.revision)
    heartbeat.tell("audit", parts.audit.state)
    if (sender := audit_sender(parts)) is not None:
        heartbeat.tell("audit_sender", sender.state)
        sender.start()
    heartbeat.tell("clock_ahead_s", parts.database.clock_ahead_s)
    heartbeat.start()
    log.info("role runs", extra={"role": name, "pid": os.getpid(), "host": socket.gethostname()})
    parts.audit.started()
    failure = "a fault that nobody foresaw"
    try:
        ROLES[name](parts, stop, heartbeat)
        failure = ""
    except (NodeError, StorageError) as error:
        failure = str(error)
        raise
    finally:
        parts.audit.stopped(failure)
        heartbeat.stop()
        parts.close()
        if sender is not None:
            sender.stop()
