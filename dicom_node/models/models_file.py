"""Writes models.yaml and what was recorded beside it, as a person would: comments and other entries stay."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from dicom_node.errors import ConfigurationError
from dicom_node.settings import shipped_folder
from dicom_node.settings.models import LOCK, read_lock
from storage.files.durable import put_in_place

NAME = "models.yaml"


class ModelsFile:
    """models.yaml in a configuration's folder; a folder without one begins with the shipped one."""

    def __init__(self, folder: Path) -> None:
        self._path, self._lock = folder / NAME, folder / LOCK
        self._yaml = YAML(typ="rt")
        self._yaml.preserve_quotes, self._yaml.width = True, 120
        source = self._path if self._path.exists() else shipped_folder() / NAME
        self._document = self._yaml.load(source.read_text(encoding="utf-8"))
        if not isinstance(self._document, CommentedMap):
            self._document = CommentedMap()
        if not isinstance(self._document.get("models"), CommentedMap):
            self._document["models"] = CommentedMap()

    @property
    def models(self) -> Mapping[str, Any]:
        """Entries by name."""
        return self._document["models"]

    def add(self, name: str, entry: Mapping[str, Any], recorded: Mapping[str, str]) -> None:
        """Write a new entry and the hashes of its files; ConfigurationError where the name is taken."""
        if name in self.models:
            raise ConfigurationError([f"{NAME}: there is a model {name} already; remove it first, or choose a name"])
        self.record(name, recorded)
        self._document["models"][name] = dict(entry)
        self._document["models"].fa.set_block_style()
        self._write()

    def remove(self, name: str) -> None:
        """Take an entry and its hashes away; the model's own files stay. ConfigurationError where there is none."""
        if name not in self.models:
            known = ", ".join(self.models) or "none"
            raise ConfigurationError([f"{NAME}: there is no model {name}; known: {known}"])
        del self._document["models"][name]
        self._write()
        self.record(name, {})

    def set(self, name: str, keys: Mapping[str, Any]) -> None:
        """Write keys of an entry that is there."""
        self._document["models"][name].update(keys)
        self._write()

    def record(self, name: str, hashes: Mapping[str, str]) -> None:
        """Write down a model's files as they are now; no hashes take it out."""
        problems: list[str] = []
        _, lock = read_lock(self._lock.parent, problems)
        lock.pop(name, None)
        if hashes:
            lock[name] = dict(hashes)
        put_in_place(self._lock, json.dumps(dict(sorted(lock.items())), indent=2) + "\n")

    def _write(self) -> None:
        text = StringIO()
        self._yaml.dump(self._document, text)
        put_in_place(self._path, text.getvalue())
