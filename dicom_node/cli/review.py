"""`segnode export-reviewed`: what persons corrected, as training cases."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click

from dicom_node.cli.options import TASK_NAMES, Failed, conf_option, json_option, open_storage, plainly


@click.command("export-reviewed")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--task", "tasks", type=TASK_NAMES, multiple=True, help="Only this task. Default: all three.")
@click.option("--since", type=click.DateTime(formats=["%Y-%m-%d"]), help="Only reviews that came on this day or later.")
@conf_option
@json_option
@plainly
def export_reviewed(
    folder: Path, tasks: tuple[str, ...], since: datetime | None, conf: Path | None, as_json: bool
) -> None:
    """Write images and corrected masks into FOLDER, in the layout of each task's data set (LiTS, BraTS, LUNA16).

    No names, IDs or dates are in the files; what the voxels show (a face) is. Cases that are there stay as they are.
    """
    from dicom_node.acts.export import export_reviewed as export
    from dicom_node.audit.facts import PersonAction
    from dicom_node.terminal import present

    moment = since.astimezone().timestamp() if since else 0.0
    lines = []
    with open_storage(conf) as parts:
        try:
            for line in export(parts.database, parts.archive, folder, tasks or None, moment):
                lines.append(line)
                if line.case is not None:
                    parts.audit.asked_by_a_person(PersonAction.EXPORT, line.study_instance_uid)
        except OSError as trouble:
            raise Failed(f"{folder} cannot be written: {trouble.strerror or trouble}") from trouble
    rows = [{"task": one.task, "case": one.case, "job": one.job_id, "reason": one.reason} for one in lines]
    if as_json:
        present.as_json(rows)
    else:
        present.show_lines(rows)
        click.echo(f"{sum(one.case is not None for one in lines)} cases written to {folder}")
    sys.exit(0 if lines else 1)
