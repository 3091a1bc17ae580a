"""A recipe is data that cannot contradict itself."""

import pytest
from pydantic import ValidationError

from inference.recipe import Channel, Output, Recipe, Region


def test_roles_come_once_and_the_primary_first():
    channels = [Channel(role=role, scale="zscore") for role in ("T1", "T1ce", "T1")]
    assert Recipe(primary="T1ce", channels=channels, spacing_mm=(1, 1, 1)).roles == ("T1ce", "T1")


@pytest.mark.parametrize("ends", [{}, {"low": 5, "high": 5}, {"low": 100, "high": -100}])
def test_a_window_has_two_ends(ends):
    with pytest.raises(ValidationError, match="low < high"):
        Channel(role="CT", scale="window", **ends)


def test_a_softmax_has_a_channel_for_the_background():
    regions = [Region(name="organ", label=1, members=[1]), Region(name="tumour", label=2, members=[2])]
    softmax, sigmoid = (Output(activation=kind, regions=regions) for kind in ("softmax", "sigmoid"))
    assert (softmax.channels, sigmoid.channels) == (3, 2)
    assert [n for n, _ in softmax.foreground()] == [1, 2]
    assert [n for n, _ in sigmoid.foreground()] == [0, 1]


def test_an_unknown_key_is_no_recipe():
    with pytest.raises(ValidationError, match="spacing"):
        Recipe(primary="CT", channels=[Channel(role="CT", scale="zscore")], spacing_mm=(1, 1, 1), spacing=3)


def test_a_temperature_is_written_only_where_it_changes_something():
    plain = Region(name="nodule", label=1, members=[1])
    assert "temperature" not in plain.model_dump()
    assert "temperature" not in Output(activation="sigmoid", regions=[plain]).model_dump_json()
    warm = Region(name="nodule", label=1, members=[1], temperature=1.5)
    assert Region.model_validate(warm.model_dump(mode="json")) == warm
    with pytest.raises(ValidationError, match="temperature"):
        Region(name="nodule", label=1, members=[1], temperature=0)


def test_a_channel_that_is_left_out_competes_but_is_not_painted():
    regions = [Region(name="spleen", label=0, members=[1]), Region(name="liver", label=1, members=[1])]
    softmax, sigmoid = (Output(activation=kind, regions=regions) for kind in ("softmax", "sigmoid"))
    assert [n for n, _ in softmax.foreground()] == [1, 2]
    assert [n for n, _ in sigmoid.foreground()] == [1]
