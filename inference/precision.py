"""In which precision a network computes: as the settings say, or as the device does it fastest."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import nn

Precision = Literal["auto", "fp32", "bf16"]


def chosen(device: str) -> str:
    """What "auto" means on a device: fp32, bf16 or fp16."""
    import torch

    from inference.sliding import autocast

    with autocast(device):
        kind = torch.device(device).type
        if not torch.is_autocast_enabled(kind):
            return "fp32"
        return "bf16" if torch.get_autocast_dtype(kind) == torch.bfloat16 else "fp16"


def compute_in(network: nn.Module, device: str, precision: Precision) -> None:
    """Have a foreign network compute in this precision whatever its caller asks for; its answers stay float32."""
    from inference.sliding import autocast

    forward: Callable[..., Any] = network.forward

    @wraps(forward)
    def exactly(*args: Any, **named: Any) -> Any:
        with autocast(device, precision):
            return _float(forward(*args, **named))

    network.forward = exactly


def _float(answer: Any) -> Any:
    """Tensors in float32, however deep they lie in lists and dictionaries."""
    import torch

    if isinstance(answer, torch.Tensor):
        return answer.float() if answer.is_floating_point() else answer
    if isinstance(answer, dict):
        return {key: _float(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [_float(value) for value in answer]
    return answer
