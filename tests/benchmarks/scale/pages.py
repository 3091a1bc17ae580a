"""The tables and the figure of deploy/SCALING.md, made of what was measured and simulated."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scale.curve import ALLOWED, Point
from scale.plan import (
    KEPT_DAYS,
    PLANNED_FOR,
    Limit,
    Row,
    devices_of,
    index_tb,
    limits,
)
from scale.steps import Account, Steps

PAGE = Path(__file__).resolve().parents[3] / "deploy" / "SCALING.md"
FIGURE = PAGE.with_name("scaling.png")
GPU_SCANNERS = (100, 1000, 10_000)
Rows = Sequence[Sequence[str]]

BEGIN, END = "<!-- {}: written by make bench-scaling -->", "<!-- end of {} -->"


def markdown(head: Sequence[str], rows: Rows) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def fill(page: str, tables: Mapping[str, str]) -> str:
    """The page with each table in its place; ValueError where it has none."""
    for name, table in tables.items():
        begin, end = BEGIN.format(name), END.format(name)
        place = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not place.search(page):
            raise ValueError(f"the page has no place for {name}: a line {begin!r} and a line {end!r}")
        page = place.sub(lambda _, text=f"{begin}\n{table}\n{end}": text, page)
    return page


def tables(
    calibration: Mapping[str, Any], steps: Steps, points: Sequence[Point], rows: Sequence[Row]
) -> dict[str, str]:
    """All of them by name."""
    return {"asked": asked(rows, steps), "needed": needed(rows), "limits": bounds(limits(steps)),
            "devices": gpus(steps), "curve": curve(points), "machine": told_where(calibration), "walks": walks(steps),
            "receiving": receiving(steps), "accounts": accounts(steps),
            "commits": commits(calibration)}  # fmt: skip


def asked(rows: Sequence[Row], steps: Steps) -> str:
    """What so many scanners bring."""
    head = ["scanners", "studies a day", "TB a day", "images/s", "MB/s in", "MB/s read", "writing transactions/s",
            "rows a day", f"index after {KEPT_DAYS} days, GB"]  # fmt: skip
    return markdown(head, [
        [f"{one.scanners:,}", *map(figures, (one.studies_a_day, one.terabytes_a_day, one.images_a_s, one.megabytes_a_s,
                                             one.read_mb_a_s, one.writes_a_s, one.images_a_day,
                                             1000 * index_tb(one, steps)))]
        for one in (row.demand for row in rows)
    ])  # fmt: skip


def needed(rows: Sequence[Row]) -> str:
    """What they need, and what they get."""
    head = ["scanners", "receivers", "GPUs", "pipelines", "PostgreSQLs", "balancers", "storages", "p50", "p95", "p99",
            "busiest"]  # fmt: skip
    return markdown(head, [
        [f"{row.demand.scanners:,}", *map(str, (row.plant.receivers, row.plant.devices, row.plant.pipelines,
                                                 row.plant.databases, row.balancers, row.storages)),
         *(f"{seconds:.0f} s" for seconds in row.result_s), f"{row.limit}, {row.busy[row.limit]:.0%}"]
        for row in rows
    ])  # fmt: skip


def gpus(steps: Steps) -> str:
    """How many GPUs, by what the networks take."""
    head = ["the networks take", *(f"{number:,} scanners" for number in GPU_SCANNERS)]
    return markdown(head, [
        [f"{times:g} times as long", *(f"{devices_of(number, steps, times)}" for number in GPU_SCANNERS)]
        for times in (0.25, 1, 4, 10)
    ])  # fmt: skip


def curve(points: Sequence[Point]) -> str:
    """What was measured beside what was simulated."""
    head = ["set-up", "load", "p50, s: measured, simulated", "p95, s: measured, simulated",
            "studies/s: measured, simulated", "largest error"]  # fmt: skip
    lines = []
    for point in points:
        told, measured, errors = point.simulated, point.measured, point.errors()
        lines.append([point.setup.name, f"{point.setup.load:.0%}",
                      *(f"{getattr(measured, name):.3g}, {getattr(told, name):.3g}" for name in vars(measured)),
                      f"{max(errors.values(), key=abs):+.0%}"])  # fmt: skip
    return markdown(head, lines)


def walks(steps: Steps) -> str:
    """Seconds by step of a study that is alone."""
    head = ["step", *steps.walks]
    names = {"stages": "complete, dispatch, claim", "read": "read",
             "prepare": "prepared and restored", "measure": "measured",
             "encode": "encoded, checked, stored", "deliver": "delivered"}  # fmt: skip
    return markdown(head, [[words, *(f"{figures(getattr(walk, name))} s" for walk in steps.walks.values())]
                           for name, words in names.items()])  # fmt: skip


def receiving(steps: Steps) -> str:
    """An image by C-STORE."""
    head = ["image", "alone in one association", "over four", "the receiver's processor"]
    return markdown(head, [[f"{name}, {one.megabytes:.2f} MB", f"{figures(1 / one.alone_s)}/s",
                            f"{figures(one.four_a_s)}/s", f"{figures(1000 * one.cpu_s)} ms"]
                           for name, one in steps.receiving.items()])  # fmt: skip


def accounts(steps: Steps) -> str:
    """What PostgreSQL does for each thing."""
    head = ["for", "transactions", "that write", "SELECT", "INSERT", "UPDATE", "processor", "log"]
    words = {"image": "an image, one association", "image_of_four": "an image, four associations",
             "study": "a study, from its last image to its result", "idle": "a second of a node without work",
             "device": "…and of each further device"}  # fmt: skip
    return markdown(head, [[text, *_account(steps.accounts[name])] for name, text in words.items()])


def commits(calibration: Mapping[str, Any]) -> str:
    """Images' rows, each in a transaction of its own."""
    head = ["processes that commit", "rows/s", "PostgreSQL's processor a row"]
    return markdown(head, [[str(one["processes"]), figures(one["rows_a_s"]), f"{figures(1000 * one['cpu_s'])} ms"]
                           for one in calibration["commits"]])  # fmt: skip


