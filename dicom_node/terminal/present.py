"""Views on a terminal: tables where somebody looks, plain lines where nobody does, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dicom_node.audit.spool import MANY
from dicom_node.review_words import review_in_words
from storage.working.reviews import ReviewKind

STATE_STYLE = {
    "DONE": "green",
    "SENT": "green",
    "COMMITTED": "green",
    "RUNNING": "cyan",
    "PENDING": "cyan",
    "FAILED": "bold red",
    "DEAD": "bold red",
    "REFUSED": "yellow",
    "HELD": "yellow",
    "NOT_ROUTED": "yellow",
    "GIVEN_UP": "yellow",
    "SUPERSEDED": "dim",
    "REMOVED": "dim",
}


def console() -> Console:
    """Standard output: colours on a terminal, full-width plain text in a pipe; a line `:100:` is no emoji."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, emoji=False)


class Advance(Protocol):
    """One more is done; of how many, where that was not known before."""

    def __call__(self, total: int | None = None) -> None: ...


@contextmanager
def progress_bar(text: str, total: int | None = None) -> Iterator[Advance]:
    """A bar on a terminal's standard error, moved on by one at each call; nothing where nobody looks."""
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Console(stderr=True)
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bars:
        task = bars.add_task(text, total=total)
        yield lambda total=None: bars.update(task, advance=1, total=total)


def as_json(view: Any) -> None:
    """Print for a script."""
    sys.stdout.write(json.dumps(view, indent=2, default=str) + "\n")


def said(text: object) -> str:
    """What a stranger may have written, as plain text: no markup of ours and no control of the terminal."""
    return escape("".join(c if c.isprintable() else " " for c in str(text)))


def clock_text(at: float) -> str:
    """Local time of day with the date, to the second."""
    return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def styled(state: str) -> str:
    """A state in its colour."""
    style = STATE_STYLE.get(state, "")
    return f"[{style}]{state}[/]" if style else state


def show_status(view: dict[str, Any]) -> None:
    """Roles, queues, disk, and what needs a person first."""
    out = console()
    for line in view["needs_a_person"]:
        out.print(f"[bold yellow]![/] {said(line)}")
    table = Table("role", "pid", "alive", "up", "loaded")
    for role in view["roles"]:
        table.add_row(
            role["role"],
            str(role["pid"]),
            "yes" if role["alive"] else "[bold red]silent[/]",
            f"{role['up_s']:.0f} s",
            " ".join(role["modules"]),
        )
    if view["roles"]:
        out.print(table)
    else:
        out.print("No role is running here.")
    for what in ("studies", "jobs", "deliveries", "fetches"):
        counts = ", ".join(f"{n} {styled(state)}" for state, n in sorted(view[what].items()) if n)
        out.print(f"{what}: {counts or 'none'}")
    if view["marks"]:
        out.print("delivered results: " + ", ".join(f"{n} {mark}" for mark, n in sorted(view["marks"].items())))
    if view["reviewed_jobs"]:
        out.print(f"results reviewed by persons: {view['reviewed_jobs']}")
    out.print(f"open associations: {view['open_associations']}; free disk: {view['free_bytes'] / 1e9:.1f} GB")
    if view["audit"]:
        waiting = view["audit"]["waiting"]
        number = f"more than {MANY}" if waiting > MANY else waiting
        out.print(f"audit messages in {said(view['audit']['folder'])}: {number}")


def show_studies(lines: list[dict[str, Any]]) -> None:
    """Newest studies first."""
    out = console()
    if not lines:
        out.print("No study has arrived.")
        return
    table = Table("received", "study", "state", "images", "jobs", "deliveries")
    for line in lines:
        table.add_row(
            clock_text(line["received_at"]),
            line["study"],
            styled(line["state"]),
            str(line["images"]),
            "\n".join(_job_text(job) for job in line["jobs"]) or "-",
            "\n".join(f"{d['destination']} {styled(d['state'])}" for d in line["deliveries"]) or "-",
        )
    out.print(table)


def _job_text(job: dict[str, Any]) -> str:
    text = f"{job['task']} {styled(job['state'])}"
    if job["mark"]:
        text += f" [yellow]{job['mark']}[/]"
    if job["state"] == "RUNNING":
        text += f" {job['step']} {100 * (job['progress'] or 0):.0f} %"
    return text


def _show_plight(view: dict[str, Any], out: Console) -> None:
    """What the study lacks, and why."""
    if view["removed"]:
        out.print(f"[bold]removed[/] {clock_text(view['removed']['at'])}: {said(view['removed']['why'])}")
    if view["incomplete"]:
        out.print(f"[bold yellow]{said(view['incomplete'])}[/]")
    if fetch := view["fetch"]:
        out.print(f"{said(fetch['peer'])} was asked: {styled(fetch['state'])} {said(fetch['reason'])}")
    if recall := view["recall"]:
        out.print(f"{said(recall['peer'])} for earlier results: {styled(recall['state'])} {said(recall['reason'])}")


