"""Which model is another's shadow, said by a person: models.yaml names it, the running roles take it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dicom_node.configuring.changes import Author, Changed, change
from dicom_node.models.model_switch import FILE, entry_in
from dicom_node.models.verifying import known
from dicom_node.settings.text import with_entry

if TYPE_CHECKING:
    from dicom_node.assembly import Parts
    from dicom_node.settings import Settings

KEY = "shadow"


def choices(settings: Settings, name: str) -> list[str]:
    """Models that could be the shadow of one: the others for its task. NotFound."""
    task = known(settings, name).task
    return sorted(other for other, model in settings.models.items() if model.task == task and other != name)


def name_shadow(parts: Parts, name: str, shadow: str, author: Author) -> Changed:
    """Have `shadow` run on the same images behind the jobs of model `name`; "" has no model do so.

    NotFound; ConfigurationError where it cannot be the shadow; NotWritable.
    """
    known(parts.settings, name)

    def new(text: str) -> str:
        entry = entry_in(text, name)
        if (entry.get(KEY) or "") == shadow:
            return text  # it is so already
        entry = {key: value for key, value in entry.items() if key != KEY} | ({KEY: shadow} if shadow else {})
        return with_entry(text, FILE, "models", name, entry)

    what = f"model {shadow} is the shadow of {name}" if shadow else f"model {name} has no shadow any more"
    return change(parts, FILE, new, what, author)
