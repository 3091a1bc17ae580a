"""`segnode retention`, `verify`, `backup` and `restore`: what is kept, whether it is whole, and a copy of it."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dicom_node.cli.options import audit_trail, conf_option, json_option, open_storage, plainly

if TYPE_CHECKING:
    from dicom_node.settings import Settings
    from storage.upkeep.backup import Manifest


@click.command()
@click.option("--apply/--dry-run", "apply", default=False, show_default=True, help="Remove it, or only list it.")
@click.option("--short", is_flag=True, help="By the ages for a short disk (after_days_when_short).")
@conf_option
@json_option
@plainly
def retention(apply: bool, short: bool, conf: Path | None, as_json: bool) -> None:
    """What would leave this disk now, why, and how many bytes."""
    from dicom_node.assembly import cleaner
    from dicom_node.terminal import present

    now = time.time()
    with open_storage(conf) as parts:
        keeper = cleaner(parts, by_person=True)
        outlook = keeper.outlook(now, short=short)
        going, kept = list(keeper.run(now, short=short)) if apply else outlook.due, outlook.kept
    total = sum(due.bytes for due in going)
    lines = [
        {
            "study": due.study_instance_uid,
            "ended": present.clock_text(due.since),
            "files": due.files,
            "bytes": due.bytes,
            "why": due.reason,
        }
        for due in going
    ]
    if as_json:
        present.as_json({"applied": apply, "studies": lines, "bytes": total, "kept": dict(kept)})
        return
    present.show_lines(lines)
    done = "removed" if apply else "would go; --apply removes them"
    click.echo(f"{len(lines)} studies, {total / 1e9:.3f} GB {done}")
    for reason, number in kept.most_common():
        click.echo(f"kept whatever their age: {number} studies, since {reason}")


@click.command()
@click.option("--study", "study_uid", help="Only this study.")
@conf_option
@json_option
@plainly
def verify(study_uid: str | None, conf: Path | None, as_json: bool) -> None:
    """Read every stored file again and compare it with what was written; exit code 1 where one is not that."""
    from dicom_node.terminal import present
    from storage.upkeep.reconcile import audit

    with open_storage(conf) as parts:
        with parts.database.reading() as tx:
            studies = [tx.studies.get(study_uid).study_instance_uid] if study_uid else tx.removals.every_study()
        with present.progress_bar("verifying", len(studies)) as advance:
            found = list(audit(parts.database, parts.archive, studies, told=advance))
    lines = [
        {"fault": str(f.fault), "study": f.study_instance_uid, "instance": f.sop_instance_uid, "file": f.path}
        for f in found
    ]
    if as_json:
        present.as_json({"studies": len(studies), "faults": lines})
    else:
        if lines:
            present.show_lines(lines)
        click.echo(f"{len(studies)} studies read; {len(lines)} files are missing or damaged")
    sys.exit(1 if found else 0)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--with-files", is_flag=True, help="Hard-link (or copy, to another disk) the stored files as well.")
@conf_option
@json_option
@plainly
def backup(folder: Path, with_files: bool, conf: Path | None, as_json: bool) -> None:
    """Copy the database into FOLDER, consistent, while the node runs; the audit trail's own files are not in it."""
    from dicom_node.terminal import present
    from storage.upkeep.backup import backup as copy

    with open_storage(conf) as parts:
        place, manifest = copy(
            parts.settings.node.database, parts.archive, folder, time.time(), with_files=with_files
        )
        parts.audit.data_moved(place.resolve().as_uri(), _contents(manifest), out=True)
        trail = _trail(parts.settings)
    if as_json:
        present.as_json({"backup": str(place), **asdict(manifest), "audit_trail": str(trail) if trail else None})
        return
    click.echo(f"backup written: {place}")
    named = f"{manifest.files_named} files, {manifest.bytes_named / 1e9:.3f} GB"
    if with_files:
        click.echo(f"{manifest.files_copied} of {named} are in it; {manifest.files_missing} had gone by retention")
    else:
        click.echo(f"not in it: the {named} that it refers to (--with-files, or save {parts.archive} after it)")
    if trail:
        click.echo(f"not in it: the audit trail, one file a message in {trail} of each machine: save that too")


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@conf_option
@plainly
def restore(source: Path, conf: Path | None) -> None:
    """Put the backup SOURCE where no database is; nothing is overwritten."""
    from dicom_node.settings import load
    from dicom_node.storing import archive_of
    from storage.upkeep.backup import restore as put_back

    settings = load(conf)
    manifest = put_back(source, settings.node.database, archive_of(settings), time.time())
    with audit_trail(conf) as audit:
        audit.data_moved(source.resolve().as_uri(), _contents(manifest), out=False)
    click.echo(f"the database of {manifest.made_at} is back; `segnode verify` tells which of its files are here")
    if trail := _trail(settings):
        click.echo(f"the audit trail is not in a backup; what was saved of it goes into {trail}")


def _trail(settings: Settings) -> Path | None:
    """Where audit messages lie on each machine: all of them, or, with a collector, those that it has not got yet."""
    return settings.node.audit_folder if settings.node.audit.mode != "off" else None


def _contents(manifest: Manifest) -> str:
    """What a backup holds, for the audit trail."""
    copied, named = manifest.files_copied, manifest.files_named
    files = f"with {copied} of {named} files" if copied else "without their files"
    return f"the database of {manifest.rows['studies']} studies {files}"


COMMANDS = (retention, verify, backup, restore)
