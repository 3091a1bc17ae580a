"""A weights file is read without trust: tensors by name, or a ModelError that says what is wrong."""

import io
import random

import pytest
import torch

from inference.errors import ModelError
from inference.networks import weights
from inference.networks.weights import read_weights

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}


class Anything:
    """A class that a file could ask to have unpickled."""


@pytest.mark.parametrize("content", [
    STATE,
    {"state_dict": STATE, "epoch": 3, "optimizer": {"lr": 0.1}},
    {"state_dict": {f"module.{name}": value for name, value in STATE.items()}},
])
def test_a_state_dict_is_found_however_it_is_wrapped(content, save):
    found = read_weights(save(content))
    assert set(found) == set(STATE)
    assert torch.equal(found["a.weight"], STATE["a.weight"])


@pytest.mark.parametrize(("content", "reason"), [
    ([1, 2], "hold list"),
    ({}, "hold"),
    ({"epoch": 3}, "'epoch' no dense tensor but int"),
    ({"state_dict": {"a": torch.eye(2).to_sparse()}}, "'a' no dense tensor"),
    ({3: torch.zeros(1)}, "3"),
    ({"model": Anything()}, "cannot be read: UnpicklingError"),
])
def test_anything_else_is_refused_by_name(content, reason, save):
    with pytest.raises(ModelError, match=reason) as caught:
        read_weights(save(content))
    assert "weights.pth" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.pth cannot be read: No such file"):
        read_weights(tmp_path / "gone.pth")
    with pytest.raises(ModelError, match="cannot be read"):
        read_weights(tmp_path)


def test_a_file_beyond_the_bound_is_not_opened(save, monkeypatch):
    path = save(STATE)
    monkeypatch.setattr(weights, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(ModelError, match=f"at most {path.stat().st_size - 1} are read"):
        read_weights(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_is_never_anything_but_a_model_error(zipped, tmp_path):
    buffer = io.BytesIO()
    torch.save({"state_dict": STATE}, buffer, _use_new_zipfile_serialization=zipped)
    rng, path = random.Random(0), tmp_path / "damaged.pth"
    refused = 0
    for _ in range(150):
        content = bytearray(buffer.getvalue())
        del content[rng.choice([len(content), rng.randrange(len(content))]):]
        for _ in range(min(3, len(content))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        try:
            read_weights(path)
        except ModelError:
            refused += 1
    assert refused > 30
