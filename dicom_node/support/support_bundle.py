"""Everything that whoever is asked for help would ask for, in one ZIP, and nothing about a patient."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from dicom_node.assembly import Parts
from dicom_node.checking.check import check
from dicom_node.configuring.configuration_shown import shown, without_secrets
from dicom_node.models.model_views import model_lines
from dicom_node.support.pseudonyms import Pseudonyms, site_key
from dicom_node.support.support_facts import database, disk, failures, journal, machine, queue, seconds_by_task
from dicom_node.views.status import node_status
from storage.database import Transaction

REVISIONS = 50
LARGEST_LOG = 20_000_000  # bytes; of a longer one the end
READ_ME = """\
What a Segnode node says of itself, for whoever helps with it.

There is no image in it, no measurement, and no name, ID or birth date of a patient or of a user: words that the headers
of the studies have of their patients are replaced by "hidden", and so are the dates of the studies. Identifiers of
studies, series, instances and jobs are replaced by pseudonyms (id-...), always the same for the same one; only this
site can tell which is which: `segnode support-bundle --who STUDY_UID` prints the pseudonym of a study. Passwords and
tokens are left out.

about.json          version, libraries, machine, GPUs
configuration/      the files in use, without comments; revisions.json: when they changed
check.json          what `segnode check` says
status.json         what `segnode status` says
database.json       schema, rows, counts by state, seconds by step of the last 30 days
queue.json          what is being done and what waits
failures.json       jobs that failed or were refused, deliveries that were given up or are held, and why
journal.jsonl       the newest events
disk.json           room and watermarks
logs/               log files that were named; the node itself logs to standard error
"""


@dataclass(frozen=True)
class Asked:
    """What goes in: log files, and whether `check` calls the peers."""

    logs: Sequence[Path] = ()
    with_echo: bool = True


def write_bundle(parts: Parts, target: Path | IO[bytes], asked: Asked, now: float) -> list[str]:
    """Write the ZIP; the names of what is in it. OSError where a log or the target cannot be read or written."""
    names = []
    with ZipFile(target, "w", ZIP_DEFLATED) as bundle:
        for name, content in members(parts, asked, now):
            bundle.writestr(name, content)
            names.append(name)
    return names


def bundled(parts: Parts, now: float) -> bytes:
    """The ZIP for who cannot name files of this machine; peers are not called."""
    sink = BytesIO()
    write_bundle(parts, sink, Asked(with_echo=False), now)
    return sink.getvalue()


def pseudonym(parts: Parts, uid: str) -> str:
    """By which a study, or another identifier, is called in every bundle of this site."""
    return Pseudonyms(site_key(parts.database), frozenset()).of_identifier(uid)


def members(parts: Parts, asked: Asked, now: float) -> Iterator[tuple[str, str]]:
    """Each file of the bundle: its name and its text."""
    key = site_key(parts.database)
    folder = f"segnode-support-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"

    yield f"{folder}/README.txt", READ_ME
    yield f"{folder}/about.json", json.dumps(machine() | {"models": model_lines(parts.settings)}, indent=1)
    for name, text in shown(parts.settings.content).items():
        yield f"{folder}/configuration/{name}", text
    report = check(parts.settings.folder, with_echo=asked.with_echo)
    with parts.database.reading() as tx:
        facts = {"check.json": vars(report), **{name: fact() for name, fact in _facts(parts, tx, now).items()}}
        events = list(journal(tx))
        hide = Pseudonyms.of(tx, key)  # the last, so that it knows whoever came before these were told
    for name, fact in facts.items():
        yield f"{folder}/{name}", json.dumps(hide.view(_without_secrets(fact)), indent=1, default=str)
    lines = (json.dumps(hide.view(event), default=str) for event in events)
    yield f"{folder}/journal.jsonl", "\n".join(map(without_secrets, lines))
    for number, path in enumerate(asked.logs, start=1):
        yield f"{folder}/logs/{number}.log", hide.text(without_secrets(_end_of(path)))


def _facts(parts: Parts, tx: Transaction, now: float) -> Mapping[str, Callable[[], Any]]:
    return {
        "configuration/revisions.json": lambda: [
            {"number": one.number, "sha256": one.sha256, "at": one.at, "what": one.what}
            for one in tx.revisions.list(REVISIONS)
        ],
        "status.json": lambda: node_status(parts, tx, now),
        "database.json": lambda: database(parts, tx) | {"seconds": seconds_by_task(tx, now)},
        "queue.json": lambda: queue(tx, now),
        "failures.json": lambda: failures(tx, now),
        "disk.json": lambda: disk(parts),
    }


def _without_secrets(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _without_secrets(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_without_secrets(one) for one in data]
    return without_secrets(data) if isinstance(data, str) else data


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LARGEST_LOG))
        return file.read().decode("utf-8", "replace")
