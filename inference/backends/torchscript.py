"""A network in a TorchScript file (torch.jit.save); its program is TorchScript's own and never Python."""

from __future__ import annotations

from typing import Literal

from inference.backends.network_file import LoadedNetworkFile, NetworkFile
from inference.errors import BundleBroken


class TorchScript(NetworkFile):
    """The TorchScript file `path`."""

    kind: Literal["torchscript"] = "torchscript"

    def load(self, device: str) -> LoadedNetworkFile:
        identity = self.identity()
        import torch

        from inference.networks.closed import Closed

        try:
            program = torch.jit.load(str(self.path), map_location=device)
        except (RuntimeError, ValueError) as fault:
            raise BundleBroken(f"{self.path.name} is no TorchScript that this torch reads: {fault}") from fault
        return LoadedNetworkFile(self, identity, Closed(program.eval()), device)
