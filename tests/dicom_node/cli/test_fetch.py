"""`segnode fetch`: what it wants, what a dry run shows, and when the answer is no."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from audit_schema import code
from click.testing import CliRunner, Result

from dicom_node.assembly import Parts
from dicom_node.audit.recorder import person
from dicom_node.cli import main as cli
from dicom_node.network.query import StudyAnswer
from storage.records import FetchPurpose

PACS = (
    "peers:\n  pacs: {ae_title: PACS, host: 127.0.0.1, port: 104}\n"
    'sources: {"*": {peer: pacs}}\nbackfill: {rate_per_minute: 60}\n'
)
DAYS = ("--from", "2026-01-02", "--to", "20260102", "--modality", "ct")


@pytest.fixture
def segnode(conf: Path, parts: Parts) -> Callable[..., Result]:
    with (conf / "node.yaml").open("a") as file:
        file.write(PACS)

    def run(*words: str) -> Result:
        return CliRunner().invoke(cli.main, ["fetch", *words, "--conf", str(conf)])

    return run


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive that holds three studies, whatever it is asked."""
    held = [StudyAnswer(f"1.2.{n}", "20260102", "Chest [b]", ("CT",), 2, 40) for n in (1, 2, 3)]
    monkeypatch.setattr("dicom_node.acts.backfill.search", lambda peer, aet, days, witness: iter(held))
    monkeypatch.setattr("dicom_node.acts.backfill.look_up", lambda peer, aet, uids, witness: iter(held[:1]))


def waiting(parts: Parts) -> int:
    with parts.database.reading() as tx:
        return sum(tx.fetches.counts().values())


@pytest.mark.parametrize("words", [(), ("1.2.3", *DAYS)])
def test_studies_or_days_must_be_named(segnode: Callable[..., Result], words: tuple[str, ...]) -> None:
    done = segnode(*words)
    assert done.exit_code == 2
    assert "name studies, or days" in done.output


def test_named_studies_are_wanted_without_asking(segnode: Callable[..., Result], parts: Parts) -> None:
    done = segnode("1.2.1", "1.2.2", "--rate", "1")
    assert done.exit_code == 0, done.output
    assert "2 studies are wanted from pacs" in done.output
    with parts.database.reading() as tx:
        first, second = (tx.fetches.find(uid) for uid in ("1.2.1", "1.2.2"))
    assert first is not None
    assert second is not None
    assert first.purpose is FetchPurpose.PROCESS
    assert second.next_attempt_at - first.next_attempt_at == 60.0
    assert segnode("1.2.1").exit_code == 1, "it waits already"


def test_a_uid_that_is_none_is_a_no(segnode: Callable[..., Result]) -> None:
    done = segnode("patient^name")
    assert done.exit_code == 1
    assert "Error" in done.output


@pytest.mark.usefixtures("archive")
def test_a_dry_run_shows_and_wants_nothing(segnode: Callable[..., Result], parts: Parts) -> None:
    done = segnode(*DAYS, "--dry-run")
    assert done.exit_code == 0
    assert "3 studies would be fetched from pacs" in done.output
    assert "20260102" in done.output
    assert "Chest [b]" in done.output
    assert json.loads(segnode("1.2.1", "--dry-run", "--json").stdout)[0]["images"] == 40
    assert waiting(parts) == 0


@pytest.mark.usefixtures("archive")
def test_days_are_wanted_up_to_the_limit_and_not_again(segnode: Callable[..., Result], parts: Parts) -> None:
    assert segnode(*DAYS, "--limit", "2").exit_code == 0
    assert waiting(parts) == 2
    assert [line["study"] for line in json.loads(segnode(*DAYS, "--json").stdout)] == ["1.2.3"]
    assert segnode(*DAYS).exit_code == 1


@pytest.mark.usefixtures("archive")
def test_each_study_that_is_wanted_is_audited(
    segnode: Callable[..., Result], audited: Callable[[], list[Element]]
) -> None:
    segnode(*DAYS, "--dry-run")
    segnode("1.2.2")
    segnode("1.2.2")  # it waits already, so nothing comes of this
    segnode(*DAYS)
    asked = audited()
    assert [root.find("ParticipantObjectIdentification").get("ParticipantObjectID") for root in asked] == [
        *("1.2.2", "1.2.1", "1.2.3")
    ]
    for root in asked:
        assert code(root.find("EventIdentification/EventTypeCode"))[0] == "fetch"
        assert root.find("ActiveParticipant").get("UserID") == person().user_id


def test_an_archive_that_is_not_known_is_a_mistake_in_the_configuration(segnode: Callable[..., Result]) -> None:
    done = segnode("1.2.1", "--peer", "gone")
    assert done.exit_code == 2
    assert "no such peer" in done.output
