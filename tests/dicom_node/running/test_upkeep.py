"""The disk by the clock: crossings are told once, what is finished goes early, nothing unfinished ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dicom_node.assembly import Parts
from dicom_node.running.upkeep import Upkeep, disk_lines
from storage.files.disk import Watermarks
from storage.lifecycle import JobState, StudyState
from storage.records import Instance, InstanceKind, Job
from storage.retention import DAY_S, Ended, Rule
from storage.upkeep.cleaning import Cleaner

NOW = 1000 * DAY_S
MARKS = Watermarks(low_bytes=100, clean_bytes=500)
RULES = [Rule(Ended.NOT_ROUTED, 30 * DAY_S, short_after_s=2 * DAY_S)]
CT = "1.2.840.10008.5.1.4.1.1.2"


class Node:
    """Storage, a clock that stands still, and a disk whose free bytes are set by hand; each file frees 100."""

    def __init__(self, parts: Parts) -> None:
        self.database, self.archive = parts.database, parts.archive
        self.cleaner = Cleaner(parts.database, parts.archive, RULES, revision=7)
        self.bytes_free = 1000
        self.upkeep = Upkeep(self.cleaner, MARKS, free=self.free, clock=lambda: NOW)
        self._stored = 0

    def free(self) -> int:
        return self.bytes_free + 100 * (self._stored - self.files)

    @property
    def files(self) -> int:
        return len(list(self.archive.root.rglob("*.dcm")))

    def store(self, uid: str, days: float, state: StudyState = StudyState.NOT_ROUTED) -> None:
        file = self.archive.write(uid, f"{uid}.1.1", [b"pixels"])
        self._stored += 1
        with self.database.transaction() as tx:
            at = NOW - days * DAY_S
            instance = Instance(f"{uid}.1.1", CT, f"{uid}.1", uid, "1.2", InstanceKind.IMAGE, file, at, "")
            tx.studies.add_instance(instance)
            tx.studies.move(uid, StudyState.COMPLETE, at)
            tx.studies.move(uid, state, at)

    def told(self) -> list[tuple[str, str]]:
        with self.database.reading() as tx:
            return [(e.event, e.text) for e in reversed(tx.journal.recent(50)) if e.event.startswith("disk")]

    def states(self) -> dict[str, StudyState]:
        with self.database.reading() as tx:
            return {study.study_instance_uid: study.state for study in tx.studies.list()}


@pytest.fixture
def node(parts: Parts) -> Node:
    return Node(parts)


def test_a_well_disk_is_not_worth_a_line(node: Node) -> None:
    node.store("1.2.1", 20)
    for _ in range(3):
        node.upkeep.watch()
    assert node.told() == []
    assert node.files == 1


def test_each_crossing_is_journalled_once(node: Node) -> None:
    for free in (400, 300, 450, 90, 80, 105, 150, 400, 540, 600, 700):
        node.bytes_free = free
        node.upkeep.watch()
        node.upkeep.watch()
    assert [event for event, _ in node.told()] == ["disk short", "disk full", "disk short", "disk well"]
    assert "0xA700" in node.told()[1][1]


def test_a_short_disk_lets_what_is_finished_and_old_go_until_there_is_enough(node: Node) -> None:
    for number, days in enumerate((1, 3, 9, 5)):
        node.store(f"1.2.{number}", days)
    node.bytes_free = 400
    node.upkeep.watch()
    gone = [uid for uid, state in node.states().items() if state is StudyState.REMOVED]
    assert sorted(gone) == ["1.2.2", "1.2.3"], "two of 100 bytes reach 550; the oldest two went"
    assert [event for event, _ in node.told()] == ["disk short", "disk short", "disk well"]
    assert node.told()[1][1].startswith("removed 2 studies early")


def test_nothing_unfinished_goes_however_full_the_disk_is(node: Node) -> None:
    node.store("1.2.1", 900, StudyState.DISPATCHED)
    with node.database.transaction() as tx:
        tx.jobs.add(Job("job", "1.2.1", 1, "liver", "liver_tumour", "m", JobState.PENDING, 0, {}, {}, 1.0))
    node.bytes_free = 0
    node.upkeep.watch()
    node.upkeep.retain()
    assert node.states() == {"1.2.1": StudyState.DISPATCHED}
    assert node.files == 1


def test_by_age_it_goes_on_a_well_disk_too(node: Node) -> None:
    node.store("1.2.1", 31)
    node.store("1.2.2", 29)
    node.upkeep.retain()
    assert node.states() == {"1.2.1": StudyState.REMOVED, "1.2.2": StudyState.NOT_ROUTED}
    assert node.told() == []


def test_what_has_become_old_enough_on_a_short_disk_goes_at_the_next_turn(node: Node) -> None:
    node.bytes_free = 450
    node.upkeep.watch()
    node.store("1.2.1", 3)
    node.bytes_free = 350
    node.upkeep.retain()
    assert node.states() == {"1.2.1": StudyState.REMOVED}


def test_a_node_that_is_about_to_end_begins_nothing(node: Node) -> None:
    node.store("1.2.1", 31)
    Upkeep(node.cleaner, MARKS, free=node.free, clock=lambda: NOW, stopping=lambda: True).retain()
    assert node.files == 1


def test_the_sweep_goes_round_the_whole_archive(node: Node) -> None:
    path = node.archive.path(node.archive.write("1.2.9", "1.2.9.1", [b"nobody names it"]))
    in_an_hour = path.stat().st_mtime + 4000
    later = Upkeep(node.cleaner, MARKS, free=node.free, clock=lambda: in_an_hour)
    for _ in range(256):
        later.sweep()
    assert node.files == 0


class TestWhatAPersonIsTold:
    """A disk below a mark, in plain words, with what would help."""

    @pytest.fixture
    def lines(self, node: Node) -> Callable[[int], list[str]]:
        return lambda free: disk_lines(node.cleaner, MARKS, free, NOW)

    def test_a_well_disk_has_no_line(self, lines: Callable[[int], list[str]]) -> None:
        assert lines(500) == []

    def test_a_full_one_says_that_the_node_refuses_and_what_may_go(
        self, node: Node, lines: Callable[[int], list[str]]
    ) -> None:
        node.store("1.2.1", 3)
        first, second = lines(99)
        assert first.startswith("disk full: 0.0 GB free, below keep_free_bytes")
        assert "new instances are refused with 0xA700" in first
        assert second.startswith("`segnode retention --short --apply` frees 0.0 GB at once (1 studies)")

    def test_a_page_of_the_console_looks_at_some_and_says_so(self, node: Node) -> None:
        for number in range(3):
            node.store(f"1.2.{number}", 3)
        told = disk_lines(node.cleaner, MARKS, 99, NOW, most=2)
        assert told[1].endswith("(2 studies)")
        assert told[2] == "that is of the 2 studies that have been here longest; `segnode status` looks at all"
        assert len(told) == 3
        assert len(disk_lines(node.cleaner, MARKS, 99, NOW, most=4)) == 2

    def test_what_stays_is_named_with_its_remedy(self, story: Parts) -> None:
        with story.database.transaction() as tx:
            tx.jobs.claim("infer", 500.0, 5.0)
            tx.jobs.finish("job-3", "infer", JobState.DONE, 501.0)
        told = disk_lines(Cleaner(story.database, story.archive, RULES), MARKS, 0, NOW)
        assert any("a delivery of route everything is HELD; `segnode retry --all --release`" in line for line in told)
