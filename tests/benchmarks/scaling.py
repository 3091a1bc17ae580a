"""How far the node scales: measured at small scale, simulated from 1 to 10,000 scanners: `make bench-scaling`.

python tests/benchmarks/scaling.py [--measure receiving commits walks curve] [--write] [--record FOLDER]

Step times are measured on this machine: images received, rows committed, studies of full size that walk alone, and the
set-ups that are both run and simulated (all of them in about six minutes; after --measure name some or none). What is
not measured anew comes from scale/calibration.json. The simulation reads them; scale/walk.py says what of a study's way
it models, and scale/scanners.py what it assumes of hospitals. Exits with 1 where it is more than 20 % off the measured
run. `--write` keeps the calibration, and writes the tables and the figure of deploy/SCALING.md.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import Comparison, Record, options, report
from private_postgres import running_postgres
from scale import pages
from scale.curve import ALLOWED, points_of
from scale.measuring import PARTS, databases, measure
from scale.plan import SCANNERS, overload, row
from scale.steps import CALIBRATION, calibration, steps_of

SERVER = ("fsync=on", "full_page_writes=on", "shared_preload_libraries=pg_stat_statements", "max_connections=100")


def tell(text: str) -> None:
    """Where it is, for who waits."""
    print(text, file=sys.stderr, flush=True)


def measured(parts: Sequence[str], keep: bool) -> dict[str, Any]:
    """The kept calibration with these parts of it made anew, and kept."""
    found = calibration() if CALIBRATION.exists() else {}
    with (
        running_postgres(*SERVER) as url,
        tempfile.TemporaryDirectory(prefix="scaling-") as place,
        databases(url) as new,
    ):
        for part in parts:
            load = round(os.getloadavg()[0], 1)
            found = measure(part, found, Path(place), new, tell)
            when = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "load": load, "nice": os.nice(0)}
            found["measured"] = {**found.get("measured", {}), part: when}
            if keep:
                CALIBRATION.write_text(json.dumps(found, indent=1) + "\n")
    return found


def main() -> None:
    parser = options(__doc__, rounds=1)
    parser.add_argument("--measure", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--write", action="store_true", help="the calibration, and the tables of deploy/SCALING.md")
    asked = parser.parse_args()
    found = measured(asked.measure, asked.write) if asked.measure else calibration()
    steps, points = steps_of(found), points_of(found)
    rows = [row(scanners, steps) for scanners in SCANNERS]
    tables = pages.tables(found, steps, points, rows)
    print(*(f"{name}\n\n{table}\n" for name, table in tables.items()), sep="\n")
    if asked.write:
        pages.PAGE.write_text(pages.fill(pages.PAGE.read_text(), tables))
        pages.draw(points, overload(steps), pages.FIGURE)
    lines = [Comparison(f"time to result, {point.setup.name}, {name[:3]}", "s",
                        ("segnode", [getattr(point.measured, name)]), ("simulated", [getattr(point.simulated, name)]))
             for point in points for name in ("p50_s", "p95_s")]  # fmt: skip
    report(Record("scaling", lines, [pages.told_where(found)]), asked.record)
    sys.exit(any(abs(error) > ALLOWED for point in points for error in point.errors().values()))


if __name__ == "__main__":
    main()
