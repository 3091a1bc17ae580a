"""A network of torch as OpenVINO runs it on this CPU: traced once for every size of window, never written to a file.

OpenVINO's own front end reads the trace. Its `convert_model` would do the same, and tell its maker that it was called.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import nn

from inference.errors import ModelError

INSTALL = "engine: openvino needs the package openvino: pip install 'segnode[openvino]'."

Program = Callable[[torch.Tensor], torch.Tensor]


class Compiled(nn.Module):
    """Takes and returns what `of_torch` does, in float32; computes in `precision`.

    It uses as many threads as torch does. Weights that are put in later are compiled as well, and those of before kept:
    who asks several folds by turns waits once for each. ModelError where OpenVINO is missing or cannot run the network.
    """

    layout = torch.contiguous_format  # that it takes windows in

    def __init__(self, network: nn.Module, precision: Literal["f32", "bf16"]) -> None:
        super().__init__()
        try:
            import openvino  # noqa: F401 (to say at once that it is missing)
        except ImportError as fault:
            raise ModelError(INSTALL) from fault
        self.of_torch = network
        self.precision = precision
        self._weights: Mapping[str, Any] | None = None
        self._programs: dict[tuple[int, torch.Size], tuple[Mapping[str, Any] | None, Program]] = {}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The network's answer to windows (batch, channel, …)."""
        which = id(self._weights), x.shape
        if which not in self._programs:
            # The weights are kept as well: as long as they are there, their id is theirs alone.
            self._programs[which] = self._weights, self._compiled(x.shape)
        _, program = self._programs[which]
        return program(x)

    def load_state_dict(self, state_dict: Mapping[str, Any], *arguments: Any, **named: Any) -> Any:
        """Put weights of the network in, by their names in it."""
        self._weights = state_dict
        return self.of_torch.load_state_dict(state_dict, *arguments, **named)

    @property
    def divisor(self) -> Any:
        """What each axis of a window is a multiple of."""
        return getattr(self.of_torch, "divisor", 1)

    def _compiled(self, shape: torch.Size) -> Program:
        import openvino
        from openvino.frontend import FrontEndManager, GeneralFailure, OpConversionFailure
        from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

        settings = {"INFERENCE_PRECISION_HINT": self.precision, "PERFORMANCE_HINT": "LATENCY",
                    "INFERENCE_NUM_THREADS": torch.get_num_threads(), "ENABLE_CPU_PINNING": False}
        front_end = FrontEndManager().load_by_framework("pytorch")
        try:
            with torch.inference_mode(mode=False), torch.no_grad(), torch.autocast("cpu", enabled=False):
                trace = TorchScriptPythonDecoder(_traced(self.of_torch, shape))  # named: the front end does not keep it
                model = front_end.convert(front_end.load(trace))
            model.reshape({0: list(shape)})
            asked = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
        except (RuntimeError, GeneralFailure, OpConversionFailure) as fault:
            raise ModelError(f"OpenVINO cannot run this network: {fault}. Say engine: torch.") from fault

        def run(x: torch.Tensor) -> torch.Tensor:
            found = asked.infer([x.float().contiguous().numpy()], share_inputs=True)
            return torch.from_numpy(found[0].copy())

        return run


def _traced(network: nn.Module, shape: torch.Size) -> torch.jit.ScriptModule:
    """The network's way with a window of this size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a size that was looked at stays as it was, which is meant
        return torch.jit.trace(network, torch.zeros(shape), check_trace=False)
