import numpy as np
import pytest

from inference.phantom.brain_anatomy import Anatomy, Tissue
from inference.phantom.brain_contrast import CONTRASTS, TISSUE_SIGNAL, patient_texture, render
from inference.phantom.brain_tumour import ENHANCING, OEDEMA, Tumour

SHAPE = (24, 24, 24)


def scene(label=0):
    """White matter with, in its middle, CSF and a cube of one tumour label."""
    tissue = np.full(SHAPE, Tissue.WHITE, dtype=np.uint8)
    tissue[2:8] = Tissue.CSF
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[14:22, 8:16, 8:16] = label
    nothing = np.zeros(SHAPE, dtype=bool)
    return Anatomy(tissue, np.full(SHAPE, 20, np.float32)), Tumour(labels, nothing, nothing)


def rendered(contrast, label=0, seed=0):
    rng = np.random.default_rng(seed)
    return render(contrast, *scene(label), patient_texture(SHAPE, rng), rng)


def mean_of_seeds(contrast, where, label=0):
    return np.mean([rendered(contrast, label, seed)[where].mean() for seed in range(8)])


FLUID, WHITE, LESION = np.s_[4:6], np.s_[10:13, :6, :6], np.s_[16:20, 10:14, 10:14]


def test_every_tissue_has_a_signal_in_every_contrast():
    assert set(TISSUE_SIGNAL) == set(Tissue)
    assert CONTRASTS == ("T1", "T1ce", "T2", "FLAIR")


def test_csf_is_dark_on_t1_and_flair_and_bright_on_t2():
    assert mean_of_seeds("T1", FLUID) < 0.5 * mean_of_seeds("T1", WHITE)
    assert mean_of_seeds("T2", FLUID) > 1.5 * mean_of_seeds("T2", WHITE)
    assert mean_of_seeds("FLAIR", FLUID) < mean_of_seeds("FLAIR", WHITE)


def test_oedema_is_bright_on_flair_and_an_enhancing_rim_on_t1ce_alone():
    assert mean_of_seeds("FLAIR", LESION, OEDEMA) > 1.5 * mean_of_seeds("FLAIR", WHITE)
    assert mean_of_seeds("T1ce", LESION, ENHANCING) > 1.5 * mean_of_seeds("T1", LESION, ENHANCING)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_without_tumour_nothing_is_overlaid(contrast):
    plain = rendered(contrast)
    assert plain.shape == SHAPE
    assert np.isfinite(plain).all()


def test_oedema_that_fades_is_brightest_beside_the_core():
    anatomy, tumour = scene(OEDEMA)
    tumour.labels[14:22, 8:16, 8:10] = ENHANCING
    rng = np.random.default_rng(0)
    texture = patient_texture(SHAPE, rng)
    sharp, faint = (render("FLAIR", anatomy, tumour, texture._replace(fading=fading), np.random.default_rng(1))
                    for fading in (0.0, 0.8))
    lost = (sharp - faint)[16:20, 10:14]
    assert (lost[..., 10] < 0.3 * lost[..., 15]).all()
    assert (lost[..., 15] > 0.1).all()
