"""The dashboard and the alert rules ask for figures that the node exports, by labels that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import NOW, Browser
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML
from turned_clock import Clock

from dicom_node.assembly import Parts
from dicom_node.counting import FIGURES
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState

ROOT = Path(__file__).resolve().parents[3] / "deploy" / "monitoring"
DASHBOARD = json.loads((ROOT / "grafana-dashboard.json").read_text())
RULES = YAML(typ="safe").load(ROOT / "prometheus-alerts.yaml")["groups"][0]["rules"]
ASKED = {
    "dashboard": [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]],
    "alerts": [rule["expr"] for rule in RULES],
}


def names_in(expressions: list[str]) -> set[str]:
    return {name for text in expressions for name in re.findall(r"segnode_\w+", text)}


@pytest.mark.parametrize("text", ASKED["dashboard"])
def test_what_several_consoles_export_of_one_node_is_not_summed(text: str) -> None:
    """Quantiles are the same of twice the observations."""
    assert not re.search(r"sum [^(]*\([^)]*\) \((increase\()?segnode_", text)


@pytest.fixture
def exported(story: Parts, program: Callable[[str], Browser], clock: Clock) -> dict[str, set[str]]:
    """The names of the samples of a node on which everything has happened, with their labels."""
    gpu = {"number": 0, "name": "a GPU", "used_bytes": 1, "total_bytes": 2, "busy": 0.5}
    counted = {(one.name, tuple((label, "x") for label in sorted(one.labels))): 1.0 for one in FIGURES}
    with story.database.transaction() as tx:
        tx.counters.add(counted)
        tx.processes.beat("pipeline", 1, "host", 1.0, NOW, [], {"gpus": [gpu]})
        tx.notices.add("mail", "k", {}, NOW)
        tx.fetches.mark_prior("1.2.9", "pacs", NOW)
    monitor = program("vera")
    monitor.get("/metrics")
    with story.database.transaction() as tx:
        tx.jobs.claim("me", NOW + 1, 60.0)
        tx.jobs.finish("job-3", "me", JobState.DONE, NOW + 5, "", {"seconds": {"network": 3.5}})
        number = tx.deliveries.add("job-3", "1.2.3", "share", DeliveryState.PENDING, NOW + 5)
        tx.outbox.claim(Sender("share"), "me", NOW + 6, 60.0)
        tx.deliveries.sent(number, "me", NOW + 7, {})
        tx.circuits.failed("share", NOW + 8, "gone")
        tx.circuits.open("share", NOW + 60)
    clock.now += 10
    text = monitor.get("/metrics").text
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("who", list(ASKED))
def test_every_figure_that_is_asked_for_is_exported(who: str, exported: dict[str, set[str]]) -> None:
    assert names_in(ASKED[who]) - exported.keys() == set()
    assert len(names_in(ASKED[who])) > 10


def test_every_label_that_is_named_is_one_of_its_figure(exported: dict[str, set[str]]) -> None:
    for text in ASKED["dashboard"] + ASKED["alerts"]:
        labels = set().union(*(exported[name] for name in names_in([text])))
        grouped = {one.strip() for group in re.findall(r"by \(([^)]*)\)", text) for one in group.split(",")}
        matched = set(re.findall(r"[{,](\w+)(?:=|!=|=~|!~)", text)) - {"job"}
        assert grouped | matched <= labels, text


def test_the_dashboard_shows_every_count_and_gauge(exported: dict[str, set[str]]) -> None:
    plain = {name for name in exported if not name.endswith(("_created", "_count", "_sum"))}
    assert plain == names_in(ASKED["dashboard"])


def test_every_alert_says_what_to_think_of_it() -> None:
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in RULES)
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_an_alert_on_what_came_takes_counts_that_have_just_begun_as_a_whole() -> None:
    """Behaviour: prometheus-alerts.test.yaml, by promtool. increase() of a count whose first value is 300 is 0."""
    expressions = [text for text in ASKED["alerts"] if "increase(" in text]
    for text in expressions:
        count, within = re.findall(r"increase\((.*?)\[(\w+)\]\)", text)[0]
        assert f"({count} unless {count} offset {within} and on (job, instance) up offset {within} == 1)" in text
    assert len(expressions) == 3


def test_an_alert_adds_nothing_up_that_every_console_tells() -> None:
    assert [text for text in ASKED["alerts"] if "sum by" in text] == []
