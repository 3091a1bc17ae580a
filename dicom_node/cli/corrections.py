"""`segnode reissue`: what a person says after a correction."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from dicom_node.cli.options import conf_option, open_storage, plainly


@click.command()
@click.argument("study_uid")
@conf_option
@plainly
def reissue(study_uid: str, conf: Path | None) -> None:
    """Make delivered results of a study anew under its corrected header."""
    from dicom_node.acts.reissue import reissue as again
    from dicom_node.audit.facts import PersonAction

    with open_storage(conf) as parts:
        with parts.database.transaction() as tx:
            count = again(tx, time.time(), study_uid)
        if count:
            parts.audit.asked_by_a_person(PersonAction.REISSUE, study_uid)
    click.echo(f"{count} stale results are made anew" if count else "no result of this study is stale")
    sys.exit(0 if count else 1)
