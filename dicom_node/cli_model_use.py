"""`segnode models disable`, `enable`: which installed models take jobs."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dicom_node.cli_options import conf_option, open_storage, plainly


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask, though studies wait for it.")
@conf_option
@click.pass_obj
@plainly
def disable(group_conf: Path | None, name: str, yes: bool, conf: Path | None) -> None:
    """Have model NAME take no new jobs; those that wait for it stay in the queue, nothing is lost."""
    from dicom_node import model_switch
    from dicom_node.configuring import Author
    from dicom_node.errors import StudiesWait

    with open_storage(conf or group_conf) as parts:
        author = Author(time.time())
        try:
            changed = model_switch.disable(parts, name, author, sure=yes)
        except StudiesWait as waiting:
            click.confirm(f"{waiting}. Disable it?", abort=True)
            changed = model_switch.disable(parts, name, author, sure=True)
    click.echo(f"{name} takes no new jobs" if changed.change else f"{name} was disabled already")


@click.command()
@click.argument("name")
@conf_option
@click.pass_obj
@plainly
def enable(group_conf: Path | None, name: str, conf: Path | None) -> None:
    """Have model NAME take jobs again; `segnode route` has its routes look at what arrived meanwhile."""
    from dicom_node import model_switch
    from dicom_node.configuring import Author

    with open_storage(conf or group_conf) as parts:
        changed = model_switch.enable(parts, name, Author(time.time()))
    click.echo(f"{name} takes jobs again" if changed.change else f"{name} was not disabled")
