"""The site's rules of retention, and those it has without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.assembly import cleaner
from dicom_node.errors import ConfigurationError
from dicom_node.settings import load
from dicom_node.settings.retention import DEFAULT_RULES
from dicom_node.storing import watermarks
from storage.retention import DAY_S, Ended, Rule


def test_what_is_shipped_is_what_holds_without_a_word(conf: Path) -> None:
    assert load().node.retention == DEFAULT_RULES == load(conf).node.retention


def test_by_default_nothing_that_waits_for_a_person_ever_goes() -> None:
    named = {rule.state for rule in DEFAULT_RULES}
    assert named == {Ended.COMMITTED, Ended.SENT, Ended.NOT_ROUTED, Ended.REFUSED}
    assert all(rule.after_days >= 14 and (rule.after_days_when_short or 0) >= 1 for rule in DEFAULT_RULES)


def test_a_sites_rules_are_taken_in_their_order(conf: Path) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write("retention:\n- {state: sent, route: liver, after_days: 2, after_days_when_short: 0.5}\n"
                   "- {state: failed, after_days: 365}\n")
    first, second = (rule.rule for rule in load(conf).node.retention)
    assert first == Rule(Ended.SENT, 2 * DAY_S, "liver", 0.5 * DAY_S)
    assert second == Rule(Ended.FAILED, 365 * DAY_S)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("{state: lost, after_days: 1}", "state"),
        ("{state: sent}", "after_days"),
        ("{state: sent, after_days: -1}", "after_days"),
        ("{state: not_routed, route: liver, after_days: 1}", "has no route"),
        ("{state: sent, after_days: 1, after_days_when_short: 2}", "would keep more"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_told(conf: Path, rule: str, sentence: str) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write(f"retention:\n- {rule}\n")
    with pytest.raises(ConfigurationError, match=sentence):
        load(conf)


def test_cleaning_never_begins_later_than_refusing(conf: Path) -> None:
    with (conf / "node.yaml").open("a") as file:
        file.write("keep_free_bytes: 20000000000\n")
    marks = watermarks(load(conf))
    assert marks.clean_bytes == marks.low_bytes == 20_000_000_000


def test_the_rules_reach_the_cleaner(parts) -> None:
    assert cleaner(parts).rules == [rule.rule for rule in DEFAULT_RULES]
