"""A bundle's own workflow, kept ready: preprocessing, network, inferer and postprocessing as their maker wrote them.

Its code (expressions in the configuration, modules in `scripts`) is imported and run here, in the worker process.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from pydoc import ErrorDuringImport
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.backends import zoo_config
from inference.backends.zoo_image import as_files, in_memory
from inference.errors import Exhausted, ModelError
from inference.own_folder import OwnFolder, clear_abandoned
from inference.precision import Precision, compute_in
from inference.volume import Grid

if TYPE_CHECKING:
    from monai.bundle import ConfigWorkflow
    from torch import nn

INSTALL = "Bundles of the MONAI Model Zoo need pytorch-ignite and nibabel: pip install 'segnode[zoo]'."


@dataclass(eq=False)
class BundleWorkflow:
    """The workflow in the bundle `root`; give it channels, it gives the item that its evaluator ends with.

    `mode` "memory" replaces the steps that read and write files; "file" leaves them and hands over NIfTI files in a
    temporary folder; "auto" is memory wherever those steps can be told. `overrides` are the bundle's own settings, by
    MONAI's ids (`displayable_configs#highres`).
    """

    root: Path
    device: str
    config: str = ""
    mode: str = "auto"
    precision: Precision = "auto"
    image_key: str = "image"
    overrides: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if find_spec("ignite") is None:
            raise ModelError(INSTALL)
        from monai.bundle import ConfigParser, ConfigWorkflow
        from monai.engines import IterationEvents

        self._held: dict[str, ModuleType] = {}
        clear_abandoned()
        self._folder = OwnFolder()
        path = zoo_config.config_file(self.root, self.config)
        config = ConfigParser.load_config_file(path)
        self.in_memory = self.mode == "memory" or (self.mode == "auto" and not zoo_config.reads_files_itself(config))
        self.activation = zoo_config.activation(config)
        self.logits: Any = None  # of the last run: (1, channel, x, y, z) as the network gave them
        self._channel_first = zoo_config.channel_comes_first(config)
        with self._own_scripts(), self._told_plainly():
            run = "run" if "run" in config else "evaluating"  # as bundles called it before MONAI 1.2
            self._workflow: ConfigWorkflow = ConfigWorkflow(
                str(path), workflow_type="infer", logging_file=False, run_id=run)
            fitted = zoo_config.fitted(config, self.root, self.device, self._folder.path,
                                       in_memory=self.in_memory)
            self._workflow.parser.update(pairs=fitted | self.overrides)
            self._workflow.initialize()
            self._evaluator = self._workflow.parser.get_parsed_content("evaluator")
            self._evaluator.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._keep_logits)
            self._dataset = self._workflow.parser.get_parsed_content("dataset")
        if not hasattr(self._dataset, "data"):
            raise ModelError(f"Bundle {self.root.name} has a dataset of kind {type(self._dataset).__name__}, which "
                             "takes no images from this program.")
        compute_in(self.network, self.device, self.precision)

    @property
    def network(self) -> nn.Module:
        """The bundle's network."""
        network: nn.Module = self._evaluator.network
        return network

    @contextlib.contextmanager
    def run(self, channels: NDArray[np.float32], grid: Grid) -> Iterator[tuple[dict[str, Any], Path]]:
        """Run on channels (channel, z, y, x): the evaluator's last item, and the folder of what the bundle wrote.

        Both are gone at the end. Exhausted where the device's memory does not suffice.
        """
        folder = self._folder.path
        image = (in_memory(channels, grid, channel_first=self._channel_first) if self.in_memory
                 else as_files(channels, grid, folder))
        self._dataset.data = [{self.image_key: image}]
        try:
            with self._own_scripts(), self._told_plainly():
                self._workflow.run()
            yield self._evaluator.state.output[0], folder
        finally:
            self.logits = None
            self._dataset.data, self._evaluator.state.output, self._evaluator.state.batch = [None], None, None
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()

    def _keep_logits(self, engine: Any) -> None:
        """The network's answer before the bundle makes a mask of it, where the answer is an image at all."""
        from inference.answer import sound

        found = engine.state.output.get("pred") if isinstance(engine.state.output, dict) else None
        self.logits = found if getattr(found, "ndim", 0) == 5 else None
        if self.logits is not None:
            sound(self.logits.detach().amin().float().cpu().numpy())  # NaN where any is

    @contextlib.contextmanager
    def _own_scripts(self) -> Iterator[None]:
        """This bundle's `scripts` are the ones that are imported; every bundle calls its own so."""
        path, silent = list(sys.path), sys.dont_write_bytecode
        others = _taken_away()
        sys.modules.update(self._held)
        sys.path.insert(0, str(self.root))
        sys.dont_write_bytecode = True  # the bundle's folder stays as it was recorded
        try:
            yield
        finally:
            self._held = _taken_away()
            sys.modules.update(others)
            sys.path[:], sys.dont_write_bytecode = path, silent

    @contextlib.contextmanager
    def _told_plainly(self) -> Iterator[None]:
        """What the bundle's code raised, without the layers of configuration that MONAI wraps around it."""
        import torch

        try:
            yield
        except (ImportError, ErrorDuringImport, RuntimeError, ValueError, TypeError, LookupError, AttributeError,
                OSError) as fault:
            root: BaseException = fault
            while (cause := root.value if isinstance(root, ErrorDuringImport) else root.__cause__) is not None:
                root = cause
            name = self.root.name
            if isinstance(root, torch.OutOfMemoryError):
                raise Exhausted(f"The device's memory does not suffice for bundle {name}; its window, or how many "
                                "windows it takes at once, can be made smaller by overrides.") from fault
            if isinstance(root, ImportError):
                raise ModelError(f"Bundle {name} needs a library that is not installed: {root}. Its metadata.json "
                                 "says which packages it wants.") from fault
            raise ModelError(f"Bundle {name} failed: {type(root).__name__}: {root}") from fault


def _taken_away() -> dict[str, ModuleType]:
    """The `scripts` package that is imported now, taken out of Python's table."""
    return {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "scripts"}
