"""A model that somebody brings, as an entry for models.yaml: all is checked that can be without running it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dicom_node.errors import ConfigurationError
from dicom_node.settings.models import Models, model_mistakes
from inference.backends import build
from inference.backends.foreign import Foreign
from inference.backends.pins import hashes_of
from inference.backends.recognise import proposed_inputs, proposed_outputs, recognised
from inference.errors import BundleBroken
from inference.tasks import TASKS

WHAT_TRUST_MEANS = """\
This model brings code of its maker, and running it runs that code: with the rights of this node's worker process,
beside the images of patients. It is run there and nowhere else, and only while every file is as it is now. Trust it
if its maker is trusted, or once its files were read."""

OWN_NAMES = ("nnunet", "zoo")  # kinds that call their inputs by names of their own


@dataclass(frozen=True)
class NewModel:
    """The model at `path`, `keys` of its entry as far as they were said, and its files by SHA-256."""

    path: Path
    task: str
    keys: Mapping[str, Any]
    recorded: Mapping[str, str]

    @classmethod
    def at(cls, path: Path, task: str, kind: str | None, keys: Mapping[str, Any]) -> NewModel:
        """What lies there; `BundleBroken` where it is no model."""
        kind, path = (kind, path) if kind else recognised(path)
        return cls(path, task, {"kind": kind, "path": str(path), **keys}, hashes_of(path))

    @property
    def brings_code(self) -> bool:
        """Whether running it runs code of its maker."""
        backend = self._backend(self.keys)
        return isinstance(backend, Foreign) and backend.runs_code

    def trusted(self) -> NewModel:
        """The same, allowed to run its code."""
        return replace(self, keys={**self.keys, "trusted": True})

    def checked(self, folder: Path) -> tuple[dict[str, Any], Mapping[str, str]]:
        """The entry for models.yaml in `folder`, with what the model's words mean, and the files to record.

        `BundleBroken` or `ConfigurationError` say what is missing or wrong.
        """
        backend, keys = self._backend(self.keys), dict(self.keys)
        if isinstance(backend, Foreign):
            keys |= self._proposed(backend)
            backend = self._backend(keys)
        told = Models.model_validate({"models": {"new": {"task": self.task, **keys}}})
        if problems := [problem.partition(": models.new.")[2] for problem in model_mistakes(told, None)]:
            raise ConfigurationError(problems)
        backend.identity()
        shown = self.path.relative_to(folder) if self.path.is_relative_to(folder) else self.path
        entry = {"task": self.task, **keys, "path": str(shown)}
        return entry, self.recorded if isinstance(backend, Foreign) else {}

    def left_out(self, entry: Mapping[str, Any]) -> list[str]:
        """What the model finds and the entry has no structure for: results say nothing of it."""
        backend = self._backend(self.keys)
        finds = backend.describe().finds if isinstance(backend, Foreign) else ()
        return [name for name in finds if name not in entry["outputs"]]

    def _backend(self, keys: Mapping[str, Any]) -> Any:
        """Settings of the kind; a bundle of ours has its own list of hashes."""
        return build(keys if keys["kind"] == "bundle" else {**keys, "sha256": dict(self.recorded)})

    def _proposed(self, backend: Foreign) -> dict[str, dict[str, str]]:
        """What the model's words mean, where that was not said and they are understood."""
        described, card, proposed = backend.describe(), TASKS[self.task], {}
        if not backend.outputs:
            proposed["outputs"] = proposed_outputs(described.finds, card)
            if not proposed["outputs"]:
                structures = ", ".join(structure.name for structure in card.structures)
                raise BundleBroken(f"It finds {', '.join(described.finds)}; say which is what by --output "
                                   f"NAME=STRUCTURE (structures: {structures}).")
        if not backend.inputs and self.keys["kind"] in OWN_NAMES:
            proposed["inputs"] = proposed_inputs(described.channels, card)
            if unknown := [channel for channel in described.channels if channel not in proposed["inputs"]]:
                roles = ", ".join(role.name for role in card.roles)
                raise BundleBroken(f"Say which role its input {', '.join(unknown)} is by --input CHANNEL=ROLE "
                                   f"(roles: {roles}).")
        return proposed
