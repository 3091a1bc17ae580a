"""Stale results are made anew by a person's word; dicom_node.cli.corrections and dicom_node.cli.options say it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from audit_schema import code
from click.testing import CliRunner

from dicom_node.acts.reissue import reissue
from dicom_node.assembly import Parts
from dicom_node.audit.recorder import person
from dicom_node.cli.main import main
from storage.errors import NotFound
from storage.lifecycle import JobMark, StudyState

STUDY = "1.2.3"


@pytest.fixture
def stale(story: Parts) -> Parts:
    """A study with one stale result."""
    with story.database.transaction() as tx:
        tx.jobs.mark("job-0", JobMark.STALE, "corrected since")
    return story


def test_the_mark_goes_and_dispatch_looks_again(stale: Parts) -> None:
    with stale.database.transaction() as tx:
        assert reissue(tx, 500.0, STUDY) == 1
        assert reissue(tx, 501.0, STUDY) == 0
        assert tx.jobs.get("job-0").mark is JobMark.NONE
        assert tx.studies.get(STUDY).state is StudyState.COMPLETE
        assert [entry.event for entry in tx.journal.of_study(STUDY)][-1] == "reissue"


def test_a_study_that_is_settling_goes_on_settling(stale: Parts) -> None:
    with stale.database.transaction() as tx:
        tx.studies.reopen(STUDY, 499.0)
        assert reissue(tx, 500.0, STUDY) == 1
        assert tx.studies.get(STUDY).state is StudyState.RECEIVING


def test_without_stale_results_nothing_happens(story: Parts) -> None:
    with story.database.transaction() as tx:
        assert reissue(tx, 500.0, STUDY) == 0
        assert tx.studies.get(STUDY).state is StudyState.DISPATCHED
        with pytest.raises(NotFound):
            reissue(tx, 500.0, "1.9.9")


def test_the_command_is_audited_where_it_did_something(
    stale: Parts, conf: Path, audited: Callable[[], list[Element]]
) -> None:
    for _ in range(2):
        CliRunner().invoke(main, ["reissue", STUDY, "--conf", str(conf)])
    (asked,) = audited()
    event = asked.find("EventIdentification")
    assert code(event.find("EventID"))[2] == "DICOM Instances Accessed"
    assert code(event.find("EventTypeCode"))[0] == "reissue"
    assert asked.find("ActiveParticipant").get("UserID") == person().user_id
    study, patient = asked.findall("ParticipantObjectIdentification")
    assert (study.get("ParticipantObjectID"), patient.get("ParticipantObjectID")) == (STUDY, "P-17")


def test_the_command_says_what_it_did(stale: Parts, conf: Path) -> None:
    command = ["reissue", STUDY, "--conf", str(conf)]
    first, second = (CliRunner().invoke(main, command) for _ in range(2))
    assert (first.exit_code, first.output) == (0, "1 stale results are made anew\n")
    assert (second.exit_code, second.output) == (1, "no result of this study is stale\n")
