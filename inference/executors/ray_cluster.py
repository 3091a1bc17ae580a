"""Inference on a Ray cluster: a pool of actors a model, weights resident, wherever Ray finds room.

Images are read by an actor on this machine, which has the archive, and go to the workers through Ray's object store;
masks come back the same way, and a model's files are brought to each machine once. So the machines of the workers need
this program and nothing else of ours: no database, no archive, no models.

A cluster that is away, or has no room, is waited for. The jobs wait too, and their time does not run. Who was part of a
cluster that went away cannot join again in the same process: Ray ends it when the head has been away for a minute, and
we do where the Ray of this machine has died. The pipeline is then started anew, and waits.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from inference.errors import ClusterError, Exhausted, WorkerDied, error_named
from inference.executors import ray_door
from inference.executors.base import OneWay, Report
from inference.executors.carried import without_files
from inference.executors.devices import numbered
from inference.executors.gpu_shares import Share
from inference.executors.pools import Place, Pools
from inference.executors.processes import AT_A_TIME
from inference.executors.ray_settings import RaySettings
from inference.executors.remote import Answer, Model, RemoteReader, RemoteWorker, Whereabouts, version
from inference.executors.residents import settings_of
from inference.executors.shelf import digest_of_files, files_of
from inference.executors.turns import WAITS
from inference.material import save
from inference.request import Request

log = logging.getLogger(__name__)

TRY_AGAIN_S = 10.0
LOOK_EVERY_S = 1.0
SEE_EVERY_S = 10.0  # whether this machine is still part of the cluster
LATE_S, LATE_MAX_S = 30.0, 600.0  # a worker that has no machine by then has others make room, again and again


@dataclass(eq=False)
class Hand:
    """An actor of ours. `fate`: "died" by itself, or "ended" by us for a job, which is no fault of the others."""

    actor: Any
    at: Whereabouts
    share: float = 0.0
    fate: str = ""

    @property
    def where(self) -> str:
        """In words."""
        return f"{self.at.device} of {self.at.host}"

    def lost(self, fault: Exception) -> WorkerDied:
        """What became of a job that it had."""
        self.fate = self.fate or "died"
        if self.fate == "ended":
            return WorkerDied(f"the worker on {self.where} was ended for another job", stopped=True)
        return WorkerDied(f"the worker on {self.where} ended under the job ({ray_door.epitaph(fault)})")

    def end(self) -> None:
        """Kill it, whatever it does."""
        self.fate = self.fate or "ended"
        ray_door.kill(self.actor)


@dataclass(frozen=True, eq=False)
class Known:
    """A model: how a worker runs it, where its files are here, and what it takes of a GPU."""

    model: Model
    path: Path | None
    share: Share


@dataclass(eq=False)
class RayCluster(OneWay):
    """Runs requests on the workers of a cluster. `trouble`: why they wait, where that is the cluster's fault."""

    settings: RaySettings
    trouble: str = ""
    _models: dict[str, Known] = field(default_factory=dict)
    _suspects: set[str] = field(default_factory=set)  # jobs under which a worker died: they have one to themselves
    _reader: Hand | None = None
    _reading: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _joined: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._pools: Pools[Hand] = Pools(self.settings.workers, AT_A_TIME, self._open, Hand.end)

    @property
    def slots(self) -> int:
        """Several a worker, of as many workers as there may be: no more jobs than these are in flight."""
        return self.settings.workers * AT_A_TIME

    def pids(self) -> dict[str, int]:
        """Process ids by device and machine; with them the reader's, which is on this one."""
        hands = [*self._pools.workers(), *([self._reader] if self._reader else [])]
        return numbered((hand.where, hand.at.pid) for hand in hands)

    def start(self) -> None:
        """Join the cluster as soon as it is there."""
        threading.Thread(target=self._look_after, name="cluster", daemon=True).start()

    def stop(self) -> None:
        """End every actor of ours; whatever runs there, or comes later, ends with `WorkerDied`."""
        self._stopped.set()
        self._joined.set()
        self._pools.stop()
        with self._reading:
            if self._reader is not None:
                self._reader.end()
                self._reader = None

    def _look_after(self) -> None:
        """Join; then end workers that have had nothing to do for long, and this process where the cluster is lost."""
        while not self._joined.is_set():
            try:
                ray_door.join(self.settings)
            except ClusterError as away:
                self._tell(str(away))
                self._stopped.wait(TRY_AGAIN_S)
            else:
                self._tell("")
                self._joined.set()
        seen = time.monotonic()
        while not self._stopped.wait(LOOK_EVERY_S):
            self._pools.close_idle(time.monotonic() - self.settings.idle_s)
            if time.monotonic() - seen > SEE_EVERY_S:
                seen = time.monotonic()
                if ray_door.is_lost():
                    self._tell("the Ray of this machine has died: start it again with `ray start`, as before")
                    signal.raise_signal(signal.SIGTERM)
                    return

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            log.warning("jobs wait: %s", trouble)
        self.trouble = trouble

    def _answer(self, request: Request, report: Report) -> Any:
        """On a worker that has the model, or gets it."""
        key = self._key_of(request)
        if not self._joined.is_set():
            report(0.0, WAITS)
            self._joined.wait()
        while True:
            try:
                return self._once(key, request, report)
            except WorkerDied as died:
                if self._stopped.is_set():
                    raise WorkerDied("the node was stopped under the job", stopped=True) from died
                if not died.stopped:
                    self._suspects.add(request.job_id)
                raise
            except _Cramped:
                log.info("part of a GPU did not suffice; it runs again on a whole one", extra={"job": request.job_id})

    def _once(self, key: str, request: Request, report: Report) -> Any:
        """Of jobs that shared a worker nobody knows which one killed it; each is by itself the next time."""
        known, alone = self._models[key], request.job_id in self._suspects
        waits = partial(report, 0.0, WAITS)
        with self._pools.taken(key, priority=request.priority, alone=alone, waits=waits) as place:
            assert place.worker is not None  # it is open, or it was not taken
            hand = place.worker
            try:
                answer = self._run(place, hand, request, report)
            except Exhausted as fault:
                if not 0 < hand.share < 1 or known.share.fixed is not None:
                    raise
                known.share.too_little()
                self._pools.retire(place)
                raise _Cramped from fault
            if answer.gpu_share is not None:
                known.share.learn(answer.gpu_share)
                if known.share.wanted < hand.share:
                    self._pools.retire(place)  # what it does not need is for others
        self._suspects.discard(request.job_id)
        for name, array in answer.masks.items():
            save(request.scratch, name, array)
        return answer.answer

    def _run(self, place: Place[Hand], hand: Hand, request: Request, report: Report) -> Answer:
        """The worker's last word. Without one it is ended, lest it work on what nobody waits for."""
        deadline = time.monotonic() + request.time_limit_s
        report(*(told := (0.02, "read")))
        images = self._read(request, deadline)
        with ExitStack() as unanswered:
            unanswered.callback(self._give_up, place, hand)
            try:
                talk = ray_door.asked(hand.actor, without_files(request), images)
                kind, *said = ray_door.said(talk, deadline)
                while kind == "progress":
                    if tuple(said) != told:
                        report(*(told := tuple(said)))
                    since = time.monotonic()
                    waiting = told[-1] == WAITS  # for whoever has the device and a time limit of its own
                    kind, *said = ray_door.said(talk, None if waiting else deadline)
                    deadline += time.monotonic() - since if waiting else 0.0
            except ray_door.FAULTS as fault:
                raise hand.lost(fault) from fault
            except TimeoutError as late:
                raise WorkerDied.at_limit(request.time_limit_s) from late
            unanswered.pop_all()
        if kind == "error":
            raise error_named(*said)
        answer: Answer = said[0]
        return answer

    def _give_up(self, place: Place[Hand], hand: Hand) -> None:
        hand.fate = hand.fate or "ended"
        self._pools.drop(place)

    def _read(self, request: Request, deadline: float) -> Any:
        """A reference to what the request's files hold; the images do not come into this process."""
        reader = self._reader_of_now()
        told, images = ray_door.read(reader.actor, request)
        try:
            if not ray_door.waited(told, deadline):
                self._without(reader)
                raise WorkerDied.at_limit(request.time_limit_s)
            kind, *said = ray_door.got(told)
        except ray_door.FAULTS as fault:
            died = reader.lost(fault)
            self._without(reader)
            raise died from fault
        if kind == "error":
            raise error_named(*said)
        return images

    def _reader_of_now(self) -> Hand:
        with self._reading:
            if self._stopped.is_set():
                raise WorkerDied("the node was stopped under the job", stopped=True)
            if self._reader is None:
                actor = ray_door.start(RemoteReader, ray_door.Needs(threads=self.slots, here=True))
                try:
                    self._reader = Hand(actor, ray_door.got(actor.begin.remote()))
                except ray_door.FAULTS as fault:
                    raise WorkerDied(f"the reader did not start ({ray_door.epitaph(fault)})", stopped=True) from fault
            return self._reader

    def _without(self, reader: Hand) -> None:
        """Go on with another reader than this one."""
        reader.end()
        with self._reading:
            if self._reader is reader:
                self._reader = None

    def _key_of(self, request: Request) -> str:
        """That of the model's pool; raises `ModelError` where its files are not what they should be."""
        settings, key = settings_of(request)
        if key not in self._models:
            path = getattr(settings, "path", None)
            model = Model(request.model, path.name, digest_of_files(path)) if path else Model(request.model)
            fixed = None if self.settings.gpus == "auto" else self.settings.gpus
            self._models[key] = Known(model, path, Share(fixed))
        return key

    def _open(self, place: Place[Hand]) -> Hand:
        """A worker for a place, as soon as there is room for it; raises what is the model's fault."""
        while self._pools.wanted(place):
            try:
                hand = self._opened(place, self._models[place.key])
            except (ClusterError, *ray_door.FAULTS) as fault:
                self._tell(str(fault) if isinstance(fault, ClusterError) else ray_door.epitaph(fault))
                self._stopped.wait(TRY_AGAIN_S)
            else:
                self._tell("")
                log.info("worker started", extra={"device": hand.where, "pid": hand.at.pid})
                return hand
        raise WorkerDied("the worker is not wanted any more", stopped=True)

    def _opened(self, place: Place[Hand], known: Known) -> Hand:
        asked = self.settings
        share = known.share.wanted if asked.gpus != "auto" or ray_door.has_gpus() else 0.0
        needs = ray_door.Needs(asked.cpus, share, tuple(asked.resources.items()), AT_A_TIME + 1)
        device = "cuda:0" if share else "cpu"  # Ray shows an actor its own GPUs only
        actor = ray_door.start(RemoteWorker, needs, known.model, device, share, asked.models_folder)
        with ExitStack() as failed:
            failed.callback(ray_door.kill, actor)
            begun = actor.begin.remote()
            self._wait_for_room(place, begun, needs)
            at: Whereabouts = ray_door.got(begun)
            if at.version != version():
                raise ClusterError(
                    f"{at.host} has segnode {at.version}, this machine {version()}: install the same on both"
                )
            if at.lacks and known.path is not None:
                named = [(name, ray_door.put(content)) for name, content in files_of(known.path)]
                kind, *said = ray_door.got(actor.bring.remote([name for name, _ in named], *(one for _, one in named)))
                if kind == "error":
                    raise error_named(*said)
            failed.pop_all()
        return Hand(actor, at, share)

    def _wait_for_room(self, place: Place[Hand], begun: Any, needs: ray_door.Needs) -> None:
        """Until Ray has found a machine; now and then others are asked to make room."""
        patience, since = LATE_S, time.monotonic()
        while not ray_door.waited(begun, time.monotonic() + LOOK_EVERY_S):
            if not self._pools.wanted(place):
                raise WorkerDied("the worker is not wanted any more", stopped=True)
            if time.monotonic() - since > patience:
                self._tell(f"a worker that asks for {needs} does not start: is there room on the Ray cluster?")
                self._pools.late(place)
                patience, since = min(2 * patience, LATE_MAX_S), time.monotonic()


class _Cramped(Exception):
    """A model found too little memory on its part of a GPU."""
