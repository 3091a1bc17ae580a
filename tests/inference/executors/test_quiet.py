"""What pydicom quotes of a header reaches no log."""

import logging
import warnings

import pytest
from pydicom.charset import convert_encodings

from inference.executors.quiet import keep_quiet


def test_neither_by_a_warning_nor_by_a_line(caplog: pytest.LogCaptureFixture) -> None:
    before = logging.getLogger("pydicom").level
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        keep_quiet()
        convert_encodings("Doe^Jane")
        logging.getLogger("pydicom").warning("Doe^Jane")
    logging.getLogger("pydicom").setLevel(before)
    assert told == []
    assert caplog.text == ""
