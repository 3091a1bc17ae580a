"""Files are changed for a person: valid as a whole, recorded, told, and brought back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_node.assembly import Parts
from dicom_node.configuring.changes import Author, change, difference_of, history, restore, text_of, writable
from dicom_node.errors import ConfigurationError, NotWritable
from dicom_node.running.reload import Watch
from dicom_node.settings import load, shipped_folder
from storage.errors import NotFound

ADA = Author(7.0)


def test_a_change_is_a_revision_with_who_and_what_and_can_be_taken_back(parts: Parts, conf: Path) -> None:
    file = conf / "routes.yaml"
    before = file.read_text()
    done = change(parts, "routes.yaml", lambda text: f"# checked\n{text}", "a note added", ADA)
    assert (done.revision, done.change.splitlines()[-2:]) == (2, ["+# checked", " "])
    assert file.read_text() == f"# checked\n{before}"
    with parts.database.reading() as tx:
        ((newest, first), following) = history(tx, "routes.yaml", 5)
        assert history(tx, "node.yaml", 5)[0][0].number == 1, "it did not touch that file"
        (entry,) = [one for one in tx.journal.recent(5) if one.event == "configuration changed"]
    assert (newest.by, newest.what, newest.at, following) == (ADA.name, "a note added", 7.0, None)
    assert (first.number, first.change) == (1, "")
    assert (entry.revision, entry.text) == (2, f"a note added; changed by {ADA.name}")
    assert restore(parts, "routes.yaml", 1, ADA).revision == 3
    assert file.read_text() == before
    watch = Watch(replace(parts, settings=load(conf)))
    assert watch.look() is None


def test_changes_of_other_files_are_passed_over(parts: Parts, conf: Path) -> None:
    for name in ("node.yaml", "routes.yaml", "routes.yaml", "routes.yaml", "node.yaml", "routes.yaml"):
        change(parts, name, lambda text: f"{text}# more\n", f"{name} changed", Author(200.0))
    numbers, before = [], None
    with parts.database.reading() as tx:
        while True:
            steps, before = history(tx, "node.yaml", 1, before)
            numbers.append([step.number for step in steps])
            if before is None:
                break
        assert numbers == [[6], [2], [1]]
        assert [step.number for step in history(tx, "node.yaml", 5)[0]] == [6, 2, 1]


def test_before_the_first_there_is_nothing(parts: Parts) -> None:
    with parts.database.reading() as tx:
        assert history(tx, "node.yaml", 5, before=1) == ([], None)


def test_history_has_pages(parts: Parts, conf: Path) -> None:
    for number in range(3):
        change(parts, "node.yaml", lambda text, number=number: f"{text}# {number}\n", f"note {number}", ADA)
    with parts.database.reading() as tx:
        first, following = history(tx, "node.yaml", 2)
        second, end = history(tx, "node.yaml", 2, following)
    assert [one.number for one in (*first, *second)] == [4, 3, 2, 1]
    assert end is None


def test_what_would_not_be_valid_with_all_the_rest_is_not_written(parts: Parts, conf: Path) -> None:
    before = (conf / "node.yaml").read_text()
    with pytest.raises(ConfigurationError, match="route everything names destination 'share'; known: other"):
        change(parts, "node.yaml", lambda text: text.replace("share:", "other:"), "renamed", ADA)
    assert (conf / "node.yaml").read_text() == before
    with pytest.raises(NotFound, match=r"no revision 9 of node\.yaml"):
        restore(parts, "node.yaml", 9, ADA)


def test_shipped_settings_are_no_ones_to_write(parts: Parts) -> None:
    shipped = replace(parts, settings=load(None).model_copy(update={"node": parts.settings.node}))
    with pytest.raises(NotWritable, match="start it with --conf FOLDER") as told:
        change(shipped, "node.yaml", lambda text: text.replace("port: 11112", "port: 104"), "port", ADA)
    assert "-port: 11112\n+port: 104" in told.value.change
    assert not writable(None, "node.yaml")


def test_a_file_that_is_not_there_begins_as_the_shipped_one(tmp_path: Path) -> None:
    assert text_of(tmp_path, "node.yaml") == (shipped_folder() / "node.yaml").read_text()
    assert writable(tmp_path, "node.yaml")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("postgresql://node:secret@db/x", "postgresql://node:…@db/x"),
        ("postgresql://node:a/#?'@secret@db/x", "postgresql://node:…@db/x"),
        ("postgresql://node@server:secret@db/x", "postgresql://node@server:…@db/x"),
        ("postgresql://db/x?user=node&password=secret&sslmode=require",
         "postgresql://db/x?user=node&password=…&sslmode=require"),
        ("https://pacs.example:8443/dicom-web", "https://pacs.example:8443/dicom-web"),
    ],
)
def test_a_difference_shows_no_password(said: str, shown: str) -> None:
    told = difference_of(f"a: {said}\nb: 1\n", f"a: {said.replace('secret', 'other')}\nb: 2\n", "node.yaml")
    assert f" a: {shown}" in told.replace("+a", " a").splitlines()
    assert "secret" not in told
    assert "other" not in told
