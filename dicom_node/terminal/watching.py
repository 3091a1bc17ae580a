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

from dicom_node.terminal.present import STATE_STYLE, clock_text
from dicom_node.views.node import ROLE_SILENT_S
from dicom_node.views.study_views import Looking, studies_page
from storage.database import Database
from storage.finding.search import Sought

EVERY_S = 1.0
AROUND = 3  # lines of a screen that are no study: the line above, the headings, one to spare
BAR = 12  # letters
NARROW_STEP = 12
TODAY_S = 12 * 3600.0  # so long the time of day says when
# Letters that a column needs, and from which width of the terminal on it is shown.
COLUMNS = {"came": (5, 0), "study": (8, 0), "images": (6, 90), "step": (9, 0), "route": (8, 80), "model": (8, 120),
           "progress": (BAR, 110), "time": (8, 60), "destinations": (14, 0)}  # fmt: skip
STEPS = {"RECEIVING": "receive", "FETCHING": "fetch", "COMPLETE": "route", "NOT_ROUTED": "no route"}
OVER = {"DONE": "done", "SUPERSEDED": "superseded", "FAILED": "failed", "REFUSED": "refused"}


def watch(database: Database, console: Console, limit: int) -> None:
    """Show the studies anew every second until somebody presses Ctrl-C."""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                room = max(1, console.size.height - AROUND)
                live.update(screen(database, min(limit, room), time.time(), console.size.width), refresh=True)
                time.sleep(EVERY_S)
        except KeyboardInterrupt:
            return


def screen(database: Database, limit: int, now: float, width: int) -> RenderableType:
    """Whether the node runs, and the table of now."""
    with database.reading() as tx:
        lines = studies_page(tx, Sought(limit=limit), Looking(now))["studies"]
        roles = {row.role for row in tx.processes.list(now) if now - row.seen_at < ROLE_SILENT_S}
    running = f"running: {', '.join(sorted(roles))}" if roles else "the node is not running"
    above = Text(f"{clock_text(now)}  {running}", style="dim" if roles else "bold yellow", overflow="ellipsis")
    return Group(above, table(lines, now, width))


def table(lines: list[dict[str, Any]], now: float, width: int) -> RenderableType:
    """A row a job, and one for each study that has none yet; what there is no room for on `width` is left out."""
    if not lines:
        return Text("No study has arrived.")
    names = [name for name, (_, wide_enough) in COLUMNS.items() if width >= wide_enough]
    found = Table(expand=True, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name in names:
        found.add_column(name, no_wrap=True, overflow="ellipsis", min_width=COLUMNS[name][0],
                         max_width=NARROW_STEP if name == "step" and width < 90 else None)
    for line in lines:
        for number, job in enumerate(line["jobs"] or [{}]):
            cells = (_head(line, now) if number == 0 else {}) | _job(line, job) | {"destinations": _to(line, job)}
            found.add_row(*(cells.get(name, "") for name in names))
    return found


def _head(line: Mapping[str, Any], now: float) -> dict[str, Text]:
    """When, what, how many. A description is a stranger's word: a Text takes no markup, and controls are left out."""
    at = clock_text(line["received_at"])
    return {
        "came": Text(at[11:16] if now - line["received_at"] < TODAY_S else at[5:10]),
        "study": Text(_plain(line["description"] or " ".join(line["modalities"]) or line["study"])),
        "images": Text(str(line["images"])),
        "time": Text(_took(line, now)),
    }


def _job(line: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, RenderableType]:
    """Step, route, model, progress."""
    if not job:
        state = line["state"]
        return {"step": Text(STEPS.get(state, state.lower()), style=STATE_STYLE.get(state, ""))}
    state = job["state"]
    running = f"{100 * (job['progress'] or 0.0):.0f} % {job['step'] or 'starts'}"
    step = running if state == "RUNNING" else OVER.get(state, "waits")
    share = 1.0 if state == "DONE" else job["progress"] or 0.0
    return {
        "step": Text(_plain(step), style=STATE_STYLE.get(state, "")),
        "route": Text(job["route"]),
        "model": Text(job["model"]),
        "progress": ProgressBar(total=1.0, completed=share, width=BAR) if state in ("RUNNING", "DONE") else Text(),
    }


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
