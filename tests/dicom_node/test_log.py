"""Log lines, plain and as JSON."""

import json
import logging
import warnings

import pytest
from pydantic import ValidationError

from dicom_node.log import LoggingSettings, setup


@pytest.fixture(autouse=True)
def _restored():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    levels = {name: logging.getLogger(name).level for name in ("pydicom", "pynetdicom", "dicom_node.quiet")}
    with warnings.catch_warnings():
        yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, value in levels.items():
        logging.getLogger(name).setLevel(value)


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


@pytest.mark.parametrize("form", ["plain", "json"])
def test_an_exception_is_told(capsys, form):
    setup(LoggingSettings(format=form))
    try:
        int("seven")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    assert "ValueError: invalid literal" in capsys.readouterr().err


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
