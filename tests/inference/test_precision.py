"""A network computes in the precision that was asked for, and answers in float32 all the same."""

import pytest
import torch
from torch import nn

from inference import sliding
from inference.precision import chosen, compute_in


class Watched(nn.Module):
    """Tells in which type it multiplied."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        answer = self.layer(x)
        self.seen = answer.dtype
        return {"first": [answer], "count": torch.tensor(1)}


@pytest.mark.parametrize(("precision", "seen"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_it_is_as_asked_whatever_the_caller_wants(precision, seen):
    network = Watched()
    compute_in(network, "cpu", precision)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        answer = network(torch.ones(1, 4))
    assert network.seen == seen
    assert answer["first"][0].dtype == torch.float32
    assert answer["count"].dtype == torch.int64


@pytest.mark.parametrize(("native", "kind"), [(True, "bf16"), (False, "fp32")])
def test_auto_is_what_the_device_does_fastest(monkeypatch, native, kind):
    monkeypatch.setattr(sliding, "cpu_has_bfloat16", lambda: native)
    assert chosen("cpu") == kind
