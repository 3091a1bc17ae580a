"""By which library a network is run: torch, or OpenVINO where the device is a CPU."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from inference.precision import Precision, chosen

if TYPE_CHECKING:
    from torch import nn

Engine = Literal["torch", "openvino"]


def engines(device: str) -> tuple[Engine, ...]:
    """Those that can run a network here."""
    return ("torch", "openvino") if device == "cpu" and find_spec("openvino") else ("torch",)


def engaged(network: nn.Module, engine: Engine, device: str, precision: Precision) -> nn.Module:
    """The network as `engine` runs it on a device; ModelError where OpenVINO is asked for and not installed.

    A GPU is torch's: there the network is given back as it is.
    """
    if engine == "torch" or device != "cpu":
        return network
    from inference.networks.compiled import Compiled

    return Compiled(network, "bf16" if (chosen(device) if precision == "auto" else precision) == "bf16" else "f32")


def of_torch(network: nn.Module) -> nn.Module:
    """The network itself, whose layers can be looked into, where an engine runs it."""
    inside: nn.Module | None = getattr(network, "of_torch", None)
    return network if inside is None else inside
