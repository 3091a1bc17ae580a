"""Studies leave by rule: rows with their journal entry first, then files; never a row without its file."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mount import unmounted

from storage.archive import Archive
from storage.database import Database
from storage.errors import Unavailable
from storage.files.folder_archive import FolderArchive
from storage.lifecycle import StudyState
from storage.retention import DAY_S, Ended, Rule
from storage.upkeep import cleaning, reconcile
from storage.upkeep.ages import Ages
from storage.upkeep.cleaning import Cleaner, Due, Gone
from storage.upkeep.reconcile import PREFIXES, YOUNG_S, audit, sweep_orphans

ROOT = Path(cleaning.__file__).parent.parent
RULES = [Rule(Ended.NOT_ROUTED, 10 * DAY_S, short_after_s=DAY_S)]
NOW = 100 * DAY_S
HEADER = {"PatientID": "P-17"}


@pytest.fixture
def keep(db, archive, make_instance):
    """`keep("1.2.3", days)` stores a study of two images that no route wanted, so many days ago."""

    def add(uid, days, images=2):
        at = NOW - days * DAY_S
        with db.transaction() as tx:
            for number in range(images):
                sop_uid = f"{uid}.1.{number}"
                file = archive.write(uid, sop_uid, [b"pixels of " + sop_uid.encode()])
                image = make_instance(number, study_instance_uid=uid, file=file, received_at=at)
                tx.studies.add_instance(image, HEADER)
            tx.studies.move(uid, StudyState.COMPLETE, at)
            tx.studies.move(uid, StudyState.NOT_ROUTED, at)
        return uid

    return add


@pytest.fixture
def cleaner(db, archive):
    return Cleaner(db, archive, RULES, revision=7)


def state(db, uid):
    with db.reading() as tx:
        return tx.studies.get(uid).state


def files(archive):
    return sorted(path for path in archive.root.rglob("*.dcm"))


def whole(db, archive):
    with db.reading() as tx:
        uids = tx.removals.every_study()
    return list(audit(db, archive, uids)) == []


def test_a_dry_run_names_what_would_go_and_touches_nothing(db, archive, cleaner, keep):
    keep("1.2.3", 12)
    keep("1.2.2", 20)
    keep("1.2.4", 5)
    due = cleaner.due(NOW)
    reason = "not_routed for 20.0 days; rule not_routed: after 10 days"
    assert due[0] == Due("1.2.2", reason, NOW - 20 * DAY_S, files=2, bytes=2 * len(b"pixels of 1.2.2.1.0"))
    assert [one.study_instance_uid for one in due] == ["1.2.2", "1.2.3"], "what has ended longest first"
    assert [one.study_instance_uid for one in cleaner.due(NOW, short=True)] == ["1.2.2", "1.2.3", "1.2.4"]
    assert len(files(archive)) == 6
    assert whole(db, archive)


def test_what_goes_takes_its_files_and_leaves_an_answer(db, archive, cleaner, keep):
    keep("1.2.3", 12)
    kept = keep("1.2.4", 5)
    assert [due.study_instance_uid for due in cleaner.run(NOW)] == ["1.2.3"]
    assert (state(db, "1.2.3"), state(db, kept)) == (StudyState.REMOVED, StudyState.NOT_ROUTED)
    assert [path.parent for path in files(archive)] == [archive.folder(kept)] * 2
    assert not archive.folder("1.2.3").exists()
    with db.reading() as tx:
        (told,) = [entry for entry in tx.journal.of_study("1.2.3") if entry.event == "removed"]
    assert told.text == "removed 2 files, 38 bytes: not_routed for 12.0 days; rule not_routed: after 10 days"
    assert (told.at, told.revision, told.detail) == (NOW, 7, {"files": 2, "bytes": 38})
    assert list(cleaner.run(NOW)) == []


def test_whoever_listens_hears_whose_study_has_gone_when_it_has_gone(db, archive, keep):
    keep("1.2.3", 12)
    keep("1.2.4", 5)
    heard = []

    def told(gone):
        assert state(db, gone.study_instance_uid) is StudyState.REMOVED
        assert not archive.folder(gone.study_instance_uid).exists()
        heard.append(gone)

    keeper = Cleaner(db, archive, RULES, told=told)
    keeper.due(NOW)
    assert heard == []
    list(keeper.run(NOW))
    assert heard == [Gone("1.2.3", HEADER)]
    assert "P-17" not in repr(heard)
    with db.reading() as tx:
        assert tx.studies.get("1.2.3").header == {}


def test_files_that_cannot_be_deleted_are_told_as_the_failure_that_they_are(db, archive, keep, monkeypatch):
    """The rows are gone all the same, so nobody could say later whose study it was."""

    def fail(*_):
        raise Unavailable("the archive's disk failed")

    keep("1.2.3", 12)
    monkeypatch.setattr(FolderArchive, "remove", fail)
    heard = []
    with pytest.raises(Unavailable):
        list(Cleaner(db, archive, RULES, told=heard.append).run(NOW))
    assert heard == [Gone("1.2.3", HEADER, "the archive's disk failed")]


def test_a_study_whose_files_are_away_stays(db, archive, cleaner, keep):
    """Else its rows went, and its files were back with the file system."""
    keep("1.2.3", 12)
    with unmounted(archive.root):
        for remove in (cleaner.remove, cleaner.remove_now):
            with pytest.raises(Unavailable):
                remove("1.2.3", NOW)
    assert state(db, "1.2.3") is StudyState.NOT_ROUTED
    assert [due.study_instance_uid for due in cleaner.run(NOW)] == ["1.2.3"]


def test_it_stops_when_there_is_enough(cleaner, keep):
    for number in range(4):
        keep(f"1.2.{number}", 20 + number)
    gone = []
    gone.extend(due.study_instance_uid for due in cleaner.run(NOW, enough=lambda: len(gone) == 2))
    assert gone == ["1.2.3", "1.2.2"]


def test_all_pages_are_read(cleaner, keep, monkeypatch):
    monkeypatch.setattr(cleaning, "PAGE", 2)
    for number in range(5):
        keep(f"1.2.{number}", 20)
    assert len(cleaner.due(NOW)) == 5


def test_the_clock_looks_at_a_part_at_a_time_and_goes_round(cleaner, keep, monkeypatch):
    monkeypatch.setattr(cleaning, "IN_ONE_TURN", 2)
    for number in range(5):
        keep(f"1.2.{number}", 20 - number * 3)  # the last two are too young to go
    place, went = cleaning.START, []
    for _ in range(3):
        gone, place = cleaner.turn(NOW, place)
        went.append([due.study_instance_uid for due in gone])
    assert went == [["1.2.0", "1.2.1"], ["1.2.2", "1.2.3"], []]
    assert place == cleaning.START


def test_an_image_that_arrives_between_list_and_removal_keeps_its_study(db, archive, cleaner, keep, make_instance):
    keep("1.2.3", 20)
    assert len(cleaner.due(NOW)) == 1
    with db.transaction() as tx:
        file = archive.write("1.2.3", "1.2.3.1.9", [b"late"])
        tx.studies.add_instance(make_instance(9, study_instance_uid="1.2.3", file=file, received_at=NOW))
    assert cleaner.remove("1.2.3", NOW) is None
    assert len(files(archive)) == 3


def test_why_studies_stay_is_counted(db, cleaner, keep, make_job):
    keep("1.2.3", 20)
    for uid in ("1.2.4", "1.2.5"):
        keep(uid, 1)
        with db.transaction() as tx:
            tx.jobs.add(make_job(f"job {uid}", study_instance_uid=uid))
    outlook = cleaner.outlook(NOW)
    assert [due.study_instance_uid for due in outlook.due] == ["1.2.3"]
    assert outlook.kept == {"its job on route brain is PENDING": 2}
    assert outlook.whole


def test_an_outlook_may_be_had_of_those_that_are_at_rest_longest(cleaner, keep):
    for number in range(5):
        keep(f"1.2.{number}", 20 + number)
    outlook = cleaner.outlook(NOW, most=3)
    assert [due.study_instance_uid for due in outlook.due] == ["1.2.4", "1.2.3", "1.2.2"]
    assert [(due.files, due.bytes > 0) for due in outlook.due] == [(2, True)] * 3
    assert not outlook.whole
    assert cleaner.outlook(NOW, most=6).whole


def test_a_removed_study_that_is_sent_again_is_whole(db, archive, cleaner, keep):
    keep("1.2.3", 20)
    list(cleaner.run(NOW))
    keep("1.2.3", 0)
    assert state(db, "1.2.3") is StudyState.NOT_ROUTED
    assert len(files(archive)) == 2
    assert whole(db, archive)
    assert cleaner.due(NOW) == []
    assert len(cleaner.due(NOW + 10 * DAY_S)) == 1


def test_a_file_that_arrived_again_before_it_was_deleted_stays(db, archive, cleaner, keep):
    """Rows go; the sender comes back; only then are the files of the first time deleted."""
    keep("1.2.3", 20)
    with db.transaction() as tx:
        gone = tx.removals.remove("1.2.3", NOW)
    keep("1.2.3", 0, images=1)
    cleaner.delete("1.2.3", gone)
    assert len(files(archive)) == 1
    assert whole(db, archive)


def test_a_file_that_was_deleted_before_its_row_came_again_is_told(db, archive, cleaner, keep, make_instance):
    """The sender finds the old file, it is deleted, and only then would the row be committed: no Success."""
    keep("1.2.3", 20, images=1)
    with db.transaction() as tx:
        gone = tx.removals.remove("1.2.3", NOW)
    file = archive.write("1.2.3", "1.2.3.1.0", [b"pixels of 1.2.3.1.0"])
    cleaner.delete("1.2.3", gone)

    def acknowledge():
        with db.transaction() as tx:
            tx.studies.add_instance(make_instance(0, study_instance_uid="1.2.3", file=file))
            archive.confirm(file)

    with pytest.raises(Unavailable, match="send it once more"):
        acknowledge()
    assert state(db, "1.2.3") is StudyState.REMOVED
    assert whole(db, archive)


def test_a_sender_that_repeats_a_study_while_it_is_removed_again_and_again_loses_nothing(
    db, archive, cleaner, keep, make_instance
):
    """What was confirmed and committed has its file, however the two sides interleave."""
    keep("1.2.3", 20)
    stop, acknowledged, refused = threading.Event(), [], []

    def send():
        number = 0
        while not stop.is_set():
            number += 1
            uid = f"1.2.3.1.{number % 2}"
            try:
                file = archive.write("1.2.3", uid, [b"pixels of " + uid.encode()])
                with db.transaction() as tx:
                    tx.studies.add_instance(make_instance(number % 2, study_instance_uid="1.2.3", file=file))
                    archive.confirm(file)
            except Unavailable:
                refused.append(uid)
            else:
                acknowledged.append(uid)

    sender = threading.Thread(target=send)
    sender.start()
    removed = 0
    try:
        while removed < 6:
            stop.wait(0.002)  # the other side's turn
            with db.transaction() as tx:
                if tx.studies.get("1.2.3").state is StudyState.RECEIVING:
                    tx.studies.move("1.2.3", StudyState.COMPLETE, 1.0)
                    tx.studies.move("1.2.3", StudyState.NOT_ROUTED, 1.0)
            removed += cleaner.remove("1.2.3", NOW) is not None
    finally:
        stop.set()
        sender.join()
    assert acknowledged
    assert whole(db, archive)


CRASH = """
import os, signal, sys
from pathlib import Path
from storage.upkeep.cleaning import Cleaner
from storage.database import Database
from storage.files.folder_archive import FolderArchive
from storage.retention import DAY_S, Ended, Rule

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

