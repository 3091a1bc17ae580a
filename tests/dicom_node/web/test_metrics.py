"""Figures for Prometheus."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import NOW, Browser
from prometheus_client.parser import text_string_to_metric_families
from turned_clock import Clock

from dicom_node.assembly import Parts
from dicom_node.web.console import Console
from dicom_node.web.metrics import COUNT_EVERY_S
from storage.leaving.outbox import Sender
from storage.lifecycle import DeliveryState, JobState

MakeBrowser = Callable[[str], Browser]


def figures(browser: Browser) -> dict[tuple[str, ...], float]:
    """Samples by name and the values of their labels, in the order of the labels' names."""
    text = browser.get("/metrics").text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {(one.name, *(one.labels[key] for key in sorted(one.labels))): one.value for one in samples}


def test_queues_roles_and_destinations_as_they_are(story: Parts, program: MakeBrowser) -> None:
    with story.database.transaction() as tx:
        tx.processes.beat("pipeline", 1, "host", 1.0, NOW, [], {})
        tx.processes.beat("clock", 2, "host", 1.0, NOW - 30, [], {})
        tx.circuits.failed("share", NOW, "gone")
        tx.circuits.open("share", NOW + 60)
    found = figures(program("vera"))
    assert found["segnode_studies", "NOT_ROUTED"] == 1
    assert found["segnode_jobs", "everything", "FAILED", "liver_tumour"] == 1
    assert found["segnode_deliveries", "dead", "DEAD"] == 1
    assert found["segnode_destination_down", "share"] == 1
    assert (found["segnode_role_up", "pipeline"], found["segnode_role_up", "clock"]) == (1, 0)
    assert found[("segnode_disk_free_bytes",)] > 0
    assert found[("segnode_jobs_running",)] == 0


def test_the_marks_below_which_the_disk_is_short(story: Parts, program: MakeBrowser) -> None:
    node = story.settings.node
    assert node.clean_below_bytes > node.keep_free_bytes
    found = figures(program("vera"))
    assert found[("segnode_disk_short_bytes",)] == node.clean_below_bytes


def test_an_archive_that_is_away_is_told_and_takes_no_other_figure_along(
    story: Parts, program: MakeBrowser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /metrics the alert would be that the console does not answer."""
    monitor, down, free = program("vera"), ("segnode_archive_down",), ("segnode_disk_free_bytes",)
    assert figures(monitor)[down] == 0
    root = story.archive.root  # type: ignore[attr-defined]
    root.rename(root.with_name("aside"))
    found = figures(monitor)
    assert (found[down], math.isnan(found[free])) == (1, True)
    assert found["segnode_studies", "NOT_ROUTED"] == 1
    root.with_name("aside").rename(root)
    assert (figures(monitor)[down], figures(monitor)[free] > 0) == (0, True)
    monkeypatch.setattr(type(story.archive), "free_bytes", lambda _: story.settings.node.keep_free_bytes - 1)
    assert figures(monitor)[down] == 1, "below that nothing is taken either"


def test_a_destination_that_is_configured_no_more_is_not_down_for_ever(
    parts: Parts, program: MakeBrowser, conf: Path, console: Console
) -> None:
    """Nothing is sent there any more that could show that it is well again."""
    monitor, down = program("vera"), ("segnode_destination_down", "share")
    with parts.database.transaction() as tx:
        tx.circuits.failed("share", NOW, "gone")
        tx.circuits.open("share", NOW + 60)
    assert figures(monitor)[down] == 1
    for name in ("node.yaml", "routes.yaml"):
        (conf / name).write_text((conf / name).read_text().replace("share", "pacs"))
    assert console.watch.look() is not None
    assert down not in figures(monitor)


def test_a_role_that_is_needed_stays_silent_as_long_as_an_alert_waits(
    parts: Parts, program: MakeBrowser, clock: Clock
) -> None:
    """`for: 2m` of SegnodeRoleSilent: a series that has ended meanwhile would never come to that."""
    with parts.database.transaction() as tx:
        tx.processes.beat("receive", 1, "host", 1.0, NOW, [], {})
        tx.processes.beat("receive", 2, "other", 1.0, NOW + 600, [], {})
        tx.processes.beat("clock", 3, "host", 1.0, NOW, [], {})
    clock.now += 600
    found = figures(program("vera"))
    roles = {key[1]: value for key, value in found.items() if key[0] == "segnode_role_up"}
    assert roles == {"receive": 1, "clock": 0, "pipeline": 0}


def test_what_ends_between_two_looks_is_counted_once(story: Parts, program: MakeBrowser, clock: Clock) -> None:
    monitor = program("vera")
    steps = ("segnode_step_seconds_count", "network", "liver_tumour")
    assert steps not in figures(monitor), "what was done before is no news"
    with story.database.transaction() as tx:
        tx.jobs.claim("me", NOW + 1, 60.0)
        tx.jobs.finish("job-3", "me", JobState.DONE, NOW + 5, "", {"seconds": {"network": 3.5}})
        number = tx.deliveries.add("job-3", "1.2.3", "share", DeliveryState.PENDING, NOW + 5)
        tx.outbox.claim(Sender("share"), "me", NOW + 6, 60.0)
        tx.deliveries.sent(number, "me", NOW + 7, {})
    clock.now += 10
    for _ in range(2):
        found = figures(monitor)
        assert found[steps] == 1
        assert found["segnode_step_seconds_bucket", "5.0", "network", "liver_tumour"] == 1
        assert found["segnode_result_seconds_count", "share"] == 1
        clock.now += 10


def test_all_there_is_is_counted_twice_a_minute_at_most(story: Parts, program: MakeBrowser, clock: Clock) -> None:
    monitor, failed = program("vera"), ("segnode_jobs", "everything", "FAILED", "liver_tumour")
    assert figures(monitor)[failed] == 1
    with story.database.transaction() as tx:
        (job,) = tx.jobs.list([JobState.FAILED])
        tx.jobs.retry(job.job_id, NOW)
    clock.now += COUNT_EVERY_S - 1
    assert figures(monitor)[failed] == 1
    clock.now += 1
    assert failed not in figures(monitor)


def test_jobs_that_wait_for_a_disabled_model_do_not_count_as_those_that_wait_for_a_device(
    story: Parts, program: MakeBrowser, clock: Clock
) -> None:
    """SegnodeJobsWait asks for PENDING: somebody wanted these to wait, and nothing is amiss with devices."""
    ada, states = program("ada"), ("PENDING", "DISABLED")

    def waiting() -> list[float | None]:
        clock.now += COUNT_EVERY_S
        found = figures(ada)
        return [found.get(("segnode_jobs", "everything", state, "liver_tumour")) for state in states]

    assert waiting() == [1, None]
    ada.post("/api/v1/models/bright/disable", json={"sure": True})
    assert waiting() == [None, 1]
    ada.post("/api/v1/models/bright/enable")
    assert waiting() == [1, None]


def test_it_names_nobody_and_is_not_for_everybody(story: Parts, program: MakeBrowser, visitor: Browser) -> None:
    text = program("ada").get("/metrics").text
    assert "Doe" not in text
    assert "1.2.3" not in text
    assert visitor.get("/metrics").status_code == 401
