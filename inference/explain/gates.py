"""What a network's attention gates let through (paper Table 3): their coefficients as maps."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import nn
from torch.nn import functional

from inference.networks.attention_gate import AttentionGate


class GateMaps(nn.Module):
    """A network that answers with the coefficients of its attention gates instead of its logits.

    Takes what the network takes; returns (batch, gate, [z,] y, x), 0..1, in the order of `names`, where the gate
    nearest to the bottom comes first. A gate's voxel lies amid those of the input that it stands for.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.divisor = getattr(network, "divisor", 1)
        gates = {name: module for name, module in network.named_modules() if isinstance(module, AttentionGate)}
        self.names = tuple(gates)
        self._psi = [gate.psi for gate in gates.values()]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The gates' maps on the grid of `x`; ValueError where the network has no gate."""
        if not self.names:
            raise ValueError("a network without attention gates has no maps of them")
        seen: dict[int, torch.Tensor] = {}
        with ExitStack() as hooks:
            for number, psi in enumerate(self._psi):
                def keep(_module: nn.Module, _inputs: object, answer: torch.Tensor, number: int = number) -> None:
                    seen[number] = answer

                hooks.callback(psi.register_forward_hook(keep).remove)
            self.network(x)
        mode = "trilinear" if x.dim() == 5 else "bilinear"
        return torch.cat([functional.interpolate(seen[number].float(), size=x.shape[2:], mode=mode, align_corners=False)
                          for number in range(len(self._psi))], dim=1)