def show_study(view: dict[str, Any]) -> None:
    """One study: series, jobs, findings, deliveries."""
    out = console()
    out.print(f"[bold]{view['study']}[/] {styled(view['state'])}, generation {view['generation']}")
    sender = said(", ".join(view["from"]))
    out.print(f"received {clock_text(view['received_at'])} from {sender}; {view['images']} images")
    _show_plight(view, out)
    table = Table("no.", "modality", "description", "images", "series", title="series", title_justify="left")
    for series in view["series"]:
        table.add_row(
            said("" if series["number"] is None else series["number"]),
            said(series["modality"]),
            said(series["description"]),
            str(series["images"] or f"{series['others']} other"),
            series["series"],
        )
    out.print(table)
    if view["corrected"] or view["conflicts"]:
        out.print(f"{view['corrected']} images corrected, {view['conflicts']} conflicting contents kept beside")
    if view["rejected"]:
        out.print(f"{len(view['rejected'])} instances rejected by {len({r['note'] for r in view['rejected']})} notes")
    for job in view["jobs"]:
        out.print(f"[bold]{job['task']}[/] ({job['route']}, {job['model']}) {_job_text(job)} {said(job['reason'])}")
        for finding in job["findings"]:
            out.print(f"  {said(finding['label'])}: {finding['ml']:.2f} ml")
        for name, value in job["totals"].items():
            out.print(f"  {name}: {value:.2f}")
        for note in job["notes"]:
            out.print(f"  note: {said(note)}")
        if job["seconds"]:
            out.print("  " + ", ".join(f"{step} {s:.1f} s" for step, s in job["seconds"].items()))
    for result in view["results"]:
        out.print(f"{result['kind']}: {result['sop_instance_uid']}")
    _show_judgements(view, out)
    for d in view["deliveries"]:
        out.print(f"to {d['destination']}: {styled(d['state'])} after {d['attempts']} attempts {said(d['reason'])}")
        if commitment := d.get("commitment"):
            asked = f"asked {commitment['asked']} times" if commitment["asked"] else "not asked yet"
            out.print(f"  commitment {styled(commitment['state'])}, {asked} {said(commitment['reason'])}")


def _show_judgements(view: dict[str, Any], out: Console) -> None:
    """What persons corrected, and what they made of the results."""
    for review in view["reviews"]:
        _show_review(review, out)
    for one in view["assessments"]:
        newer = "" if one["counts"] else " [dim](a newer one counts)[/]"
        because = f" for {one['because']}" if one["because"] else ""
        out.print(f"[bold]{one['assessment']}[/] {clock_text(one['at'])}{because} by {one['by']}{newer}")


def _show_review(review: dict[str, Any], out: Console) -> None:
    """What a person corrected: of a report in a sentence, of a segmentation in a line for each structure."""
    why_not = "a note has rejected it" if review["taken_back"] else "a newer one counts"
    newer = "" if review["counts"] else f" [dim]({why_not})[/]"
    if review["kind"] == ReviewKind.SR:
        words = review_in_words(review["kind"], review)
        out.print(f"{clock_text(review['at'])} report {review['sop_instance_uid']} {said(words)}{newer}")
        return
    out.print(f"[bold]reviewed[/] {clock_text(review['at'])} by {review['sop_instance_uid']}{newer}")
    for one in review["structures"]:
        volumes = f"{one['ml']:.2f} ml, corrected {one['reviewed_ml']:.2f} ml"
        out.print(f"  {one['structure']}: Dice {one['dice']:.3f}; {volumes}")
    lesions = ", ".join(f"{number} {change}" for change, number in review["lesions"].items())
    out.print(f"  lesions: {lesions}")
    if review["not_judged"]:
        out.print(f"  not judged: {', '.join(review['not_judged'])}")
    if review["unknown"]:
        out.print(f"  segments of unknown type: {said(', '.join(review['unknown']))}")


def show_explain(view: dict[str, Any]) -> None:
    """Why: verdict by verdict, then what happened when."""
    show_study(view)
    out = console()
    table = Table("route", "series", "", "reason", title="verdicts", title_justify="left")
    numbers = {s["series"]: f"{s['number']} {s['description']}" for s in view["series"]}
    for verdict in view["verdicts"]:
        mark = "[green]yes[/]" if verdict["ok"] else "[yellow]no[/]"
        about = numbers.get(verdict["series"], "whole study")
        table.add_row(said(verdict["route"]), said(about), mark, said(verdict["reason"]))
    out.print(table)
    for entry in view["history"]:
        out.print(f"{clock_text(entry['at'])}  {entry['event']}: {said(entry['text'])}")


def show_check(problems: list[str], silent: list[str], unfit: list[str], remarks: list[str]) -> None:
    """Configuration mistakes, or that there is none."""
    out = console()
    for problem in problems:
        out.print(f"[bold red]wrong[/] {said(problem)}")
    for peer in silent:
        out.print(f"[bold red]silent[/] {said(peer)}")
    for sentence in unfit:
        out.print(f"[bold red]unfit[/]  {said(sentence)}")
    for remark in remarks:
        out.print(f"[yellow]note[/]  {said(remark)}")
    if not problems:
        out.print("[green]The configuration holds.[/]")


def show_lines(lines: list[dict[str, Any]]) -> None:
    """Any list of flat records as a table."""
    out = console()
    if not lines:
        out.print("nothing")
        return
    table = Table(*(str(key).replace("_", " ") for key in lines[0]))
    for line in lines:
        table.add_row(*(f"{v:.3f}" if isinstance(v, float) else said(v) for v in line.values()))
    out.print(table)
