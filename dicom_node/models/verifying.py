"""A person has every file of a model read again, and what came out is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.configuring.changes import Author
from inference.backends.pins import read_anew
from inference.errors import ModelError
from storage.errors import NotFound
from storage.working.model_checks import ModelCheck

if TYPE_CHECKING:
    from dicom_node.assembly import Parts
    from dicom_node.settings import Settings
    from dicom_node.settings.models import ModelSettings


def verify(parts: Parts, name: str, author: Author) -> ModelCheck:
    """Whether every file of the model is as it was recorded. NotFound."""
    found = check(parts.settings, name, author)
    keep(parts, found, author)
    return found


def check(settings: Settings, name: str, author: Author) -> ModelCheck:
    """The same, and nothing of it is kept. NotFound."""
    model, sha256, fault = known(settings, name), "", ""
    read_anew()
    try:
        sha256 = model.backend.identity().sha256
    except ModelError as broken:
        fault = str(broken)
    return ModelCheck(name, author.now, author.name, sha256, fault)


def keep(parts: Parts, found: ModelCheck, author: Author) -> None:
    """Keep what came out, and tell the audit trail."""
    with parts.database.transaction() as tx:
        tx.model_checks.put(found)
    told = f"files of model {found.model} read again: {found.fault or 'as recorded'}"
    parts.audit.model_touched(found.model, told, author.who)


def known(settings: Settings, name: str) -> ModelSettings:
    """A model as the settings have it; NotFound names those that there are."""
    if name not in settings.models:
        raise NotFound(f"there is no model {name[:64]}; known: {', '.join(sorted(settings.models)) or 'none'}")
    return settings.models[name]
