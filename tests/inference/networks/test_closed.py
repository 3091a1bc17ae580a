"""A program that came with its weights fails as any network does: memory of the device is told as such."""

import pytest
import torch
from torch import nn

from inference.networks.closed import Closed

IN_TORCHSCRIPT = "The following operation failed in the TorchScript interpreter.\nRuntimeError: "


class Failing(nn.Module):
    """Fails as TorchScript does, which knows of RuntimeError alone (pytorch issue 148642)."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        raise RuntimeError(IN_TORCHSCRIPT + self.reason)


def test_memory_that_does_not_suffice_is_told_as_such():
    with pytest.raises(torch.OutOfMemoryError, match="Tried to allocate 20"):
        Closed(Failing("CUDA out of memory. Tried to allocate 20.00 GiB."))(torch.zeros(1, 1, 2, 2, 2))


def test_other_faults_stay_what_they_are():
    with pytest.raises(RuntimeError, match="must match") as told:
        Closed(Failing("The size of tensor a must match the size of tensor b."))(torch.zeros(1, 1, 2, 2, 2))
    assert not isinstance(told.value, torch.OutOfMemoryError)
