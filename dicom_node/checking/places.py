"""Whether the node may write where it keeps things: one that may not ends at its start, or at its first image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from storage.sql.engines import make_engine

if TYPE_CHECKING:
    from dicom_node.settings import NodeSettings


def unwritable(node: NodeSettings) -> list[str]:
    """A sentence for each place that the user who runs this may not write to; nothing is made there.

    StorageError where there cannot be such a database.
    """
    told = ((key, why_not_written(folder)) for key, folder in _folders(node))
    return list(dict.fromkeys(f"node.yaml: {key}: {sentence}" for key, sentence in told if sentence))


def _folders(node: NodeSettings) -> Iterator[tuple[str, Path]]:
    """Every folder that the node writes to, and the key of node.yaml that says where it is."""
    engine = make_engine(node.database)
    if engine.dialect.name == "sqlite":
        yield "database_url" if node.database_url else "data_folder", Path(str(engine.url.database)).parent
    yield "data_folder", node.scratch_folder
    if node.audit.mode != "off":
        yield "data_folder", node.audit_folder
    key = "folder" if node.archive.url is None else "cache_folder"
    yield f"archive.{key}" if getattr(node.archive, key) else "data_folder", node.images_folder


def why_not_written(folder: Path) -> str:
    """What is wrong with a folder, or with the nearest one above it where it is still to be made; "" for nothing."""
    while not os.path.exists(folder):  # noqa: PTH110 (Path's raises where a folder may not be looked into)
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is a file where a folder is to be"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"folder {folder} cannot be written to by the user who runs this"
    return ""
