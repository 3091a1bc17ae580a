"""The one place that imports Ray: joining a cluster, starting actors there, waiting for what they say."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import Any

import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from inference.errors import ClusterError
from inference.executors.ray_settings import RaySettings

log = logging.getLogger(__name__)

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent to its makers
    "RAY_ENABLE_AUTO_CONNECT": "0",  # it joins no other cluster than the one that is named
    "RAY_DEDUP_LOGS": "0",
    "RAY_COLOR_PREFIX": "0",
}
FAULTS = (exceptions.RayError, StopIteration)

_joining = threading.Lock()


@dataclass(frozen=True)
class Needs:
    """What an actor asks its machine for; `here`: that it be this machine."""

    cpus: float = 0.0
    gpus: float = 0.0
    resources: tuple[tuple[str, float], ...] = ()
    threads: int = 1
    here: bool = False

    def __str__(self) -> str:
        gpus = f"{self.gpus:g} of a GPU, " if self.gpus else ""
        return f"{gpus}{self.cpus:g} CPUs" + "".join(f", {amount:g} {name}" for name, amount in self.resources)


def join(settings: RaySettings) -> None:
    """Make this process part of the cluster, if it is not yet; ClusterError says what to do where it cannot be."""
    with _joining:
        if ray.is_initialized():
            return
        settings.knock()
        os.environ.update(ENVIRONMENT)
        chatter = logging.getLogger("ray")
        level = chatter.level
        chatter.setLevel(logging.ERROR)  # it would rather handle our signals
        try:
            ray.init(address=settings.address, namespace=settings.namespace, configure_logging=False)
        except (exceptions.RayError, OSError, RuntimeError, ValueError) as fault:
            why = str(fault).strip().partition("\n")[0]
            raise ClusterError(
                f"this machine cannot join the Ray cluster at {settings.address}: {why}. Where no Ray runs here yet: "
                f"`ray start --address={settings.address} --num-gpus=0`"
            ) from fault
        finally:
            chatter.setLevel(level)
        log.info("joined the Ray cluster", extra={"address": settings.address})


def is_lost() -> bool:
    """Whether the Ray of this machine is gone, so that nothing more comes of it in this process."""
    own = ray.get_runtime_context().get_node_id()
    try:
        return not any(node["Alive"] for node in ray.nodes() if node["NodeID"] == own)
    except exceptions.RayError:  # the head does not answer; if it never does, Ray ends this process
        return False


def has_gpus() -> bool:
    """Whether the cluster has any now."""
    return bool(ray.cluster_resources().get("GPU"))


def start(kind: type, needs: Needs, *args: Any) -> Any:
    """An actor of that class; it may have to wait for its machine."""
    actor = ray.remote(kind).options(
        num_cpus=needs.cpus,
        num_gpus=needs.gpus,
        resources=dict(needs.resources),
        max_concurrency=needs.threads,
        max_restarts=0,
        max_task_retries=0,
        scheduling_strategy=_here() if needs.here else "DEFAULT",
    )
    return actor.remote(*args)


def put(value: Any) -> Any:
    """Have the object store hold it for as long as the reference to it is kept."""
    return ray.put(value)


def waited(reference: Any, until: float) -> bool:
    """Whether it is there by `until` (of `time.monotonic`); it stays where it is."""
    ready, _ = ray.wait([reference], timeout=max(0.0, until - time.monotonic()), fetch_local=False)
    return bool(ready)


def got(reference: Any) -> Any:
    """What it stands for; raises one of FAULTS."""
    return ray.get(reference)


def read(reader: Any, request: Any) -> tuple[Any, Any]:
    """Have a reader `read`: references to its last word and to what it read."""
    told, images = reader.read.options(num_returns=2).remote(request)
    return told, images


def asked(actor: Any, *args: Any) -> Any:
    """Have an actor `answer`; what it says comes one by one."""
    return actor.answer.options(num_returns="streaming").remote(*args)


def said(answer: Any, until: float | None) -> Any:
    """The next that an actor says; TimeoutError where nothing has come `until` then, one of FAULTS where it died."""
    timeout = None if until is None else max(0.0, until - time.monotonic())
    if not ray.wait([answer], timeout=timeout)[0]:
        raise TimeoutError
    return ray.get(next(answer))


def kill(actor: Any) -> None:
    """End an actor now, whatever it does."""
    ray.kill(actor)


def epitaph(fault: Exception) -> str:
    """How an actor ended, in a few words that quote nobody."""
    told = {
        exceptions.ActorUnavailableError: "its machine does not answer",
        exceptions.OutOfMemoryError: "its machine ran out of memory",
        exceptions.NodeDiedError: "its machine is gone",
    }
    return next((words for kind, words in told.items() if isinstance(fault, kind)), "its process is gone")


def _here() -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
