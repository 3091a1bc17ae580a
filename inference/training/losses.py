"""Cross entropy + Dice (paper Table 4), over sigmoid regions or softmax classes."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from inference.networks.coarse_to_fine import Windowed
from inference.recipe import Output

Logits = torch.Tensor | tuple[torch.Tensor, ...] | Windowed


class HybridLoss(nn.Module):
    """(Binary) cross entropy plus soft Dice, from logits (batch, channel, …) and labels (batch, …).

    Dice is taken over the whole batch, so that a patch without tumour does not ask for the impossible. It hardly
    pulls at what is found where nothing is; for small lesions a larger `entropy_weight` does. A weight of 0 leaves a
    part out. Logits of coarser levels (deep supervision) count half as much with each level (Lee et al. 2015). Of a
    network that learns by windows only these are looked at on the whole grid.
    """

    def __init__(self, output: Output, entropy_weight: float = 1.0, dice_weight: float = 1.0,
                 smooth: float = 1.0) -> None:
        super().__init__()
        self.softmax = output.activation == "softmax"
        self.members = [region.members for region in output.regions]
        self.entropy_weight, self.dice_weight = entropy_weight, dice_weight
        self.smooth = smooth

    def target(self, labels: torch.Tensor) -> torch.Tensor:
        """Labels (batch, …) as one map of 0 and 1 for each output channel (batch, channel, …), float32."""
        maps = [torch.isin(labels, labels.new_tensor(members)) for members in self.members]
        if self.softmax:
            maps.insert(0, ~torch.stack(maps).any(dim=0))
        return torch.stack(maps, dim=1).float()

    def forward(self, logits: Logits, labels: torch.Tensor) -> torch.Tensor:
        """A scalar; 0 is perfect."""
        target = self.target(labels)
        if isinstance(logits, torch.Tensor):
            return self._of_level(logits.float(), target)
        if isinstance(logits, Windowed):
            levels = [(logits.logits, logits.inside(target)), (logits.coarse, _on_grid(target, logits.coarse))]
        else:
            levels = [(one, _on_grid(target, one)) for one in logits]
        shares = [0.5 ** level for level in range(len(levels))]
        losses = [share * self._of_level(one.float(), truth)
                  for share, (one, truth) in zip(shares, levels, strict=True)]
        return torch.stack(losses).sum() / sum(shares)

    def _of_level(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
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
        return self.entropy_weight * entropy + self.dice_weight * (1 - dice).mean()


def _on_grid(target: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """The nearest of `target` on the coarser grid of `logits`."""
    return target if target.shape[2:] == logits.shape[2:] else functional.interpolate(target, logits.shape[2:])
