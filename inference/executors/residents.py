"""Backends that stay loaded between requests, by their settings."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict

from inference.backends import BackendSettings, LoadedBackend, build
from inference.request import Request

RESIDENT = 8


class Residents:
    """The last few backends of one device; a changed setting or file is another backend. Threads may share them."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._lock = threading.Lock()
        self._held: OrderedDict[str, LoadedBackend] = OrderedDict()

    def backend(self, request: Request) -> LoadedBackend:
        """The backend that the request names, loaded; raises `ModelError` where it cannot be."""
        settings, key = settings_of(request)
        with self._lock:
            if key not in self._held:
                self._held[key] = settings.load(self._device)
                while len(self._held) > RESIDENT:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return self._held[key]

    def known(self, request: Request) -> LoadedBackend | None:
        """The same where it is loaded already; None where that is still to be done."""
        _, key = settings_of(request)
        return self._held.get(key)

    def clear(self) -> None:
        """Let go of all of them."""
        self._held.clear()


def settings_of(request: Request) -> tuple[BackendSettings, str]:
    """What the request's model is, and a key that no other model has, nor the same with other files."""
    settings = build(request.model)
    return settings, json.dumps([request.model, settings.identity().sha256], sort_keys=True, default=str)
