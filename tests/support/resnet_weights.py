"""State dicts such as ImageNet's and MedicalNet's files hold, small, and an independent ResNet to compare with."""

from itertools import pairwise

import torch
from monai.networks.nets import ResNet
from torch import nn

WIDTHS = (4, 4, 8, 8, 16)  # of a small ResNet-34: stem and four stages


def imagenet_state(widths=WIDTHS, blocks=(3, 4, 6, 3), channels=3, *, bottleneck=False):
    """Names and shapes of torchvision's ResNets, with random values of a size that keeps features in bounds."""
    random = torch.Generator().manual_seed(5)
    state = {}

    def convolution(name, before, after, kernel):
        scale = (2 / (before * kernel**2)) ** 0.5
        state[f"{name}.weight"] = torch.randn(after, before, kernel, kernel, generator=random) * scale

    def norm(name, width):
        for part, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5), ("running_var", 0.5)):
            state[f"{name}.{part}"] = torch.rand(width, generator=random) + low
        state[f"{name}.num_batches_tracked"] = torch.tensor(1000)

    convolution("conv1", channels, widths[0], 7)
    norm("bn1", widths[0])
    kernels = (1, 3, 1) if bottleneck else (3, 3)
    before = widths[0]
    for stage, (width, count) in enumerate(zip(widths[1:], blocks, strict=True), start=1):
        after = 4 * width if bottleneck else width
        for block in range(count):
            sizes = (before, *[width] * (len(kernels) - 1), after)
            for number, (kernel, (less, more)) in enumerate(zip(kernels, pairwise(sizes), strict=True), start=1):
                convolution(f"layer{stage}.{block}.conv{number}", less, more, kernel)
                norm(f"layer{stage}.{block}.bn{number}", more)
            if block == 0 and (stage > 1 or before != after):
                convolution(f"layer{stage}.0.downsample.0", before, after, 1)
                norm(f"layer{stage}.0.downsample.1", after)
            before = after
    state["fc.weight"], state["fc.bias"] = torch.zeros(10, before), torch.zeros(10)
    return state


def monai_resnet34(dimensions, channels, *, shortcut, widths=WIDTHS):
    """MONAI's ResNet-34 with statistics that are not those of a fresh network."""
    torch.manual_seed(6)
    network = ResNet("basic", [3, 4, 6, 3], list(widths[1:]), spatial_dims=dimensions, n_input_channels=channels,
                     conv1_t_stride=2, shortcut_type=shortcut, feed_forward=False, bias_downsample=False)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def monai_features(network, x):
    """Its features of the stem and of each stage."""
    x = network.act(network.bn1(network.conv1(x)))
    features = [x]
    x = network.maxpool(x)
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        x = stage(x)
        features.append(x)
    return features
