"""A model is disabled or enabled by a person: models.yaml says so, the running roles take it up.

A disabled model takes no new job, and those that wait for it stay where they are in the queue. Nothing is lost: once
it is enabled they go on, and `segnode route` has its routes look again at what arrived meanwhile.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dicom_node.configuring.changes import Author, Changed, change
from dicom_node.errors import StudiesWait
from dicom_node.models.verifying import known
from dicom_node.settings.files import document_of
from dicom_node.settings.text import with_entry
from storage.database import Transaction
from storage.errors import NotFound

if TYPE_CHECKING:
    from dicom_node.assembly import Parts

FILE = "models.yaml"
KEY = "disabled"


def disable(parts: Parts, name: str, author: Author, *, sure: bool = False) -> Changed:
    """Have the model take no new job. StudiesWait where some wait for it, unless that is known (`sure`).

    NotFound, ConfigurationError, NotWritable.
    """
    known(parts.settings, name)
    with parts.database.reading() as tx:
        waiting = studies_waiting(tx, name, author.now)
    if waiting and not sure:
        question = f"{waits(waiting)} for model {name}, and would stay in the queue until it is enabled again"
        raise StudiesWait(question, waiting)
    since = datetime.fromtimestamp(author.now, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
    return _switched(parts, name, {"since": since, "by": author.name}, author)


def enable(parts: Parts, name: str, author: Author) -> Changed:
    """Have it take jobs again. NotFound, ConfigurationError, NotWritable."""
    known(parts.settings, name)
    return _switched(parts, name, None, author)


def studies_waiting(tx: Transaction, name: str, now: float) -> int:
    """How many studies have a job that waits for the model and that nobody works at."""
    return len({job.study_instance_uid for job in tx.jobs.waiting_for(name, now)})


def waits(number: int) -> str:
    return "1 study waits" if number == 1 else f"{number} studies wait"


def _switched(parts: Parts, name: str, said: dict[str, str] | None, author: Author) -> Changed:
    """What models.yaml says of it, and what the history of each study says that waits for it."""

    def new(text: str) -> str:
        entry = entry_in(text, name)
        if (KEY in entry) is (said is not None):
            return text  # it is so already
        entry = {key: value for key, value in entry.items() if key != KEY} | ({KEY: said} if said else {})
        return with_entry(text, FILE, "models", name, entry)

    event = "model disabled" if said else "model enabled"
    changed = change(parts, FILE, new, f"model {name} {event.removeprefix('model ')}", author)
    if changed.change:
        text = f"model {name} {'is disabled' if said else 'is enabled again'} by {author.name}: "
        text += "the job waits until it is enabled again" if said else "the job goes on"
        with parts.database.transaction() as tx:
            for job in tx.jobs.waiting_for(name, author.now):
                told = {"study": job.study_instance_uid, "job": job.job_id, "revision": changed.revision}
                tx.journal.add(author.now, event, text, **told)  # type: ignore[arg-type]
    return changed


def entry_in(text: str, name: str) -> dict[str, Any]:
    """What a text of models.yaml says of the model. NotFound where it says nothing."""
    entry = (document_of(text, FILE).data.get("models") or {}).get(name)
    if not isinstance(entry, dict):
        raise NotFound(f"{FILE} has no model {name} any more")
    return dict(entry)