db, archive = Database.open(sys.argv[1]), FolderArchive(Path(sys.argv[2]), low_water_bytes=0)
if sys.argv[3] == "before the commit":
    from storage.journal import Journal
    Journal.add = die
elif sys.argv[3] == "after the commit":
    Cleaner.delete = die
else:
    unlink, calls = Path.unlink, []
    def second(self, **said):
        calls.append(self)
        die() if len(calls) == 2 else unlink(self, **said)
    Path.unlink = second
list(Cleaner(db, archive, [Rule(Ended.NOT_ROUTED, 10 * DAY_S)]).run(100 * DAY_S))
"""


@pytest.mark.parametrize(
    ("point", "removed", "left"),
    [("before the commit", False, 3), ("after the commit", True, 3), ("between two files", True, 2)],
)
def test_killed_at_any_point_no_row_is_without_its_file_and_the_rest_is_swept(
    db, url, archive, keep, point, removed, left
):
    keep("1.2.3", 20, images=3)
    for path in files(archive):
        os.utime(path, (NOW - 20 * DAY_S,) * 2)
    command = [sys.executable, "-c", CRASH, url, str(archive.root), point]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (state(db, "1.2.3") is StudyState.REMOVED) == removed
    assert len(files(archive)) == left
    assert whole(db, archive)
    swept = sum(sweep_orphans(db, archive, prefix, NOW) for prefix in PREFIXES)
    assert swept == (left if removed else 0)
    assert whole(db, archive)


class TestSweep:
    """Files that no row names and that are old."""

    def sweep(self, db: Database, archive: Archive) -> int:
        return sum(sweep_orphans(db, archive, prefix, NOW) for prefix in PREFIXES)

    def old(self, archive: Archive) -> None:
        for path in files(archive):
            os.utime(path, (NOW - YOUNG_S - 1,) * 2)

    def test_takes_them_in_known_and_in_unknown_studies(self, db, archive, keep):
        keep("1.2.3", 20)
        archive.write("1.2.3", "1.2.3.9", [b"its sender was not told Success"])
        archive.write("1.2.9", "1.2.9.9", [b"neither"])
        self.old(archive)
        assert self.sweep(db, archive) == 2
        assert len(files(archive)) == 2
        assert whole(db, archive)

    def test_leaves_the_young_and_what_was_written_again(self, db, archive):
        archive.write("1.2.9", "1.2.9.9", [b"old"])
        archive.write("1.2.9", "1.2.9.8", [b"young"])
        self.old(archive)
        archive.write("1.2.9", "1.2.9.8", [b"young"])
        os.utime(archive.path(archive.write("1.2.9", "1.2.9.9", [b"old"])), (0, 0))
        assert self.sweep(db, archive) == 1
        assert [path.read_bytes() for path in files(archive)] == [b"young"]

    def test_leaves_what_a_row_came_to_name_meanwhile(self, db, archive, make_instance, monkeypatch):
        file = archive.write("1.2.9", "1.2.9.1.1", [b"late row"])
        self.old(archive)
        sweep = reconcile._sweep

        def commit_then_sweep(*found):
            with db.transaction() as tx:
                tx.studies.add_instance(make_instance(1, study_instance_uid="1.2.9", file=file))
            return sweep(*found)

        monkeypatch.setattr(reconcile, "_sweep", commit_then_sweep)
        assert self.sweep(db, archive) == 0
        assert whole(db, archive)


@pytest.mark.parametrize("short", [False, True])
def test_a_clock_that_is_wrong_for_a_minute_costs_no_study(db, archive, keep, short):
    """A scanner that was promised so much has deleted its own copy."""
    for uid, days in (("1.2.1", 12), ("1.2.2", 0), ("1.2.3", 12)):
        keep(uid, days)
    with db.transaction() as tx:
        tx.promises.keep({"1.2.3.1.0": "1.2.3"}, NOW + 30 * DAY_S)
    cleaner = Cleaner(db, archive, RULES, ages=Ages(NOW))
    next_year = NOW + 365 * DAY_S
    assert [one.study_instance_uid for one in cleaner.due(next_year, short=short)] == ["1.2.1"]
    assert cleaner.remove("1.2.2", next_year, short=short) is None
    assert [one.study_instance_uid for one in cleaner.run(next_year, short=short)] == ["1.2.1"]
    with db.reading() as tx:
        (told,) = [entry for entry in tx.journal.of_study("1.2.1") if entry.event == "removed"]
    assert told.at == next_year, "as the journal's other entries have it"
