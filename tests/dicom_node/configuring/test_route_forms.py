"""A route as a form, and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from dicom_node.configuring.form_fields import Sort
from dicom_node.configuring.route_forms import Box, _walk, filled_in, form_of
from dicom_node.configuring.routes_text import data_of, route_text
from dicom_node.errors import ConfigurationError
from dicom_node.routing.predicates import KINDS

SHIPPED = (Path(__file__).resolve().parents[3] / "conf" / "routes.yaml").read_text()
CHOICES = {"task": ["liver_tumour"], "model": ["liver_tumour", "other"], "destinations": ["pacs", "share"]}
LIVER = data_of(route_text(SHIPPED, "liver-tumour"))


def as_sent(box: Box) -> dict[str, list[str]]:
    """What a browser sends of a form that nobody has touched."""
    fields = [field for one in _walk(box) for field in one.fields]
    return {f.place: list(f.values) if f.sort is Sort.TICKS else [f.value] for f in fields if f.value or f.values}


@pytest.mark.parametrize("name", ["brain-tumour", "liver-tumour", "lung-nodule"])
def test_sent_as_it_was_it_says_the_same(name: str) -> None:
    data = data_of(route_text(SHIPPED, name))
    assert filled_in(data, as_sent(form_of(data, CHOICES)), CHOICES) == data


def test_every_kind_of_predicate_has_its_fields() -> None:
    held = [{"kind": kind} for kind in sorted(KINDS)]
    box = form_of({"when": {"kind": "all", "of": held}}, CHOICES).boxes[0]
    assert [one.kind for one in box.boxes] == sorted(KINDS)
    assert box.kinds == tuple(sorted(KINDS))


def test_fields_change_conditions_come_and_go() -> None:
    sent = as_sent(form_of(LIVER, CHOICES))
    sent |= {"destinations": ["pacs", "share"], "enabled": ["false"], "when.of.5.at_least": ["25"],
             "when.of.0.go": ["true"], "when.of.1.go": ["true"], "when.add": ["kernel"], "description": [""]}
    found = filled_in(LIVER, sent, CHOICES)
    assert (found["destinations"], found["enabled"], "description" in found) == (["pacs", "share"], False, False)
    assert [one["kind"] for one in found["when"]["of"]] == [
        "body_part", "orientation", "volume", "slices", "coverage_mm", "fov_mm", "thickness_mm", "kernel"
    ]
    assert found["when"]["of"][3] == {"kind": "slices", "at_least": 25}
    assert LIVER["when"]["of"][0] == {"kind": "modality", "any_of": ["CT"]}, "what was read stays as it was"


def test_what_is_no_yaml_is_told_by_its_place() -> None:
    with pytest.raises(ConfigurationError, match=r"when\.of\.0\.any_of: no valid YAML"):
        filled_in(LIVER, as_sent(form_of(LIVER, CHOICES)) | {"when.of.0.any_of": ["[CT"]}, CHOICES)


def test_what_the_schema_does_not_know_makes_no_form_of_its_own() -> None:
    assert form_of({"when": {"kind": "telepathy"}, "select": "x"}, CHOICES).boxes == ()
