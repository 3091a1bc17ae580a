"""`segnode support-bundle`: one file to send to whoever helps."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import click

from dicom_node.cli.options import Failed, conf_option, open_storage, plainly


@click.command("support-bundle")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Default: segnode-support-DATE.zip here.")
@click.option("--log", "logs", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A log file that the node's standard error went to; may be given again.")  # fmt: skip
@click.option("--echo/--no-echo", default=True, help="Call every peer, as `segnode check` does.")
@click.option("--who", metavar="STUDY_UID", help="Write nothing; print by which pseudonym a study is called.")
@conf_option
@plainly
def support_bundle(out: Path | None, logs: tuple[Path, ...], echo: bool, who: str | None, conf: Path | None) -> None:
    """Gather versions, configuration, state, failures and events into one ZIP, without patients and passwords."""
    from dicom_node.support.support_bundle import Asked, pseudonym, write_bundle

    path = out or Path(f"segnode-support-{datetime.now().astimezone():%Y%m%d-%H%M%S}.zip")
    with open_storage(conf) as parts:
        if who:
            click.echo(pseudonym(parts, who))
            return
        try:
            names = write_bundle(parts, path, Asked(logs, with_echo=echo), time.time())
        except OSError as fault:
            raise Failed(f"{path} cannot be written: {fault.strerror}") from fault
        parts.audit.bundle_taken()
    click.echo(f"{path}: {len(names)} files. Look into it before you send it.")
