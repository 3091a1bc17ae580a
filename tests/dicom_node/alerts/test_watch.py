"""The clock does all of it: a late study reaches a webhook that is configured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dicom_node.alerts.watch import chores
from dicom_node.assembly import Parts, look_into
from dicom_node.settings import load
from storage.lifecycle import NoticeState, StudyState

HOOK = "alerts:\n  goal_minutes: 0.1\n  webhooks: {ops: {url: 'http://127.0.0.1:1/x', secret: {file: hook.secret}}}\n"


def test_each_chore_does_its_part(story: Parts, conf: Path) -> None:
    (conf / "hook.secret").write_text("hush\n")
    with (conf / "node.yaml").open("a") as node:
        node.write(HOOK)
    parts = look_into(load(conf, look_at_files=True))
    with parts.database.transaction() as tx:
        tx.studies.reopen("1.2.4", 1e9)
        moved = tx._connection.exec_driver_sql("UPDATE studies SET changed_at = unixepoch() - 60").rowcount
        for work in ("jobs", "deliveries"):
            tx._connection.exec_driver_sql(f"UPDATE {work} SET queued_at = unixepoch() - 60")
        assert (moved, tx.studies.get("1.2.4").state) == (2, StudyState.RECEIVING)
    using = [parts]
    todo = chores(lambda: using[0], "clock")
    using[0] = replace(parts, revision=9)  # peers or routes were changed since
    for chore in todo:
        chore.run()
    with parts.database.reading() as tx:
        assert {entry.revision for entry in tx.journal.recent(2)} == {9}
        assert tx.alerts.open_count() == 2
        assert tx.notices.counts() == {("webhook:ops", NoticeState.PENDING): 1}, "nobody is there; it waits"
    parts.close()
