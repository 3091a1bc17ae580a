"""The same network answers the same, whichever library runs it; a library that is not there is told by its name."""

import sys

import pytest
import torch
from torch import nn

from inference.engine import engaged, engines, of_torch
from inference.errors import ModelError


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4), nn.LeakyReLU(), nn.Conv3d(4, 2, 1)).eval()


def test_on_a_cpu_there_are_two_and_a_gpu_is_torchs():
    assert engines("cpu") == ("torch", "openvino")
    assert engines("cuda:0") == ("torch",)


def test_without_openvino_there_is_torch(monkeypatch):
    monkeypatch.setattr("inference.engine.find_spec", lambda _: None)
    assert engines("cpu") == ("torch",)


def test_a_network_of_torch_stays_what_it_is(network):
    assert engaged(network, "torch", "cpu", "fp32") is network
    assert engaged(network, "openvino", "cuda:0", "auto") is network
    assert of_torch(network) is network


def test_openvino_that_is_not_installed_is_told_when_the_model_is_loaded(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError, match=r"pip install 'segnode\[openvino\]'"):
        engaged(network, "openvino", "cpu", "auto")
