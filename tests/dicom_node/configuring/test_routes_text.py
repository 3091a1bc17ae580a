"""One route in the text of routes.yaml changes, and nothing else of it."""

from __future__ import annotations

from difflib import ndiff
from pathlib import Path

import pytest

from dicom_node.configuring.routes_text import data_of, merged, route_text, with_route, without_route
from dicom_node.errors import ConfigurationError
from storage.errors import NotFound

SHIPPED = (Path(__file__).resolve().parents[3] / "conf" / "routes.yaml").read_text()


def changed(before: str, after: str) -> list[str]:
    return [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize("name", ["brain-tumour", "liver-tumour", "lung-nodule"])
def test_what_says_the_same_leaves_every_byte(name: str) -> None:
    route = route_text(SHIPPED, name)
    assert route.startswith(f"name: {name}\n")
    assert with_route(SHIPPED, name, merged(route, data_of(route))) == SHIPPED


def test_values_change_and_comments_stay() -> None:
    route = route_text(SHIPPED, "lung-nodule")
    data = data_of(route)
    data["enabled"], data["priority"] = False, 80
    of = data["when"]["of"]
    of[8]["at_most"] = 3
    del of[3]
    of.append({"kind": "kernel", "any_of": ["sharp"]})
    assert changed(SHIPPED, with_route(SHIPPED, "lung-nodule", merged(route, data))) == [
        "-     enabled: true",
        "+     enabled: false",
        "-         - {kind: orientation, any_of: [axial]}",
        "-         - {kind: thickness_mm, at_most: 5}   # thick slices hide small nodules; 3 is stricter",
        "+         - {kind: thickness_mm, at_most: 3}   # thick slices hide small nodules; 3 is stricter",
        "+         - {kind: kernel, any_of: [sharp]}",
        "-     priority: {default: 50, peers: {}}",
        "+     priority: 80",
    ]


def test_a_new_one_stands_behind_the_others() -> None:
    text = with_route(SHIPPED, "mine", merged(route_text(SHIPPED, "lung-nodule"), {"name": "mine", "enabled": False}))
    assert changed(SHIPPED, text) == ["+   - name: mine", "+     enabled: false", "+ "]
    assert data_of(route_text(text, "mine")) == {"name": "mine", "enabled": False}
    assert text.index("name: mine") < text.index("# vocabulary")


@pytest.mark.parametrize("layout", ["routes:\n- name: a\n  task: x # why\n- name: b\nother: 1\n",
                                    "routes:\n  -   name: a\n      task: x # why\n\n  # of b\n  -   name: b\nother: 1"])
def test_other_layouts_are_understood(layout: str) -> None:
    assert data_of(route_text(layout, "a")) == {"name": "a", "task": "x"}
    text = with_route(layout, "a", "name: a\ntask: y # why\n")
    assert "task: y # why" in text
    assert data_of(text) == {"routes": [{"name": "a", "task": "y"}, {"name": "b"}], "other": 1}


@pytest.mark.parametrize(("text", "route"), [
    ("routes: [{name: a}]\n", "name: a\n"), ("routes: {}\n", "name: a\n"), (SHIPPED, "a: ["), (SHIPPED, "- a\n"),
    (SHIPPED, "just words"), ("routes: [", "name: a\n"),
])
def test_what_cannot_be_done_is_said(text: str, route: str) -> None:
    with pytest.raises(ConfigurationError):
        with_route(text, "a", route)


def test_a_route_nested_without_end_is_none() -> None:
    with pytest.raises(ConfigurationError, match="the route: is nested too deep"):
        data_of("[" * 1000)


@pytest.mark.parametrize("name", ["brain-tumour", "liver-tumour", "lung-nodule"])
def test_one_goes_with_its_own_lines(name: str) -> None:
    text = without_route(SHIPPED, name)
    assert [one["name"] for one in data_of(text)["routes"]] == [
        one["name"] for one in data_of(SHIPPED)["routes"] if one["name"] != name
    ]
    assert {line[0] for line in changed(SHIPPED, text)} == {"-"}
    assert with_route(text, "other", route_text(SHIPPED, name)).count(f"name: {name}") == 1


@pytest.mark.parametrize("layout", ["routes:  # all\n  # of a\n  - name: a\n    task: x\nother: 1\n",
                                    "other: 1\nroutes:\n- name: a\n"])
def test_the_last_one_goes_and_another_comes(layout: str) -> None:
    text = without_route(layout, "a")
    assert data_of(text) == {"routes": [], "other": 1}
    assert data_of(with_route(text, "b", "name: b\ntask: y\n")) == {"routes": [{"name": "b", "task": "y"}], "other": 1}


@pytest.mark.parametrize("text", ["", "routes: []  # none\n", "routes:\n", "other: 1\nroutes: [ ]", "other: 1"])
def test_the_first_one_finds_its_place(text: str) -> None:
    made = with_route(text, "a", "name: a\n# why\ntask: x\n")
    assert data_of(made)["routes"] == [{"name": "a", "task": "x"}]
    assert "# why" in made


def test_one_that_is_not_there_cannot_go() -> None:
    with pytest.raises(NotFound, match="there is no route gone"):
        without_route(SHIPPED, "gone")
