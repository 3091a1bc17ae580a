"""The same inputs, task, model and parameters are the same job."""

from __future__ import annotations

from typing import Any

import pytest

from dicom_node.pipeline.identity import job_identity

INPUTS = {"CT": {"series": "1.2", "instances": ["1.2.1", "1.2.2"]}}
MODEL = {"name": "liver", "version": "1", "sha256": "ab"}


def of(**changes: Any) -> str:
    facts: dict[str, Any] = {"task": "liver_tumour", "inputs": INPUTS, "model": MODEL, "parameters": {"task": {}}}
    return job_identity(**(facts | changes))


def test_order_of_arrival_does_not_count() -> None:
    assert of() == of(inputs={"CT": {"series": "1.2", "instances": ["1.2.2", "1.2.1"]}})


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "lung_nodule"},
        {"inputs": {"CT": {"series": "1.2", "instances": ["1.2.1"]}}},
        {"inputs": {"T1": INPUTS["CT"]}},
        {"model": MODEL | {"sha256": "cd"}},
        {"parameters": {"outputs": ["seg", "sr"]}},
    ],
)
def test_anything_else_is_another_job(changes: dict[str, Any]) -> None:
    assert of() != of(**changes)


def test_is_a_hash() -> None:
    assert len(of()) == 64
    assert int(of(), 16)


def test_a_corrected_header_of_an_input_is_another_job() -> None:
    names = {of(corrections={"1.2.1": name}) for name in ("ab", "cd")} | {of(corrections={"1.2.2": "ab"})}
    assert len(names | {of()}) == 4
    assert of(corrections={"1.2.99": "ab"}) == of(corrections={}) == of(), "what is no input does not count"


def test_a_job_that_ended_gets_another_name_each_time() -> None:
    assert len({of(again=number) for number in range(3)}) == 3
    assert of(again=0) == of()
