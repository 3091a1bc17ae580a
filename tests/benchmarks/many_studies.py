"""How long the first page of studies takes among 50,000 of them, against a node with one full page: `make bench`.

python tests/benchmarks/many_studies.py [--studies 50000] [--rounds 30] [--sqlite-only] [--record FOLDER]. Both nodes
are asked in this process by turns, so that a busy machine slows both alike: the page of the console and the API, with
names, as an administrator. Every study has a series, a sender, a job and a delivery. Exits with 1 where the many take
more than 1.2 times as long as the few.
"""

from __future__ import annotations

import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from browsing import Browser
from harness import Comparison, Record, options, report, take_turns
from private_postgres import running_postgres

from dicom_node.assembly import Parts, assemble
from dicom_node.settings import load
from dicom_node.web.app import create_app, open_console
from storage import tables
from storage.archive import folder_name
from storage.arriving.headers import header_columns
from storage.people.tickets import TicketKind
from storage.people.users import Role

Ask = Callable[[str], float]  # a place's seconds

PAGE = 50
ALLOWED = 1.2
PLACES = {"page": "/studies", "API": "/api/v1/studies"}
NODE = "ae_title: SEGNODE\nhost: 127.0.0.1\ndata_folder: data\ndevices: [cpu]\n"
SOME = 2000  # rows that one statement inserts


def node(folder: Path, database: str, studies: int) -> Parts:
    """A node with so many studies; an empty `database` is SQLite in its folder."""
    parts = empty_node(folder, database)
    for first in range(0, studies, SOME):
        insert(parts, study_rows(range(first, min(first + SOME, studies))))
    if database:
        vacuum(database)
    return parts


def vacuum(database: str) -> None:
    """What PostgreSQL does by itself within a minute of many new rows: until then it plans for an empty table."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def empty_node(folder: Path, database: str, more: str = "") -> Parts:
    """A node that has seen nothing; `more` is YAML of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "node.yaml").write_text(NODE + (f"database_url: {database}\n" if database else "") + more)
    (folder / "routes.yaml").write_text("routes: []\n")
    (folder / "models.yaml").write_text("models: {}\n")
    return assemble(load(folder))


def insert(parts: Parts, rows: Mapping[str, list[dict]]) -> None:
    """Rows by table, in one transaction."""
    with parts.database.transaction() as tx:
        for table, some in rows.items():
            tx._connection.execute(tables.metadata.tables[table].insert(), some)


def study_rows(numbers: range, begin: float = 1_700_000_000.0, every_s: float = 60.0) -> dict[str, list[dict]]:
    """What studies leave behind that arrived from `begin` on, without their instances."""
    rows: dict[str, list[dict]] = {name: [] for name in ("studies", "series", "associations", "senders", "jobs",
                                                         "deliveries")}  # fmt: skip
    for number in numbers:
        uid, at = f"1.2.826.{number}", begin + every_s * number
        header = {"PatientName": f"Doe^{number}", "PatientID": f"P-{number}", "StudyDescription": "Thorax"}
        state = "NOT_ROUTED" if number % 7 == 0 else "DISPATCHED"
        rows["studies"].append({"study_uid": uid, "state": state, "generation": 1, "received_at": at,
                                "changed_at": at, "images": 300, "folder": folder_name(uid),
                                **header_columns(header)})  # fmt: skip
        rows["series"].append({"study_uid": uid, "series_uid": f"{uid}.1", "modality": "CT", "images": 300,
                               "others": 0, "header": {}})  # fmt: skip
        rows["associations"].append({"association_id": f"a-{number}", "calling_aet": "CT1", "called_aet": "SEGNODE",
                                     "address": "10.0.0.1", "opened_at": at, "closed_at": at + 30.0,
                                     "lease_owner": "receive", "lease_until": at})  # fmt: skip
        rows["senders"].append({"study_uid": uid, "association_id": f"a-{number}"})
        rows["jobs"].append({"job_id": f"job-{number}", "study_uid": uid, "generation": 1, "route": "r",
                             "task": "liver_tumour", "model": "m", "state": "DONE", "priority": 50, "inputs": {},
                             "parameters": {}, "created_at": at, "queued_at": at, "reason": "", "attempts": 1,
                             "crashes": 0, "progress": 1.0, "step": "", "started_at": at, "finished_at": at + 60.0,
                             "summary": {"findings": []}})  # fmt: skip
        rows["deliveries"].append({"job_id": f"job-{number}", "study_uid": uid, "destination": "pacs", "state": "SENT",
                                   "attempts": 1, "next_attempt_at": at, "created_at": at, "sent_at": at + 90.0,
                                   "reason": "", "statuses": {}})  # fmt: skip
    return rows


def ask(parts: Parts) -> Ask:
    """Gives how many seconds an answer took."""
    console = open_console(parts)
    with parts.database.transaction() as tx:
        ada = tx.users.add("ada", Role.ADMIN, time.time()).user_id
        session = tx.tickets.issue(TicketKind.SESSION, ada, time.time(), lasts_s=3600.0)
    browser = Browser(create_app(console))
    browser.cookies.set("segnode", console.cookies._signer("segnode").sign(session).decode())

    def seconds(place: str) -> float:
        start = time.perf_counter()
        answer = browser.get(place)
        took = time.perf_counter() - start
        assert answer.status_code == 200, answer.text
        return took

    return seconds


def compare(kind: str, few: Ask, many: Ask, chosen: Namespace) -> list[Comparison]:
    """Of a node with a page of studies and one with many, the page and the API."""
    lines = []
    for name, place in PLACES.items():
        found = take_turns({"few": partial(few, place), "many": partial(many, place)}, chosen.rounds)
        small, large = ([1000.0 * seconds for seconds in found[who]] for who in ("few", "many"))
        lines.append(Comparison(f"first {name} of studies, {kind}", "ms", (f"{chosen.studies} studies", large),
                                (f"{PAGE} studies", small), wanted=round(1 / ALLOWED, 2)))  # fmt: skip
    return lines


def main() -> None:
    parser = options(__doc__, rounds=30)
    parser.add_argument("--studies", type=int, default=50_000)
    parser.add_argument("--sqlite-only", action="store_true", help="not on PostgreSQL")
    chosen = parser.parse_args()
    lines: list[Comparison] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kinds = {"SQLite": ("", "")}
        if not chosen.sqlite_only:
            kinds["PostgreSQL"] = databases(stack.enter_context(running_postgres()))
        for kind, urls in kinds.items():
            nodes = [node(folder / f"{kind}-{number}", url, number)
                     for url, number in zip(urls, (PAGE, chosen.studies), strict=True)]
            for parts in nodes:
                stack.callback(parts.close)
            lines += compare(kind, *map(ask, nodes), chosen)
    report(Record("many_studies", lines), chosen.record)
    sys.exit(any(line.ratio < 1 / ALLOWED for line in lines))


def databases(url: Callable[[str], str]) -> tuple[str, str]:
    """Two empty ones."""
    import psycopg

    with psycopg.connect(url("postgres"), autocommit=True) as admin:
        for name in ("few", "many"):
            admin.execute(f"CREATE DATABASE {name}")
    return url("few"), url("many")


if __name__ == "__main__":
    main()
