"""What a process counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from dicom_node.counting import FIGURES, RECEIVED_BYTES, REJECTED, Counts


def test_threads_count_together_and_what_is_taken_is_gone() -> None:
    counts = Counts()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(100):
            pool.submit(counts.add, RECEIVED_BYTES, 3)
    counts.add(REJECTED, reason="limit")
    taken = counts.take()
    assert taken == {("received_bytes", ()): 300, ("associations_rejected", (("reason", "limit"),)): 1}
    assert counts.take() == {}
    counts.give_back(taken)
    counts.add(RECEIVED_BYTES)
    assert counts.take()["received_bytes", ()] == 301


def test_a_label_that_a_figure_has_not_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="associations_rejected has the labels"):
        Counts().add(REJECTED, patient="x")


def test_names_differ() -> None:
    assert len({one.name for one in FIGURES}) == len(FIGURES)