def _account(one: Account) -> list[str]:
    counts = [f"{value:.1f}" for value in (one.commits, one.writes, one.selects, one.inserts, one.updates)]
    return [*counts, f"{figures(1000 * one.cpu_s)} ms", f"{figures(one.wal_bytes / 1000)} kB"]


def bounds(found: Sequence[Limit]) -> str:
    """How many scanners one of each kind bears."""
    return markdown(["one of", "scanners"], [[one.what, figures(one.scanners)] for one in found])


def figures(value: float) -> str:
    """Two digits, as many as such a number has; thousands apart."""
    if value >= 99.5:
        whole = round(value, 2 - len(str(round(value))))
        return f"{int(whole):,}"
    return f"{value:.2g}"


def told_where(calibration: Mapping[str, Any]) -> str:
    """Machine and versions of a calibration, and how busy the machine was."""
    where = "{processor}, {cores} cores, {memory_gib} GiB, {system}".format(**calibration["machine"])
    known = calibration["versions"]
    loads = ", ".join(f"{part} {when['load']:g}{_at_priority(when['nice'])}"
                      for part, when in calibration["measured"].items())  # fmt: skip
    return (f"{where}; Python {known['python']}, PostgreSQL {known['PostgreSQL'].split()[0]}. "
            f"Load of the machine when it began: {loads}.")  # fmt: skip


def _at_priority(nice: int) -> str:
    """How a run was preferred to what else the machine did, if it was."""
    return f" (nice {nice})" if nice else ""


def draw(points: Sequence[Point], overload: Sequence[Row], file: Path) -> None:
    """Left what was measured beside what was simulated; right a plant that gets more than it was planned for."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 3.8), dpi=110)
    names = [f"workers: {point.setup.workers}\nload: {point.setup.load:.0%}" for point in points]
    for field, colour in (("p50_s", "tab:blue"), ("p95_s", "tab:orange")):
        told = [getattr(point.simulated, field) for point in points]
        left.errorbar(names, told, [ALLOWED * value for value in told], fmt="_", color=colour, capsize=5,
                      label=f"{field[:3]}, simulated ± {ALLOWED:.0%}")  # fmt: skip
        left.plot(names, [getattr(point.measured, field) for point in points], "o", color=colour,
                  label=f"{field[:3]}, measured")  # fmt: skip
    left.set(title="Small set-ups", ylabel="last image to result, s", ylim=(0, None), xlim=(-0.5, len(points) - 0.5))
    scanners = [row.demand.scanners for row in overload]
    for place, part in enumerate(("p50", "p95", "p99")):
        right.plot(scanners, [row.result_s[place] for row in overload], "o-", label=f"last image to result, {part}")
    right.plot(scanners, [row.sent_s for row in overload], "s--", label="first image to last, p95")
    right.set(title=f"What was planned for {PLANNED_FOR:,} scanners", xlabel="scanners", ylabel="s", yscale="log")
    for axis in (left, right):
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(file)
    pyplot.close(figure)
