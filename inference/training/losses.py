"""Cross entropy + Dice (paper Table 4), over sigmoid regions or softmax classes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from inference.recipe import Output


class HybridLoss(nn.Module):
    """(Binary) cross entropy plus soft Dice, from logits (batch, channel, …) and labels (batch, …).

    Dice is taken over the whole batch, so that a patch without tumour does not ask for the impossible. It hardly
    pulls at what is found where nothing is; for small lesions a larger `entropy_weight` does.
    """

    def __init__(self, output: Output, entropy_weight: float = 1.0, smooth: float = 1.0) -> None:
        super().__init__()
        self.softmax = output.activation == "softmax"
        self.members = [region.members for region in output.regions]
        self.entropy_weight = entropy_weight
        self.smooth = smooth

    def target(self, labels: torch.Tensor) -> torch.Tensor:
        """Labels (batch, …) as one map of 0 and 1 for each output channel (batch, channel, …), float32."""
        maps = [torch.isin(labels, labels.new_tensor(members)) for members in self.members]
        if self.softmax:
            maps.insert(0, ~torch.stack(maps).any(dim=0))
        return torch.stack(maps, dim=1).float()

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """A scalar; 0 is perfect."""
        target = self.target(labels)
        if self.softmax:
            entropy = functional.cross_entropy(logits, target)
            probability = logits.softmax(dim=1)[:, 1:]
            target = target[:, 1:]
        else:
            entropy = functional.binary_cross_entropy_with_logits(logits, target)
            probability = logits.sigmoid()
        axes = [axis for axis in range(target.dim()) if axis != 1]
        overlap = (probability * target).sum(axes)
        total = probability.sum(axes) + target.sum(axes)
        dice = (2 * overlap + self.smooth) / (total + self.smooth)
        return self.entropy_weight * entropy + (1 - dice).mean()
