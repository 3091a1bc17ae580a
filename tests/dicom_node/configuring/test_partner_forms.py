"""Forms are made of the settings' own classes, and say in words what each field is."""

from __future__ import annotations

import pytest

from dicom_node.configuring.form_fields import Sort
from dicom_node.configuring.partner_forms import KIND_WORDS, MODELS, again, fields_of, filled_in, model_of
from dicom_node.errors import ConfigurationError
from dicom_node.settings.text import flow
from storage.errors import NotFound

PACS = model_of("destinations", "dimse")
ENTRY = {
    "ae_title": "PACS", "host": "pacs", "port": 104, "accepts": ["clinical", "research"], "iocm": True,
    "profile": {"preset": "images", "captures": "key"}, "tls": {"authorities": "a.pem", "check_name": False},
}  # fmt: skip


@pytest.mark.parametrize("model", [model for group in MODELS.values() for model in group.values()])
def test_every_setting_has_a_field_with_words(model) -> None:
    fields = {field.name: field for field in fields_of(model, {})}
    assert {name for name in fields if "." not in name} == set(model.model_fields) - {"kind"}
    assert all(field.label for field in fields.values())
    assert fields_of(model, {})[0].required, "what is needed comes first"


def test_what_a_form_shows_it_brings_back() -> None:
    fields = fields_of(PACS, ENTRY)
    sent = {field.name: list(field.values) or [field.value] for field in fields}
    assert filled_in(PACS, sent) == ENTRY
    assert filled_in(PACS, sent | {"tls": ["no"]}) == {key: value for key, value in ENTRY.items() if key != "tls"}
    assert filled_in(PACS, {"host": [" h "], "port": [""]}, "dimse") == {"kind": "dimse", "host": "h"}


def test_each_kind_of_value_is_filled_in_as_it_should_be() -> None:
    sorts = {field.name: (field.sort, field.usual) for field in fields_of(PACS, {})}
    assert sorts["port"] == (Sort.NUMBER, "")
    assert sorts["iocm"] == (Sort.CHOICE, "false")
    assert sorts["accepts"] == (Sort.TICKS, "")
    assert sorts["profile"] == (Sort.YAML, "")
    assert sorts["alternative_after_s"] == (Sort.NUMBER, "3600")


def test_a_word_that_is_no_number_is_left_to_the_settings_to_refuse() -> None:
    assert filled_in(PACS, {"port": ["many"], "host": ["1"]}) == {"port": "many", "host": "1"}


def test_what_was_filled_in_wrongly_is_shown_again() -> None:
    sent = {"profile": ["{preset"], "accepts": ["clinical"]}
    with pytest.raises(ConfigurationError, match="profile: no valid YAML"):
        filled_in(PACS, sent)
    shown = {field.name: field for field in again(fields_of(PACS, ENTRY), sent)}
    assert (shown["profile"].value, shown["accepts"].values, shown["host"].value) == ("{preset", ("clinical",), "")


def test_a_kind_that_is_none_is_told() -> None:
    with pytest.raises(NotFound, match="there are no peers of kind folder; there are dimse, dicomweb"):
        model_of("peers", "folder")
    assert set(KIND_WORDS) == {kind for group in MODELS.values() for kind in group}
    assert flow(ENTRY["profile"]) == "{preset: images, captures: key}"
