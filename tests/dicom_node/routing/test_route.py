"""Routes as YAML gives them."""

import json

import pytest
from pydantic import ValidationError

from dicom_node.routing.route import Route, Routing

CT = {"kind": "modality", "any_of": ["CT"]}


def route(**changes):
    base = {"name": "liver", "when": CT, "select": {"kind": "one_series"}, "task": "liver_tumour", "model": "liver"}
    return Route.model_validate(base | changes)


def test_the_shipped_routes(routes):
    assert {r.name: r.task for r in routes} == {
        "brain-tumour": "brain_tumour", "liver-tumour": "liver_tumour", "lung-nodule": "lung_nodule",
    }  # fmt: skip
    assert all(r.enabled and r.outputs == ("seg", "sr") and r.destinations == ("pacs",) for r in routes)


def test_little_is_needed():
    small = route()
    assert (small.enabled, small.outputs, small.destinations, small.priority.default) == (True, ("seg", "sr"), (), 50)


def test_priority_is_a_number_or_depends_on_who_sent():
    assert route(priority=70).priority.of(["ANY"]) == 70
    urgent = route(priority={"default": 40, "peers": {"ER_CT": 90, "WARD": 10}}).priority
    assert urgent.of(["CT1"]) == 40
    assert urgent.of(["CT1", "ER_CT", "WARD"]) == 90
    assert urgent.of(["WARD"]) == 10


def test_predicates_nest():
    nested = route(when={"kind": "all", "of": [CT, {"kind": "not", "of": {"kind": "any", "of": [CT, CT]}}]})
    assert nested.when.of[1].of.of[0].any_of == ("CT",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"when": {"kind": "modalty", "any_of": ["CT"]}}, "modality"),  # names the kinds there are
        ({"when": {"any_of": ["CT"]}}, "kind"),
        ({"when": {"kind": "all", "of": []}}, "at least 1 item"),
        ({"when": CT | {"none_of": ["MR"]}}, "Extra inputs"),
        ({"select": {"kind": "best"}}, "one_series"),
        ({"select": {"kind": "mr_brain"}}, "task liver_tumour needs CT"),
        ({"select": {"kind": "one_series", "role": "T2"}}, "task liver_tumour needs CT"),
        ({"task": "brain_tumour"}, "needs T1, T1ce, T2, FLAIR"),
        ({"outputs": ["pdf"]}, "'seg' or 'sr'"),
        ({"outputs": []}, "at least 1 item"),
        ({"destinations": ["pacs", "pacs"]}, "twice"),
        ({"priority": 101}, "less than or equal to 100"),
        ({"priority": {"default": 5, "peers": {"A_TITLE_LONGER_THAN_16": 1}}}, "pattern"),
        ({"name": "Liver tumour"}, "pattern"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_is_wrong_in_a_route_is_said(changes, says):
    with pytest.raises(ValidationError, match=says):
        route(**changes)


def test_two_routes_have_two_names():
    with pytest.raises(ValidationError, match="two routes are called liver"):
        Routing(routes=(route(), route()))


def test_the_schema_is_plain_json():
    schema = json.loads(json.dumps(Routing.model_json_schema()))
    assert {"routes", "vocabulary"} <= schema["properties"].keys()
