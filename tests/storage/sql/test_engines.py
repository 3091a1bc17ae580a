"""Which databases there are, and what goes into their JSON."""

import json
import math

import pytest

from storage.errors import StorageError
from storage.sql import engines
from storage.sql.engines import make_engine, to_json


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("not a url", "neither sqlite"),
        ("postgresql://node@host:port/node", "neither sqlite"),
        ("mysql://node@host/node", "kind mysql are not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
def test_what_cannot_be_opened_is_told_in_a_sentence(url, sentence):
    with pytest.raises(StorageError, match=sentence):
        make_engine(url)


def test_a_missing_driver_is_a_sentence_that_says_what_to_install(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(StorageError, match=r"pip install 'segnode\[postgres\]'"):
        make_engine("postgresql://node@host/node")


def test_a_password_is_not_in_the_engines_name():
    assert "secret" not in repr(make_engine("postgresql://node:secret@host/node"))


def test_numbers_that_json_cannot_say_are_null():
    value = {"a": math.nan, "b": [1.5, math.inf, (True, None)], "c": {"d": -math.inf}, "e": "µ\ud800"}
    assert json.loads(to_json(value)) == {"a": None, "b": [1.5, None, [True, None]], "c": {"d": None}, "e": "µ\ud800"}
