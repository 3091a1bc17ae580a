"""What a person fills in becomes the value that the file would have."""

from __future__ import annotations

import pytest

from dicom_node.configuring.form_fields import Sort, filled, read_back
from dicom_node.errors import ConfigurationError


@pytest.mark.parametrize(("sort", "options", "word", "value"), [
    (Sort.TEXT, (), "0104", "0104"),
    (Sort.NUMBER, (), "104", 104),
    (Sort.CHOICE, ("true", "false"), "true", True),
    (Sort.CHOICE, ("low", "high"), "low", "low"),
    (Sort.YAML, (), "{file: key}", {"file": "key"}),
])  # fmt: skip
def test_it_is_read_as_its_sort_says(sort: Sort, options: tuple[str, ...], word: str, value: object) -> None:
    assert read_back("timeout", sort, options, [word]) == value


def test_what_is_no_yaml_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigurationError, match="key: no valid YAML"):
        read_back("key", Sort.YAML, (), ["{file"])


def test_all_ticks_count_and_what_is_blank_does_not() -> None:
    sent = {"outputs": [" seg", "", "sr "]}
    assert read_back("outputs", Sort.TICKS, ("seg", "sr"), filled(sent, "outputs")) == ["seg", "sr"]
    assert filled(sent, "model") == []
