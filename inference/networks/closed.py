"""A network whose program came with its weights: it is run as it was traced."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import nn


class Closed(nn.Module):
    """Takes (batch, channel, z, y, x) and gives the first answer of `program`.

    A traced program may count on the memory layout and the mode that it was traced in, so that neither is changed.
    """

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, channel, z, y, x); OutOfMemoryError where the device's memory does not suffice."""
        try:
            answer: Any = self.program(x.contiguous())
        except RuntimeError as fault:
            if "CUDA out of memory" not in str(fault):
                raise
            # TorchScript tells everything as a plain RuntimeError (pytorch issue 148642).
            raise torch.OutOfMemoryError(str(fault)) from fault
        first: torch.Tensor = answer[0] if isinstance(answer, list | tuple) else answer
        return first

    def train(self, mode: bool = True) -> Self:  # noqa: ARG002 (nn.Module calls it so)
        """Nothing: an exported program knows no modes."""
        return self

    def to(self, *args: Any, memory_format: Any = None, **named: Any) -> Self:  # noqa: ARG002
        """To a device; the layout stays as it is."""
        return super().to(*args, **named) if args or named else self
