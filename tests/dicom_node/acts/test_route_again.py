"""A settled study is routed again by a person's word; dicom_node.cli.studies says it too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from audit_schema import code
from click.testing import CliRunner

from dicom_node.acts.route_again import route_again
from dicom_node.assembly import Parts
from dicom_node.cli.main import main
from storage.errors import IllegalStep, NotFound
from storage.lifecycle import JobState, StudyState


@pytest.mark.parametrize("study", ["1.2.3", "1.2.4"])
def test_dispatch_looks_again_at_what_has_settled(story: Parts, study: str) -> None:
    with story.database.transaction() as tx:
        route_again(tx, 500.0, study)
        assert tx.studies.get(study).state is StudyState.COMPLETE
        assert tx.journal.of_study(study)[-1].event == "route again"


def test_not_at_what_is_still_settling_gone_or_unknown(story: Parts) -> None:
    with story.database.transaction() as tx:
        tx.studies.reopen("1.2.3", 499.0)
        tx.removals.remove("1.2.4", 499.0)
        for study, wrong, words in (("1.2.3", IllegalStep, "as soon as it has settled"),
                                    ("1.2.4", IllegalStep, "fetch it"), ("1.2.9", NotFound, "1.2.9")):
            with pytest.raises(wrong, match=words):
                route_again(tx, 500.0, study)


def segnode(conf: Path, *words: str, typed: str = ""):
    return CliRunner().invoke(main, [*words, "--conf", str(conf)], input=typed)


def test_the_commands_are_audited_with_who_runs_them(
    story: Parts, conf: Path, audited: Callable[[], list[Element]]
) -> None:
    with (conf / "models.yaml").open("a") as models:
        models.write("  brighter: {task: liver_tumour, kind: threshold, lower: 200, upper: 3000}\n")
    assert segnode(conf, "run", "1.2.3", "--model", "brighter").exit_code == 0
    with story.database.reading() as tx:
        assert [job.model for job in tx.jobs.list([JobState.PENDING])] == ["brighter"]
    assert segnode(conf, "route", "1.2.3").output == "every route looks at this study again\n"
    assert segnode(conf, "delete", "1.2.4", typed="n\n").exit_code == 1
    assert segnode(conf, "delete", "1.2.4", typed="y\n").exit_code == 0
    types = [message.find("EventIdentification/EventTypeCode") for message in audited()]
    assert [code(one)[0] if one is not None else "deleted" for one in types] == ["run", "route", "deleted"]


@pytest.mark.parametrize(("words", "said"), [
    (("run", "1.2.3", "--model", "gone"), "no model gone in models.yaml; known: bright"),
    (("delete", "1.2.3", "--yes"), "its job on route everything is PENDING"),
    (("route", "1.2.9"), "no study 1.2.9"),
])
def test_a_no_says_why(story: Parts, conf: Path, words: tuple[str, ...], said: str) -> None:
    answer = segnode(conf, *words)
    assert answer.exit_code == 1
    assert said in answer.output
