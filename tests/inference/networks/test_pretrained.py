"""Pretrained weights enter an encoder as they are, inflated, or adapted by a stated rule; each tensor is told of."""

import pytest
import torch
from resnet_weights import WIDTHS, imagenet_state, monai_features, monai_resnet34

from inference.errors import ModelError
from inference.networks.hybrid_unet_transformer import HybridUNetTransformer
from inference.networks.pretrained import load_pretrained
from inference.networks.resnet import ResNetEncoder
from inference.networks.unet import UNet

HEAD = ("fc.weight", "fc.bias")


def tensors(encoder):
    return {name for name in encoder.state_dict() if not name.endswith("num_batches_tracked")}


def accounted(report):
    return [*report.loaded, *report.inflated, *report.adapted, *report.missing]


def test_imagenet_weights_are_used_as_they_are_in_2d(save):
    state = imagenet_state()
    encoder = ResNetEncoder(3, WIDTHS, dimensions=2)
    report = load_pretrained(encoder, save(state))
    assert set(report.loaded) == tensors(encoder)
    assert report.unused == HEAD
    assert not report.inflated + report.adapted + report.missing
    assert all(torch.equal(encoder.state_dict()[name], state[name]) for name in report.loaded)


def test_inflated_weights_see_in_a_constant_volume_what_they_saw_in_2d(save):
    """Away from the ends, whose padding no 2D network knows: a slice is as good as a volume of that slice."""
    flat, solid = ResNetEncoder(3, WIDTHS[:4], dimensions=2).eval(), ResNetEncoder(3, WIDTHS[:4], dimensions=3).eval()
    path = save(imagenet_state())
    load_pretrained(flat, path)
    report = load_pretrained(solid, path)
    assert set(report.inflated) == {name for name, value in solid.state_dict().items() if value.dim() == 5}
    image = torch.randn(1, 3, 16, 16)
    volume = image[:, :, None].expand(-1, -1, 576, -1, -1)  # slices; the last stage sees 547 of them
    with torch.inference_mode():
        for there, here in zip(flat(image), solid(volume), strict=True):
            middle = here[:, :, here.shape[2] // 2]
            assert torch.allclose(middle, there, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_an_image_on_every_channel_is_what_a_grey_image_was_on_three(dimensions, channels, save):
    path = save(imagenet_state())
    colour, own = (ResNetEncoder(n, WIDTHS, dimensions).eval() for n in (3, channels))
    load_pretrained(colour, path)
    report = load_pretrained(own, path)
    assert report.adapted == ("conv1.weight",)
    grey = torch.randn(1, 1, *[16] * dimensions)
    with torch.inference_mode():
        there, here = (encoder(grey.expand(-1, n, *grey.shape[2:]))[0] for encoder, n in ((colour, 3), (own, channels)))
    assert torch.allclose(here, there, rtol=1e-4, atol=1e-5)


def test_medicalnet_weights_compute_what_they_computed(save):
    """Its files: one channel, DataParallel's names, shortcuts without weights, which our projections stand for."""
    other = monai_resnet34(3, 1, shortcut="A")
    path = save({"state_dict": {f"module.{name}": value for name, value in other.state_dict().items()}, "epoch": 7})
    encoder = ResNetEncoder(1, WIDTHS, dimensions=3).eval()
    report = load_pretrained(encoder, path)
    assert set(report.adapted) == {name for name in tensors(encoder) if ".downsample." in name}
    assert not report.inflated + report.missing + report.unused
    x = torch.randn(1, 1, 32, 32, 32)
    with torch.inference_mode():
        for ours, theirs in zip(encoder(x), monai_features(other, x), strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_every_tensor_is_accounted_for_once(save):
    state = {name: value for name, value in imagenet_state().items()
             if not name.startswith("layer4.") and name != "bn1.bias"}
    encoder = ResNetEncoder(4, WIDTHS, dimensions=3)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    report = load_pretrained(encoder, save(state))
    assert sorted(accounted(report)) == sorted(tensors(encoder))
    assert set(report.missing) == {n for n in tensors(encoder) if n.startswith("layer4.") or n == "bn1.bias"}
    assert all(torch.equal(encoder.state_dict()[name], before[name]) for name in report.missing)
    line = str(report)
    assert "weights.pth (ResNet-34 in 2D for 3 channels" in line
    assert "1 adapted (conv1.weight)" in line
    assert "bn1.bias" in line
    assert "2 unused (fc.weight, fc.bias)" in line


def test_a_network_around_the_encoder_keeps_its_other_weights(save):
    network = HybridUNetTransformer(3, 1, dimensions=2, widths=(2, *WIDTHS), encoder="resnet34", heads=2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    report = load_pretrained(network, save(imagenet_state()))
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {f"encoder.resnet.{name}" for name in report.loaded}


def test_weights_in_half_precision_are_inflated_in_full(save):
    encoder, again = ResNetEncoder(3, WIDTHS, dimensions=3), ResNetEncoder(3, WIDTHS, dimensions=3)
    half = {name: value.half() if value.is_floating_point() else value for name, value in imagenet_state().items()}
    load_pretrained(encoder, save(half))
    load_pretrained(again, save({name: value.float() for name, value in half.items()}))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize(("state", "words"), [
    (imagenet_state(bottleneck=True), ("layer1.0.conv1.weight is (4, 4, 1, 1)", "(4, 4, 3, 3)", "hold ResNet-50")),
    (imagenet_state(blocks=(2, 2, 2, 2)), ("layer1.2.conv1.weight is absent", "hold ResNet-18 in 2D")),
    (imagenet_state(blocks=(3, 4, 7, 3)), ("layer3.6.conv1.weight is (8, 8, 3, 3)", "absent in the network")),
    (imagenet_state((8, 4, 8, 8, 16)), ("conv1.weight is (8, 3, 7, 7)", "(4, 3, 7, 7)", "widths 8 4 8 8 16")),
    ({"convInit.conv.weight": torch.zeros(8, 4, 3, 3, 3)}, ("conv1.weight is absent", "SegResNet in 3D for 4")),
    ({**imagenet_state(), "conv1.weight": torch.zeros(4, 3, 7, 7, dtype=torch.uint8)}, ("of torch.uint8",)),
    ({name: value[:, :, None] if value.dim() == 4 else value for name, value in imagenet_state().items()},
     ("conv1.weight is (4, 3, 1, 7, 7)", "hold ResNet-34 in 3D")),
])
def test_another_network_is_named_with_the_first_tensor_that_does_not_fit(state, words, save):
    encoder = ResNetEncoder(3, WIDTHS, dimensions=2)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        load_pretrained(encoder, save(state))
    for word in (*words, "the encoder is ResNet-34 in 2D for 3 channels", "weights.pth"):
        assert word in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items()), "nothing was changed"


def test_a_network_without_such_an_encoder_says_so(save):
    with pytest.raises(ModelError, match="UNet has no ResNet encoder"):
        load_pretrained(UNet(1, 1, widths=(4, 8)), save(imagenet_state()))
