"""A checkpoint brings back numbers, tensors and the state of random numbers; a kill leaves the one before."""

import threading
from pathlib import Path

import pytest
import torch

from inference.training import checkpoint


def test_what_was_kept_comes_back_with_the_random_numbers(tmp_path: Path) -> None:
    torch.manual_seed(3)
    checkpoint.save(tmp_path / "deep" / "run.pt", {"step": 7, "weights": {"a": torch.ones(2)}})
    drawn = torch.rand(4)
    state = checkpoint.load(tmp_path / "deep" / "run.pt")
    assert state is not None
    assert state["step"] == 7
    assert torch.equal(state["weights"]["a"], torch.ones(2))
    assert torch.equal(torch.rand(4), drawn)


def test_there_may_be_none(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "run.pt") is None


def test_a_failure_while_it_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    checkpoint.save(path, {"step": 1})
    with pytest.raises(TypeError, match="cannot pickle"):
        checkpoint.save(path, {"step": threading.Lock()})
    assert checkpoint.load(path)["step"] == 1
