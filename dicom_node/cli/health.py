"""`segnode health`: the answer to a probe of Docker, Kubernetes or systemd."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from dicom_node.cli.options import conf_option, plainly, roles_option
from dicom_node.errors import ConfigurationError


@click.command()
@conf_option
@roles_option
@click.option("--alive", is_flag=True, help="Hold only against it what a restart may mend.")
@plainly
def health(conf: Path | None, roles: list[str], alive: bool) -> None:
    """Are the roles well that run on this machine, or in this container? Exit code 1 and why where they are not."""
    from dicom_node.running.health import troubles
    from dicom_node.settings import load

    try:
        settings = load(conf)
    except ConfigurationError as wrong:
        if not alive:
            raise
        # What runs works on by what the files said before, and would not start by what they say now.
        click.echo(f"no restart mends that: {'; '.join(wrong.problems)}")
        return
    found = troubles(settings, roles, time.time(), alive=alive)
    click.echo("; ".join(found) or "well")
    sys.exit(1 if found else 0)
