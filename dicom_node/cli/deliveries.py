"""`segnode deliveries`: what has left, what waits, and the dead letters."""

from __future__ import annotations

import time
from pathlib import Path

import click

from dicom_node.cli.options import conf_option, json_option, open_storage, plainly


@click.command()
@click.option("--dead", is_flag=True, help="Dead letters alone: what was given up until a person retries it.")
@click.option("--destination", metavar="NAME", help="Of this destination alone.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="How many of the newest.")
@conf_option
@json_option
@plainly
def deliveries(dead: bool, destination: str | None, limit: int, conf: Path | None, as_json: bool) -> None:
    """Deliveries explained: what was tried, when, what the peer said, what to do."""
    from dicom_node.terminal import present
    from dicom_node.terminal.present_deliveries import show_deliveries, show_destinations
    from dicom_node.views.delivery_views import deliveries_view, destinations_view

    with open_storage(conf) as parts, parts.database.reading() as tx:
        lines = deliveries_view(tx, dead=dead, destination=destination, limit=limit)
        places = [one for one in destinations_view(tx) if destination in (None, one["destination"])]
    if as_json:
        present.as_json({"destinations": places, "deliveries": lines})
    else:
        show_destinations(places, time.time())
        show_deliveries(lines)
