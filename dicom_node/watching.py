"""`segnode watch`: the newest studies and where they are, on a terminal that may be far away and may change its size.

Read from the database alone, as the console's list of studies is; nobody's name is in it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dicom_node.present import STATE_STYLE, clock_text
from dicom_node.study_views import Looking, studies_page
from dicom_node.views import ROLE_SILENT_S
from storage.database import Database
from storage.search import Sought

EVERY_S = 1.0
AROUND = 6  # lines of a screen that are no study: headings, frame, the line below
BAR = 12  # letters
STEPS = {"RECEIVING": "receive", "FETCHING": "fetch", "COMPLETE": "route", "NOT_ROUTED": "no route"}
OVER = {"DONE": "done", "SUPERSEDED": "superseded", "FAILED": "failed", "REFUSED": "refused"}


def watch(database: Database, console: Console, limit: int) -> None:
    """Show the studies anew every second until somebody presses Ctrl-C."""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                room = max(1, console.size.height - AROUND)
                live.update(screen(database, min(limit, room), time.time()), refresh=True)
                time.sleep(EVERY_S)
        except KeyboardInterrupt:
            return


def screen(database: Database, limit: int, now: float) -> RenderableType:
    """The table of now, and below it whether the node runs."""
    with database.reading() as tx:
        lines = studies_page(tx, Sought(limit=limit), Looking(now))["studies"]
        roles = {row.role for row in tx.processes.list(now) if now - row.seen_at < ROLE_SILENT_S}
    running = f"running: {', '.join(sorted(roles))}" if roles else "the node is not running"
    below = Text(f"{clock_text(now)}  {running}", style="dim" if roles else "bold yellow", overflow="ellipsis")
    return Group(table(lines, now), below)


def table(lines: list[dict[str, Any]], now: float) -> RenderableType:
    """A row a job, and one for each study that has none yet."""
    if not lines:
        return Text("No study has arrived.")
    found = Table(expand=True)
    for name in ("received", "study", "images", "step", "route", "model", "progress", "time", "destinations"):
        fixed = name in ("received", "images", "progress", "time")
        found.add_column(name, no_wrap=True, overflow="ellipsis", justify="right" if name == "images" else "left",
                         min_width=BAR if name == "progress" else 6 if fixed else None)
    for line in lines:
        for number, job in enumerate(line["jobs"] or [{}]):
            head = _head(line) if number == 0 else (Text(), Text(), Text())
            found.add_row(*head, *_job(line, job), Text(_took(line, now) if number == 0 else ""), _to(line, job))
    return found


def _head(line: Mapping[str, Any]) -> tuple[Text, Text, Text]:
    """When, what, how many. A description is a stranger's word: a Text takes no markup, and controls are left out."""
    what = line["description"] or " ".join(line["modalities"]) or line["study"]
    return Text(clock_text(line["received_at"])[5:16]), Text(_plain(what)), Text(str(line["images"]))


def _job(line: Mapping[str, Any], job: Mapping[str, Any]) -> tuple[RenderableType, ...]:
    """Step, route, model, progress."""
    if not job:
        state = line["state"]
        return Text(STEPS.get(state, state.lower()), style=STATE_STYLE.get(state, "")), Text(), Text(), Text()
    state = job["state"]
    step = job["step"] or "starts" if state == "RUNNING" else OVER.get(state, "waits")
    share = 1.0 if state == "DONE" else job["progress"] or 0.0
    bar = ProgressBar(total=1.0, completed=share, width=BAR) if state in ("RUNNING", "DONE") else Text()
    return Text(_plain(step), style=STATE_STYLE.get(state, "")), Text(job["route"]), Text(job["model"]), bar


def _took(line: Mapping[str, Any], now: float) -> str:
    """From the last image to the first result, or how long ago it came where there is none yet."""
    took = line["time_to_result_s"]
    seconds = took if took is not None else now - line["received_at"]
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}" + ("" if took is not None else " …")
    return f"{seconds:.0f} s" + ("" if took is not None else " …")


def _to(line: Mapping[str, Any], job: Mapping[str, Any]) -> Text:
    """Each destination of the job's, with the state of its delivery."""
    told = Text()
    for delivery in line["deliveries"]:
        if delivery["job"] == job.get("job"):
            told.append(f"{' ' if told else ''}{delivery['destination']} ")
            told.append(delivery["state"], style=STATE_STYLE.get(delivery["state"], ""))
    return told


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
