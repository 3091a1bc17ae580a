"""Weights from a file that somebody else wrote: of bounded size, tensors and nothing else."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch

from inference.errors import ModelError

MAX_BYTES = 2 * 1024**3  # a 3D ResNet-200 with its optimizer has less
PARALLEL = "module."  # what torch's DataParallel puts before each name, in MedicalNet's files for one

# What torch.load says of a damaged or a foreign file, as found by damaging files.
UNREADABLE = (OSError, EOFError, UnpicklingError, struct.error, RuntimeError, ValueError, LookupError, TypeError,
              AttributeError, AssertionError, MemoryError)

Weights = dict[str, torch.Tensor]


def read_weights(path: Path) -> Weights:
    """The state dict in a file of `torch.save`, or under its key `state_dict`, without DataParallel's prefix.

    ModelError where the file is missing, too large, not readable without running code, or holds anything else.
    """
    try:
        size = path.stat().st_size
    except OSError as fault:
        raise ModelError(f"the weights {path.name} cannot be read: {fault.strerror}") from fault
    if size > MAX_BYTES:
        raise ModelError(f"the weights {path.name} have {size} bytes; at most {MAX_BYTES} are read")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as fault:
        raise ModelError(f"the weights {path.name} cannot be read: {type(fault).__name__}. A file of torch.save that "
                         "holds tensors and plain values is needed; other objects are not unpickled") from fault
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"the weights {path.name} hold {type(content).__name__}, not tensors by name")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            raise ModelError(f"the weights {path.name} hold under {name!r:.100} no dense tensor but "
                             f"{type(value).__name__}")
    return {name.removeprefix(PARALLEL): value for name, value in content.items()}
