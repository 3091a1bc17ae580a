"""`segnode fetch`: pull studies from an archive and process them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dicom_node.cli.options import conf_option, json_option, open_storage, plainly

if TYPE_CHECKING:
    from dicom_node.acts.backfill import Days
    from dicom_node.assembly import Parts
    from dicom_node.network.query import StudyAnswer
    from dicom_node.sources import Source

day = click.DateTime(formats=["%Y-%m-%d", "%Y%m%d"])


@click.command()
@click.argument("study_uids", nargs=-1)
@click.option("--from", "first", type=day, help="Studies from this day on …")
@click.option("--to", "last", type=day, help="… to this day. Default: today.")
@click.option("--modality", default="", help="Only studies with a series of this modality, e.g. CT.")
@click.option("--peer", help="Archive in node.yaml. Default: the source, where there is only one.")
@click.option("--dry-run", is_flag=True, help="Show what would be fetched, and fetch nothing.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="At most so many studies.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Begin so many a minute. Default: node.yaml.")
@conf_option
@json_option
@plainly
def fetch(  # noqa: PLR0913, PLR0917 (its options)
    study_uids: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    modality: str,
    peer: str | None,
    dry_run: bool,
    limit: int,
    rate: float | None,
    conf: Path | None,
    as_json: bool,
) -> None:
    """Pull studies from an archive and process them, behind all other work.

    Name studies, which are fetched whatever is here of them, or days, of which only what is not here is fetched.
    The wish is stored: the node that runs, or runs next, fulfils it.
    """
    from dicom_node.acts.backfill import Days, source_called
    from dicom_node.terminal import present

    if bool(study_uids) == (first is not None):
        raise click.UsageError("name studies, or days with --from and --to")
    with open_storage(conf) as parts:
        source = source_called(parts.settings, peer)
        if first is None:
            found = _named(parts, source, study_uids, ask=dry_run)
        else:
            days = Days(first.date(), (last or datetime.now(UTC).astimezone()).date(), modality.upper())
            found = list(islice(_of_days(parts, source, days), limit))
        if not dry_run:
            found = _queued(parts, source, found, rate)
    if as_json:
        present.as_json(found)
    else:
        present.show_lines(found)
        verb = "would be fetched" if dry_run else "are wanted"
        click.echo(f"{len(found)} studies {verb} from {source.peer}", err=True)
    sys.exit(0 if found else 1)


def _named(parts: Parts, source: Source, uids: tuple[str, ...], *, ask: bool) -> list[dict[str, Any]]:
    from dicom_node.acts.backfill import look_up
    from dicom_node.witness import witness
    from storage.identifiers import check_uid

    if not ask:
        return [{"study": check_uid(uid)} for uid in uids]
    peer = parts.settings.archives()[source.peer]
    return [_line(study) for study in look_up(peer, parts.settings.node.ae_title, uids, witness(parts.audit))]


def _of_days(parts: Parts, source: Source, days: Days) -> Iterator[dict[str, Any]]:
    from dicom_node.acts.backfill import is_here, search
    from dicom_node.witness import witness

    peer = parts.settings.archives()[source.peer]
    for study in search(peer, parts.settings.node.ae_title, days, witness(parts.audit)):
        with parts.database.reading() as tx:
            here = is_here(tx, study.study_instance_uid)
        if not here:
            yield _line(study)


def _queued(parts: Parts, source: Source, lines: list[dict[str, Any]], rate: float | None) -> list[dict[str, Any]]:
    from dicom_node.acts.backfill import queue
    from dicom_node.audit.facts import PersonAction

    settings = parts.settings.node.backfill
    if rate is not None:
        settings = settings.model_copy(update={"rate_per_minute": rate})
    with parts.database.transaction() as tx:
        queued = dict.fromkeys(queue(tx, [line["study"] for line in lines], source, settings, time.time()))
    for study in queued:
        parts.audit.asked_by_a_person(PersonAction.FETCH, study)
    return [line for line in lines if line["study"] in queued]


def _line(study: StudyAnswer) -> dict[str, Any]:
    """One study for the table: what it is, never who."""
    return {
        "study": study.study_instance_uid,
        "date": study.date,
        "description": study.description,
        "modalities": " ".join(study.modalities),
        "series": study.series,
        "images": study.instances,
    }
