"""Log lines, plain and as JSON."""

import json
import logging
import sys
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from dicom_node.log import LoggingSettings, setup, tell_of_threads
from storage.errors import StorageError

pytestmark = pytest.mark.usefixtures("restored_logging")


def test_a_plain_line_has_moment_level_place_words_and_facts(capsys):
    setup(LoggingSettings())
    logging.getLogger("dicom_node.node").warning("role %s", "died", extra={"role": "receive", "exit_code": 1})
    line = capsys.readouterr().err
    assert line.endswith("Z WARNING dicom_node.node: role died role=receive exit_code=1\n")


def test_a_json_line_holds_the_same(capsys):
    setup(LoggingSettings(format="json"))
    logging.getLogger("dicom_node.node").warning("role %s", "died", extra={"role": "receive", "exit_code": 1})
    entry = json.loads(capsys.readouterr().err)
    assert entry.pop("at").endswith("Z")
    assert entry == {
        "level": "WARNING", "logger": "dicom_node.node", "message": "role died", "role": "receive", "exit_code": 1,
    }  # fmt: skip


def test_a_fact_does_not_take_the_place_of_the_moment_or_the_level(capsys):
    setup(LoggingSettings(format="json"))
    logging.getLogger("x").warning("it listens", extra={"at": "http://127.0.0.1:8470", "level": 3, "port": 8470})
    entry = json.loads(capsys.readouterr().err)
    assert entry["at"].endswith("Z")
    assert (entry["level"], entry["port"]) == ("WARNING", 8470)


def told(capsys, form, raises):
    setup(LoggingSettings(format=form))
    try:
        raises()
    except Exception:
        logging.getLogger("x").exception("it failed")
    return capsys.readouterr().err


@pytest.mark.parametrize("form", ["plain", "json"])
def test_of_an_exception_place_and_type_are_told_and_not_what_it_quotes(capsys, form):
    name, number = "DOE^JANE", "P-4711"

    def reads():
        try:
            int(name)
        except ValueError as error:
            raise KeyError(number) from error

    line = told(capsys, form, reads)
    assert line.index("ValueError") < line.index("which led to") < line.index("KeyError")
    assert "in reads" in line
    assert not [said for said in (name, number) if said in line]


def test_our_own_errors_keep_their_words_in_one_line(capsys):
    def fails():
        raise StorageError("no room\nfor it")

    assert "storage.errors.StorageError: no room for it" in told(capsys, "plain", fails)


def test_the_systems_errors_keep_its_words_and_no_name_of_a_file(capsys):
    line = told(capsys, "plain", lambda: Path("/nowhere/doe_jane.dcm").read_bytes())
    assert line.rstrip().endswith("FileNotFoundError: No such file or directory")


def test_of_several_at_once_the_types_are_told(capsys):
    def fails():
        raise ExceptionGroup("DOE^JANE", [ValueError("a"), TypeError("b")])

    assert told(capsys, "plain", fails).rstrip().endswith("ExceptionGroup of ValueError, TypeError")


def test_a_thread_that_ends_by_a_fault_is_logged(capsys, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    setup(LoggingSettings())
    tell_of_threads()
    name = "DOE^JANE"
    for target in (lambda: int(name), sys.exit):
        thread = threading.Thread(target=target, name="reader")
        thread.start()
        thread.join()
    line = capsys.readouterr().err
    assert line.count("a fault that nobody foresaw ended the thread reader") == 1
    assert line.rstrip().endswith("ValueError")
    assert name not in line


def test_strangers_cannot_forge_a_second_line(capsys):
    setup(LoggingSettings())
    logging.getLogger("x").warning("peer %s", "EVIL\n2026 ERROR forged", extra={"aet": "A\nB"})
    assert capsys.readouterr().err.count("\n") == 1


def test_levels_choose(capsys):
    setup(LoggingSettings(level="WARNING", levels={"dicom_node.quiet": "DEBUG"}))
    logging.getLogger("dicom_node.loud").info("not this")
    logging.getLogger("dicom_node.quiet").debug("but this")
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == ["but this"]


def test_libraries_that_quote_what_they_read_are_kept_quiet(capsys):
    setup(LoggingSettings(level="DEBUG"))
    logging.getLogger("pydicom").warning("value 'Doe^Jane'")
    logging.getLogger("pynetdicom.assoc").info("Doe^Jane")
    assert capsys.readouterr().err == ""


def test_a_peer_that_offers_nothing_of_what_we_asked_is_no_error_of_the_library(capsys):
    """Storage commitment that an archive does not offer: said by ourselves, with its name, once."""
    setup(LoggingSettings())
    logging.getLogger("pynetdicom.acse").error("No accepted presentation contexts")
    logging.getLogger("pynetdicom.events").error("Exception raised in user's handler")
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("wrong", [{"level": "LOUD"}, {"format": "xml"}, {"levels": {"x": 3}}, {"colour": True}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        LoggingSettings(**wrong)
