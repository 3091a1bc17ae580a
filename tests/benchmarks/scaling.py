"""How far the node scales: measured at small scale, simulated from 1 to 10,000 scanners: `make bench-scaling`.

python tests/benchmarks/scaling.py [--measure all|curve|nothing] [--write] [--record FOLDER]

Step times are measured on this machine (*all*, about five minutes; *curve*: only the set-ups that are both run and
simulated) or taken from scale/calibration.json (*nothing*). The simulation reads them; scale/walk.py says what of a
study's way it models, and scale/scanners.py what it assumes of hospitals. Exits with 1 where it is more than 20 % off
the measured run. `--write` keeps the calibration, and writes the tables and the figure of deploy/SCALING.md.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import Comparison, Record, machine, options, report
from private_postgres import running_postgres
from scale import pages
from scale.curve import ALLOWED, points_of
from scale.plan import SCANNERS, overload, row
from scale.steps import CALIBRATION, calibration, steps_of

SERVER = ("fsync=on", "full_page_writes=on", "shared_preload_libraries=pg_stat_statements", "max_connections=100")


def tell(text: str) -> None:
    """Where it is, for who waits."""
    print(text, file=sys.stderr, flush=True)


def measured(what: str) -> dict[str, Any]:
    """A calibration with that much of it made anew."""
    from scale.measuring import databases, measure, measure_curve

    load = os.getloadavg()[0]
    with (
        running_postgres(*SERVER) as url,
        tempfile.TemporaryDirectory(prefix="scaling-") as place,
        databases(url) as new,
    ):
        if what == "all":
            found = measure(Path(place), new, tell)
        else:
            kept = calibration()
            curve, *_ = measure_curve(Path(place), new, steps_of(kept).accounts["image"], tell)
            found = kept | {"curve": curve, "machine": machine()}
    return found | {"at": datetime.now(UTC).isoformat(timespec="seconds"), "load": round(load, 1)}


def main() -> None:
    parser = options(__doc__, rounds=1)
    parser.add_argument("--measure", choices=("all", "curve", "nothing"), default="all")
    parser.add_argument("--write", action="store_true", help="the calibration, and the tables of deploy/SCALING.md")
    asked = parser.parse_args()
    found = calibration() if asked.measure == "nothing" else measured(asked.measure)
    if asked.write:
        CALIBRATION.write_text(json.dumps(found, indent=1) + "\n")
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
    report(Record("scaling", lines, [f"Scaling: measured at a load of the machine of {found['load']}."]), asked.record)
    sys.exit(any(abs(error) > ALLOWED for point in points for error in point.errors().values()))


if __name__ == "__main__":
    main()
