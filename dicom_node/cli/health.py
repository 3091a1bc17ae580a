"""`segnode health`: the answer to a probe of Docker, Kubernetes or systemd."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from dicom_node.cli.options import conf_option, plainly, roles_option


@click.command()
@conf_option
@roles_option
@click.option("--alive", is_flag=True, help="Do not hold a database against it that cannot be asked.")
@plainly
def health(conf: Path | None, roles: list[str], alive: bool) -> None:
    """Are the roles well that run on this machine, or in this container? Exit code 1 and why where they are not."""
    from dicom_node.running.health import troubles
    from dicom_node.settings import load

    found = troubles(load(conf), roles, time.time(), alive=alive)
    click.echo("; ".join(found) or "well")
    sys.exit(1 if found else 0)
