"""Deliveries on a terminal, in plain sentences: what was tried, when, what the peer said, what to do."""

from __future__ import annotations

from typing import Any

from dicom_node.terminal.present import clock_text, console, said, styled


def show_deliveries(lines: list[dict[str, Any]]) -> None:
    """One paragraph a delivery, newest first."""
    out = console()
    if not lines:
        out.print("nothing")
        return
    for line in lines:
        place = line["destination"]
        out.print(f"[bold]delivery {line['delivery']}[/] of study {line['study']} to {place}: {styled(line['state'])}")
        out.print(f"  {line['objects']} objects, made {clock_text(line['created_at'])}; {_tried(line)}")
        if line["stored"]:
            kept = line["via"] or place
            out.print(f"  {kept} holds {line['stored']} of {line['objects']} objects")
        if line["reason"]:
            out.print(f"  because: {said(line['reason'])}")
        if line["to_do"]:
            out.print(f"  to do: {said(line['to_do'])}")


def show_destinations(lines: list[dict[str, Any]], now: float) -> None:
    """One line a destination for which something waits."""
    out = console()
    for line in lines:
        text = f"{line['waiting']} waiting"
        if line["down_since"] is None:
            out.print(f"{line['destination']}: {text}")
            continue
        since, pause_s = clock_text(line["down_since"]), line["next_try_at"] - now
        next_try = f"next try in {_duration(pause_s)}" if pause_s > 0 else "it is being tried"
        text = f"[bold red]down[/] since {since}, {text}, {next_try}"
        out.print(f"{line['destination']}: {text}: {said(line['reason'])}")


def _tried(line: dict[str, Any]) -> str:
    if line["sent_at"] is not None and line["state"] in ("SENT", "COMMITTED"):
        return f"delivered {clock_text(line['sent_at'])}, at attempt {line['attempts']}"
    if line["tried_at"] is None:
        return "never tried"
    times = "once" if line["attempts"] == 1 else f"{line['attempts']} times"
    return f"tried {times}, last {clock_text(line['tried_at'])}"


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
