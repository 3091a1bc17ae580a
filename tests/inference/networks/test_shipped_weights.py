"""What the weights in the shipped bundles were trained as: the network written down once more, function by function.

A change of the modules that gives these weights another meaning, or another name, fails here.
"""

from pathlib import Path

import pytest
import torch
from torch.nn import functional as f

import inference
from inference.backends.bundle import build_network
from inference.backends.bundle_files import WEIGHTS, read_bundle

BUNDLES = Path(inference.__file__).parent / "bundles"


class Written:
    """The hybrid network of Table 3 in three dimensions, from nothing but its weights by name."""

    def __init__(self, weights, heads):
        self.weights = {name: value.float() for name, value in weights.items()}
        self.heads = heads

    def __call__(self, x):
        skips = []
        for level in range(self.count("encoder")):
            x = self.stack(f"encoder.{level}", f.max_pool3d(x, 2) if level else x)
            skips.append(x)
        x = skips.pop()
        if any(name.startswith("transformer.") for name in self.weights):
            x = self.transformer(x)
        for level in range(self.count("decoder")):
            x = self.step_up(f"decoder.{level}", x, skips.pop())
        return f.conv3d(x, **self.of("output"))

    def count(self, prefix):
        return 1 + max(int(name.split(".")[1]) for name in self.weights if name.startswith(f"{prefix}."))

    def of(self, name):
        return {part: self.weights[f"{name}.{part}"] for part in ("weight", "bias") if f"{name}.{part}" in self.weights}

    def stack(self, name, x):
        for convolution, norm in ((0, 1), (4, 5)):
            x = f.conv3d(x, **self.of(f"{name}.{convolution}"), padding=1)
            mean, variance = (self.weights[f"{name}.{norm}.running_{part}"] for part in ("mean", "var"))
            x = f.relu(f.batch_norm(x, mean, variance, **self.of(f"{name}.{norm}")))
        return x

    def step_up(self, name, x, skip):
        asked = f.conv3d(skip, **self.of(f"{name}.gate.project_skip"), stride=2)
        asked = f.relu(asked + f.conv3d(x, **self.of(f"{name}.gate.project_gate")))
        passed = f.interpolate(torch.sigmoid(f.conv3d(asked, **self.of(f"{name}.gate.psi.0"))), skip.shape[2:],
                               mode="trilinear")
        up = f.conv_transpose3d(x, **self.of(f"{name}.up"), stride=2)
        return self.stack(f"{name}.stack", torch.cat((up, skip * passed), 1))

    def transformer(self, x):
        x = x + f.conv3d(x, **self.of("transformer.position"), padding=1, groups=x.shape[1])
        shape, tokens = x.shape, x.flatten(2).transpose(1, 2)
        for number in range(1 + max(int(n.split(".")[2]) for n in self.weights if n.startswith("transformer.layers"))):
            name = f"transformer.layers.{number}"
            tokens = tokens + self.attention(f"{name}.self_attn", self.norm(f"{name}.norm1", tokens))
            hidden = f.gelu(f.linear(self.norm(f"{name}.norm2", tokens), **self.of(f"{name}.linear1")))
            tokens = tokens + f.linear(hidden, **self.of(f"{name}.linear2"))
        return tokens.transpose(1, 2).reshape(shape)

    def norm(self, name, tokens):
        return f.layer_norm(tokens, tokens.shape[-1:], **self.of(name))

    def attention(self, name, tokens):
        joint = f.linear(tokens, self.weights[f"{name}.in_proj_weight"], self.weights[f"{name}.in_proj_bias"])
        query, key, value = joint.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weight = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
        return f.linear((weight @ value).transpose(1, 2).flatten(2), **self.of(f"{name}.out_proj"))


def written(weights, arguments):
    """The network of a bundle as a function."""
    def part(name):
        own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
        return Written(own, arguments[name]["heads"])

    def on_part_of_the_grid(network, step, x):
        return f.interpolate(network(f.avg_pool3d(x, step)), scale_factor=step, mode="trilinear")

    def coarse_to_fine(x):
        first = on_part_of_the_grid(part("coarse"), 2, x)
        return first + part("fine")(torch.cat((x, torch.tanh(first / 2)), 1))

    def two_scales(x):
        return torch.maximum(part("near")(x), on_part_of_the_grid(part("far"), 3, x))

    if "coarse" in arguments:
        return coarse_to_fine
    return two_scales if "near" in arguments else Written(weights, arguments["heads"])


@pytest.mark.parametrize("name", sorted(path.name for path in BUNDLES.iterdir() if (path / WEIGHTS).exists()))
def test_a_shipped_bundle_means_what_it_was_trained_as(name):
    files = read_bundle(BUNDLES / name)
    network = build_network(files)
    weights = torch.load(files.root / WEIGHTS, weights_only=True)
    assert list(network.state_dict()) == list(weights), "names are those of the file"
    x = torch.randn(1, files.network["in_channels"], 48, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits, expected = network(x), written(weights, files.network)(x)
    assert logits.std() > 0.1, "the weights say something"
    assert torch.allclose(logits, expected, rtol=1e-3, atol=1e-3)
