"""An archive that tells what it holds and gives it back: C-FIND, C-GET and C-MOVE over what it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from dicom_node.network.contexts import STORAGE_CLASSES, TRANSFER_SYNTAXES
from dicom_node.network.embedded_archive import EmbeddedArchive

MODELS = {
    "find": StudyRootQueryRetrieveInformationModelFind,
    "get": StudyRootQueryRetrieveInformationModelGet,
    "move": StudyRootQueryRetrieveInformationModelMove,
}
KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


class AnsweringArchive(EmbeddedArchive):
    """Offers the services that are named; `movers` are the addresses of those that it sends to, by AE title.

    Without `roles` it selects none, so that nothing can come over the association of a C-GET (PS3.7 D.3.3.4).
    `mangle` is done to whatever it gives back; `tells` are the attributes that it knows of what it lists, which is
    nothing for so many questions as are `unheard`.
    """

    def __init__(
        self, folder: Path, *services: str, movers: dict[str, tuple[str, int]] | None = None, roles: bool = True
    ) -> None:
        super().__init__(folder)
        for service in services:
            self._ae.add_supported_context(MODELS[service])
        for sop_class in STORAGE_CLASSES:
            wanted = {"scu_role": True, "scp_role": True} if roles else {}
            self._ae.add_supported_context(sop_class, list(TRANSFER_SYNTAXES), **wanted)
            if len(self._ae.requested_contexts) < 128 and sop_class.name.startswith(("CT Image", "Segmentation")):
                self._ae.add_requested_context(sop_class)
        self._movers = movers or {}
        self.mangle: Any = lambda ds: ds
        self.unheard = 0
        self.tells: tuple[str, ...] = (*KEYS, "SOPClassUID", "Modality")

    def __enter__(self) -> AnsweringArchive:
        super().__enter__()
        for event, handler in ((evt.EVT_C_FIND, self._find), (evt.EVT_C_GET, self._get), (evt.EVT_C_MOVE, self._move)):
            self._server.bind(event, handler)
        return self

    def _matching(self, query: Dataset) -> Iterator[Dataset]:
        for kept in self.kept():
            ds = dcmread(kept.path)
            wanted = {key: query.get(key) for key in KEYS if query.get(key)}
            if all(ds[key].value in ([one] if isinstance(one, str) else one) for key, one in wanted.items()):
                yield ds

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset]]:
        if self.unheard:
            self.unheard -= 1
            return
        for ds in self._matching(event.identifier):
            answer = Dataset()
            answer.QueryRetrieveLevel = event.identifier.QueryRetrieveLevel
            for key in self.tells:
                setattr(answer, key, ds[key].value)
            yield 0xFF00, answer

    def _get(self, event: Event) -> Iterator[Any]:
        found = [self.mangle(ds) for ds in self._matching(event.identifier)]
        yield len(found)
        yield from ((0xFF00, ds) for ds in found)

    def _move(self, event: Event) -> Iterator[Any]:
        address = self._movers.get(event.move_destination)
        if address is None:
            yield None, None
            return
        yield address
        yield from self._get(event)
