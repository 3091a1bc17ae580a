"""Sees that the configuration has changed while a role runs, and hands on what can be used without a restart.

Whom we know and what is done with their images may change: peers, destinations, sources, admission, routes, and which
models are disabled or shadows of others. A change of anything else, such as a port, waits as a whole for the next
start, which is told.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dicom_node.errors import ConfigurationError
from dicom_node.settings import FILES, Settings, load
from dicom_node.settings.models import LOCK, ModelSettings
from storage.errors import StorageError

if TYPE_CHECKING:
    from dicom_node.assembly import Parts
    from dicom_node.running.heartbeat import Heartbeat

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
LIVE = ("peers", "destinations", "sources", "priors", "admission", "accept_calling_aets")  # keys of node.yaml

_Seen = tuple[tuple[int, int, int] | None, ...]


class Watch:
    """The parts of one process under the newest configuration that it can use.

    `trouble` is a sentence while the files say something that is not in use here, and empty otherwise.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.trouble = ""
        self._seen: _Seen = ()  # the files may have changed since they were read
        self._lock = threading.Lock()

    def look(self) -> Parts | None:
        """The parts under a changed configuration; None where nothing is new, or nothing that can be used now."""
        with self._lock:
            seen = self._files()
            if seen == self._seen:
                return None
            try:
                settings = load(self.parts.settings.folder, look_at_files=True)
                changed = self._adopted(settings)
            except ConfigurationError as wrong:
                self._tell(f"the configuration was changed and has mistakes: {'; '.join(wrong.problems)}")
                changed = None
            except StorageError as trouble:  # looked at again
                log.warning("a changed configuration waits: %s", trouble)
                return None
            self._seen = seen
            return changed

    def _adopted(self, settings: Settings) -> Parts | None:
        before = self.parts
        if settings.sha256 == before.settings.sha256:
            self.trouble = ""
            return None
        if late := needs_restart(before.settings, settings):
            self._tell(f"{', '.join(late)}: changed, and used after a restart of `segnode serve`")
            return None
        with before.database.transaction() as tx:
            revision = tx.revisions.record(settings.sha256, settings.content, time.time())
        self.parts, self.trouble = replace(before, settings=settings, revision=revision), ""
        log.info("the changed configuration is used", extra={"revision": revision})
        return self.parts

    def _tell(self, trouble: str) -> None:
        self.trouble = trouble
        log.warning("revision %d stays in use: %s", self.parts.revision, trouble)

    def _files(self) -> _Seen:
        folder = self.parts.settings.folder
        return tuple(_stamp(folder / name) for name in (*FILES, LOCK)) if folder else ()


def needs_restart(old: Settings, new: Settings) -> list[str]:
    """What differs and cannot be changed while a role runs, as `file: key`."""
    node = [
        f"node.yaml: {key}"
        for key in type(new.node).model_fields
        if key not in LIVE and getattr(old.node, key) != getattr(new.node, key)
    ]
    models = [] if _run_alike(old.models, new.models) else ["models.yaml"]
    return node + models + (["logging.yaml"] if old.logging != new.logging else [])


def _run_alike(old: Mapping[str, ModelSettings], new: Mapping[str, ModelSettings]) -> bool:
    """Whether the same models run in the same way, whichever of them take jobs."""
    before, after = ({name: (one.task, one.backend) for name, one in models.items()} for models in (old, new))
    return before == after


def follow(
    watch: Watch,
    stop: threading.Event,
    heartbeat: Heartbeat,
    adopt: Callable[[Parts], None] = lambda _: None,
) -> None:
    """Until `stop` is set, hand every configuration that can be used to `adopt`; the heartbeat tells which it is."""
    heartbeat.tell("revision", lambda: watch.parts.revision)
    heartbeat.tell("configuration", lambda: {"trouble": watch.trouble})
    while not stop.wait(LOOK_EVERY_S):
        if (parts := watch.look()) is not None:
            adopt(parts)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
