"""A network in a file of torch.export (.pt2).

torch reads these files by un-pickling and by evaluating what is written in them, so that they are code and need trust.
"""

from __future__ import annotations

from pickle import UnpicklingError
from typing import ClassVar, Literal
from zipfile import BadZipFile

from pydantic import Field

from inference.backends.network_file import LoadedNetworkFile, NetworkFile
from inference.errors import BundleBroken
from inference.precision import Precision


class Exported(NetworkFile):
    """The exported program `path`; unless told otherwise it was exported for one window of just this size."""

    runs_code: ClassVar[bool] = True

    kind: Literal["exported"] = "exported"
    batch: int = Field(default=1, ge=0)
    fixed: bool = True
    precision: Precision = "fp32"  # a program may insist on the types that it was exported with

    def load(self, device: str) -> LoadedNetworkFile:
        identity = self.identity()
        import torch
        from torch.export.passes import move_to_device_pass

        from inference.networks.closed import Closed

        try:
            program = move_to_device_pass(torch.export.load(self.path), device)
        except (RuntimeError, ValueError, KeyError, UnpicklingError, OSError, BadZipFile) as fault:
            raise BundleBroken(f"{self.path.name} is no exported program that this torch reads: "
                               f"{type(fault).__name__}: {fault}") from fault
        return LoadedNetworkFile(self, identity, Closed(program.module()), device)
