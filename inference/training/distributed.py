"""One run on several devices: `torchrun --nproc-per-node=N -m dicom_node train CONFIGURATION`.

Every process draws its own patches and has the same weights (DistributedDataParallel); the first one judges, writes and
decides for all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")
PATIENCE = timedelta(hours=12)  # the others wait while the first judges whole cases
# Gloo's threads take the GIL to let go of their last tensors, and outlive their group. An interpreter that ends
# meanwhile aborts (exit code -6), and torchrun calls the whole run a failure (pytorch pull request 179291).
LAST_TENSORS_S = 0.2


@dataclass(frozen=True)
class World:
    """Which process of how many this one is, and its device."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether it judges and writes."""
        return self.rank == 0

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over all processes."""
        if self.size == 1:
            return network
        return DistributedDataParallel(network, [self.device] if self.device.startswith("cuda") else None)

    def decided(self, value: Value) -> Value:
        """The first process's value, in every process."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]


@contextmanager
def joined() -> Iterator[World]:
    """The world that torchrun made, or one process on the device that is here."""
    cuda = torch.cuda.is_available()
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(device="cuda" if cuda else "cpu")
        return
    local = int(os.environ["LOCAL_RANK"])
    if cuda:
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)
    try:
        yield World(distributed.get_rank(), size, f"cuda:{local}" if cuda else "cpu")
    finally:
        distributed.destroy_process_group()
        if not cuda:
            time.sleep(LAST_TENSORS_S)
