"""Patches vary; image and labels stay together."""

import numpy as np
import pytest
import torch

from inference.training.augment import augment
from inference.training.config import AugmentSettings

STILL = {"deform_share": 0, "gain": 0, "offset": 0, "gamma": 0, "noise": 0}


@pytest.fixture
def patch():
    """A bright off-centre ball with its label."""
    places = np.moveaxis(np.indices((24, 24, 24)), 0, -1)
    labels = (np.linalg.norm(places - (9, 13, 12), axis=-1) < 6).astype(np.uint8)
    return torch.from_numpy(labels[None].astype(np.float32)).repeat(2, 1, 1, 1), torch.from_numpy(labels)


def test_without_variation_nothing_changes(patch):
    image, labels = augment(*patch, AugmentSettings(**STILL), np.random.default_rng(0))
    assert torch.equal(image, patch[0])
    assert torch.equal(labels, patch[1])


def test_flips_and_bends_move_image_and_labels_alike(patch):
    settings = AugmentSettings(**STILL | {"flip_axes": (0, 1, 2), "deform_share": 1})
    for seed in range(5):
        image, labels = augment(*patch, settings, np.random.default_rng(seed))
        assert not torch.equal(labels, patch[1])
        assert labels.dtype == torch.uint8
        both = ((image[0] > 0.5) & (labels > 0)).sum()
        assert 2 * both / ((image[0] > 0.5).sum() + labels.sum()) > 0.9


def test_tissue_that_is_continued_beyond_the_edge_keeps_its_label():
    """What turns into a patch from outside is as bright as the edge, so it is what the edge is."""
    labels = torch.ones((16, 16, 16), dtype=torch.uint8)
    for seed in range(5):
        image, turned = augment(labels[None].float(), labels, AugmentSettings(**STILL | {"deform_share": 1}),
                                np.random.default_rng(seed))
        torch.testing.assert_close(image[0], turned.float())


def test_colour_changes_channel_by_channel_and_leaves_labels(patch):
    settings = AugmentSettings(deform_share=0, gain=0.3, offset=0.3, gamma=0, noise=0)
    image, labels = augment(*patch, settings, np.random.default_rng(0))
    assert not torch.allclose(image[0], image[1])
    assert torch.equal(labels, patch[1])


def test_the_tissue_of_a_label_gets_a_brightness_of_its_own_in_each_channel(patch):
    settings = AugmentSettings(**STILL | {"label_offset": 0.5})
    image, labels = augment(*patch, settings, np.random.default_rng(0))
    assert torch.equal(labels, patch[1])
    change = image - patch[0]
    middle = change[:, 9, 13, 12]
    assert middle.abs().max() <= 0.5
    assert abs(middle[0] - middle[1]) > 0.01
    assert change[:, :2].abs().max() == 0, "what has no label stays"
    border = change[:, 9, 13, 12 + 6] / middle
    assert ((border > 0.1) & (border < 0.9)).all(), "softly"


def test_gamma_keeps_the_ends(patch):
    settings = AugmentSettings(**STILL | {"gamma": 0.5})
    for seed in range(6):
        image, _ = augment(patch[0] * 3 - 1, patch[1], settings, np.random.default_rng(seed))
        assert (float(image.min()), float(image.max())) == pytest.approx((-1, 2), abs=1e-3)


def test_the_same_seed_gives_the_same_patch(patch):
    settings = AugmentSettings(flip_axes=(2,), deform_share=1)
    first, second = (augment(*patch, settings, np.random.default_rng(3))[0] for _ in range(2))
    assert torch.equal(first, second)


def test_a_single_plane_is_turned_in_itself(patch):
    image, labels = (patch[0][:, 12:13], patch[1][12:13])
    settings = AugmentSettings(**STILL | {"deform_share": 1, "rotation_deg": 90, "elastic_voxels": 2})
    for seed in range(5):
        bent, moved = augment(image, labels, settings, np.random.default_rng(seed))
        assert bent.shape == image.shape
        both = ((bent[0] > 0.5) & (moved > 0)).sum()
        assert 2 * both / ((bent[0] > 0.5).sum() + moved.sum()) > 0.9


def test_a_lower_resolution_smears_edges_and_leaves_labels(patch):
    settings = AugmentSettings(**STILL | {"blur_share": 1, "blur_factor": 4})
    image, labels = augment(*patch, settings, np.random.default_rng(1))
    assert torch.equal(labels, patch[1])
    assert image.mean() == pytest.approx(float(patch[0].mean()), rel=0.05)
    between = ((image > 0.1) & (image < 0.9)).float().mean()
    assert between > 0.05
    assert ((patch[0] > 0.1) & (patch[0] < 0.9)).sum() == 0
