import numpy as np
import pytest

from inference.phantom.brain_anatomy import CANVAS_MM, CANVAS_SHAPE, Tissue, canvas_axes, draw_head


@pytest.fixture(scope="module")
def head():
    points = tuple(np.broadcast_to(a, CANVAS_SHAPE) for a in canvas_axes())
    return draw_head(points, np.random.default_rng(11))


def volume_ml(head, *tissues):
    return np.isin(head.tissue, tissues).sum() * CANVAS_MM**3 / 1000


def test_the_canvas_reaches_from_neck_to_vertex():
    z, y, x = (a.ravel() for a in canvas_axes())
    assert z[0] < -100
    assert z[-1] > 80
    assert y[-1] == pytest.approx(-y[0])
    assert x[-1] == pytest.approx(-x[0])


def test_a_head_holds_the_volumes_of_an_adult(head):
    brain = volume_ml(head, Tissue.GREY, Tissue.WHITE, Tissue.DEEP_GREY, Tissue.CEREBELLAR_CORTEX, Tissue.GLIOSIS)
    assert 900 < brain < 1700
    assert 0.5 < volume_ml(head, Tissue.GREY) / volume_ml(head, Tissue.WHITE) < 2.5
    assert volume_ml(head, Tissue.CSF) < 700
    assert volume_ml(head, Tissue.BLOOD) < 80


def test_every_tissue_is_there(head):
    assert set(np.unique(head.tissue)) == set(Tissue)


def test_depth_is_positive_in_the_brain_and_negative_in_the_air(head):
    assert (head.depth[head.tissue == Tissue.WHITE] > 0).mean() > 0.99
    assert (head.depth[head.tissue == Tissue.AIR] < 0).all()


def test_cortex_lies_over_white_matter_and_follows_sulci(head):
    grey, fluid = head.tissue == Tissue.GREY, head.tissue == Tissue.CSF
    buried = fluid & (head.depth > 8)
    assert buried.sum() > 5000
    assert np.median(head.depth[grey]) < np.median(head.depth[head.tissue == Tissue.WHITE])
