"""A Ray cluster of several machines on this one: a raylet each, with CPUs by declaration."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inference.executors.ray_door import ENVIRONMENT
from inference.executors.ray_settings import RaySettings

STORE_BYTES = 100 * 2**20
SUPPORT = Path(__file__).resolve().parent


class Machines:
    """The head, where a test's own process is and the archive would be, and the machines beside it.

    The head declares a GPU, which it has not: for models that need none.
    """

    def __init__(self, folder: Path, head: str, cpus: int) -> None:
        from ray.cluster_utils import Cluster

        self.folder = folder
        whole = _machine(head, cpus) | {"num_gpus": 1, "include_dashboard": False, "temp_dir": str(folder)}
        self._cluster = Cluster(initialize_head=True, head_node_args=whole)
        self._nodes: dict[str, Any] = {}

    def add(self, name: str, cpus: int = 2) -> None:
        """One more; workers may ask for it by its name as a resource."""
        self._nodes[name] = self._cluster.add_node(**_machine(name, cpus))

    def lose(self, name: str) -> None:
        """Have it vanish, as a power cut does."""
        self._cluster.remove_node(self._nodes.pop(name), allow_graceful=False)

    def settings(self, **asked: Any) -> RaySettings:
        """Those of an executor on this cluster."""
        plain = {"address": self._cluster.address, "gpus": 0, "models_folder": self.folder / "models"}
        return RaySettings(**{**plain, **asked})

    def close(self) -> None:
        import ray

        ray.shutdown()
        self._cluster.shutdown()


def _machine(name: str, cpus: int) -> dict[str, Any]:
    return {"num_cpus": cpus, "num_gpus": 0, "resources": {name: 100}, "object_store_memory": STORE_BYTES}


@contextmanager
def machines(head: str, *others: str, cpus: int = 2, held: Path | None = None) -> Iterator[Machines]:
    """A cluster with so many CPUs a machine; its `threshold` models are held where `held` says (tests/support/held)."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # not pytest's own, whose name is too long for a socket's
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    environment = dict(os.environ)
    os.environ.update(ENVIRONMENT, RAY_TMPDIR=str(folder))  # where the newest cluster's address is noted: not for all
    (folder / "ray").mkdir()
    if held is not None:
        path = os.pathsep.join((str(SUPPORT / "held"), os.environ.get("PYTHONPATH", "")))
        os.environ.update(SEGNODE_HELD=str(held), PYTHONPATH=path)
    try:
        cluster = Machines(folder, head, cpus)
        try:
            for name in others:
                cluster.add(name, cpus)
            yield cluster
        finally:
            cluster.close()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.environ.clear()
        os.environ.update(environment)
        shutil.rmtree(folder)
