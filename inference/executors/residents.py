"""Backends that stay loaded between requests, by their settings."""

from __future__ import annotations

import json
from collections import OrderedDict

from inference.backends import LoadedBackend, build
from inference.request import Request

RESIDENT = 8


class Residents:
    """The last few backends of one device; a changed setting or file is another backend."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._held: OrderedDict[str, LoadedBackend] = OrderedDict()

    def backend(self, request: Request) -> LoadedBackend:
        """The backend that the request names, loaded; raises `ModelError` where it cannot be."""
        settings = build(request.model)
        key = json.dumps([request.model, settings.identity().sha256], sort_keys=True, default=str)
        if key not in self._held:
            self._held[key] = settings.load(self._device)
            while len(self._held) > RESIDENT:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return self._held[key]

    def clear(self) -> None:
        """Let go of all of them."""
        self._held.clear()
