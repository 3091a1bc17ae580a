"""`segnode watch`: the studies as they go through the node, on a terminal."""

from __future__ import annotations

from pathlib import Path

import click

from dicom_node.cli.options import conf_option, open_storage, plainly


@click.command()
@conf_option
@click.option("--once", is_flag=True, help="Print one table and end, as a pipe gets it anyhow.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="At most so many studies.")
@plainly
def watch(conf: Path | None, once: bool, limit: int) -> None:
    """Show the newest studies and where they are, until Ctrl-C."""
    import time

    from dicom_node.terminal.present import console
    from dicom_node.terminal.watching import screen
    from dicom_node.terminal.watching import watch as look

    out = console()
    with open_storage(conf) as parts:
        if once or not out.is_terminal:
            out.print(screen(parts.database, limit, time.time(), out.width))
        else:
            look(parts.database, out, limit)
