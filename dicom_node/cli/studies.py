"""`segnode route`, `run` and `delete`: what a person has done with one study, as on its page."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dicom_node.cli.options import Failed, conf_option, open_storage, plainly


@click.command()
@click.argument("study_uid")
@conf_option
@plainly
def route(study_uid: str, conf: Path | None) -> None:
    """Have every route of now judge a settled study once more."""
    from dicom_node.acts.route_again import route_again
    from dicom_node.audit.facts import PersonAction

    with open_storage(conf) as parts:
        with parts.database.transaction() as tx:
            route_again(tx, time.time(), study_uid)
        parts.audit.asked_by_a_person(PersonAction.ROUTE, study_uid)
    click.echo("every route looks at this study again")


@click.command()
@click.argument("study_uid")
@click.option("--model", "name", required=True, metavar="NAME", help="A model in models.yaml.")
@conf_option
@plainly
def run(study_uid: str, name: str, conf: Path | None) -> None:
    """Make a study's results by another model; they take the place of those that there are."""
    from dicom_node.acts.another_model import run_with
    from dicom_node.audit.facts import PersonAction
    from dicom_node.models.installed_models import installed_models

    with open_storage(conf) as parts:
        model = installed_models(parts.settings).get(name)
        if model is None:
            raise Failed(f"no model {name} in models.yaml; known: {', '.join(sorted(parts.settings.models)) or 'none'}")
        with parts.database.transaction() as tx:
            count = run_with(tx, time.time(), study_uid, model, parts.revision)
        parts.audit.asked_by_a_person(PersonAction.RUN, study_uid)
    click.echo(f"{count} jobs of model {name} will take the place of what there is")


@click.command()
@click.argument("study_uid")
@click.option("--yes", is_flag=True, help="Do not ask first.")
@conf_option
@plainly
def delete(study_uid: str, yes: bool, conf: Path | None) -> None:
    """Delete a study from this node, whatever its age, unless work hangs on it.

    Results that are held or that were given up are dropped with it. Archives keep what they have.
    """
    from dicom_node.assembly import cleaner

    with open_storage(conf) as parts:
        if not yes:
            click.confirm(f"delete images and results of study {study_uid} here?", abort=True)
        gone = cleaner(parts, by_person=True).remove_now(study_uid, time.time())
    click.echo(f"deleted: {gone.files} files, {gone.bytes / 1e9:.3f} GB")


COMMANDS = (route, run, delete)
