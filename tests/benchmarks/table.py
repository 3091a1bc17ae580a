"""The table of all benchmarks whose records lie in a folder: python tests/benchmarks/table.py FOLDER."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness import HEAD


def table(folder: Path) -> str:
    """Markdown: machine, versions, every line, then the remarks."""
    records = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    if not records:
        raise SystemExit(f"{folder} holds no records; make some with: make bench")
    machines = {json.dumps(one["machine"], sort_keys=True) for one in records}
    known: dict[str, str] = {}
    for one in records:
        known.update(one["versions"])
    text = [_words(json.loads(one)) for one in sorted(machines)]
    text += [", ".join(f"{name} {version}" for name, version in known.items()) + ".", "", HEAD]
    text += [one["line"] for record in records for one in record["comparisons"]]
    text += ["", *(f"- {remark}" for record in records for remark in record["remarks"])]
    return "\n".join(text)


def _words(machine: dict[str, object]) -> str:
    return "{processor}, {cores} cores, {memory_gib} GiB, {system}.".format(**machine)


if __name__ == "__main__":
    print(table(Path(sys.argv[1])))
