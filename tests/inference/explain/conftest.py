"""Networks small enough to know what they look at, and volumes with a ball at a known place in the patient."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from inference.networks.attention_gate import AttentionGate
from inference.prepare import Prepared, prepare
from inference.recipe import Channel, Recipe
from inference.volume import Grid, Volume


class Pooled(nn.Module):
    """Two deep features, each the mean of one input channel over 2 × 2 × 2 voxels; class n is feature n, enlarged."""

    divisor = 2

    def __init__(self, sign: float = 1.0):
        super().__init__()
        self.deep = nn.Conv3d(2, 2, kernel_size=2, stride=2, bias=False)
        self.deep.weight.data = torch.eye(2)[:, :, None, None, None].repeat(1, 1, 2, 2, 2) / 8
        self.sign = sign

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.sign * functional.interpolate(self.deep(x), size=x.shape[2:], mode="nearest")


class PooledPlanes(nn.Module):
    """The same in two dimensions; of a volume it is shown the planes one by one."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(2, 2, kernel_size=2, stride=2, bias=False), nn.Upsample(scale_factor=2))
        self.inner[0].weight.data = torch.eye(2)[:, :, None, None].repeat(1, 1, 2, 2) / 4

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() == 4:
            return self.inner(x)
        return self.inner(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)


class Gated(nn.Module):
    """One attention gate that is open where the input is bright: its coefficient is sigmoid(20 · mean - 10)."""

    divisor = 2

    def __init__(self):
        super().__init__()
        self.gate = AttentionGate(1, 1)
        self.pool = nn.AvgPool3d(2)
        for weights in self.gate.parameters():
            nn.init.zeros_(weights)
        nn.init.constant_(self.gate.project_skip.weight, 1 / 8)
        nn.init.constant_(self.gate.psi[0].weight, 20 / 4)
        nn.init.constant_(self.gate.psi[0].bias, -10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gate(x, self.pool(x))


@pytest.fixture
def pooled() -> Callable[..., nn.Module]:
    return Pooled


@pytest.fixture
def pooled_planes() -> nn.Module:
    return PooledPlanes()


@pytest.fixture
def gated() -> nn.Module:
    return Gated()


def ball(grid: Grid, radius: float = 7.0, at: tuple[float, float, float] = (8, 12.5, 11)) -> np.ndarray:
    """True in a ball about voxel `at` (z, y, x), by places in the patient."""
    places = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.linalg.norm(places - grid.to_lps(at), axis=-1) < radius


@pytest.fixture
def balls(volume_of: Callable[..., Volume]) -> Callable[..., tuple[Volume, np.ndarray, Prepared]]:
    """A volume of an orientation with a bright ball, the ball's voxels, and both prepared at a coarser spacing."""

    def make(orientation: str, channels: int = 1) -> tuple[Volume, np.ndarray, Prepared]:
        volume = volume_of(orientation, shape=(18, 26, 22))
        inside = ball(volume.grid)
        volume = volume.with_array(np.where(inside, 1000.0, -1000.0).astype(np.float32))
        shown = [Channel(role="CT", scale="window", low=-1000, high=1000)] * channels
        return volume, inside, prepare({"CT": volume}, Recipe(primary="CT", channels=shown, spacing_mm=(2, 1.4, 1.6)))

    return make
