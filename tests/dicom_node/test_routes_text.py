"""One route in the text of routes.yaml changes, and nothing else of it."""

from __future__ import annotations

from difflib import ndiff
from pathlib import Path

import pytest

from dicom_node.errors import ConfigurationError
from dicom_node.routes_text import data_of, merged, route_text, with_route

SHIPPED = (Path(__file__).resolve().parents[2] / "conf" / "routes.yaml").read_text()


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
    ("routes: [{name: a}]\n", "name: a\n"), ("routes: []\n", "name: a\n"), (SHIPPED, "a: ["), (SHIPPED, "- a\n"),
    (SHIPPED, "just words"), ("routes: [", "name: a\n"),
])
def test_what_cannot_be_done_is_said(text: str, route: str) -> None:
    with pytest.raises(ConfigurationError):
        with_route(text, "a", route)


def test_a_route_nested_without_end_is_none() -> None:
    with pytest.raises(ConfigurationError, match="the route: is nested too deep"):
        data_of("[" * 1000)
