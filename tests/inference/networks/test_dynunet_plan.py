"""Kernels and strides follow from patch and spacing by nnU-Net's rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.networks.dynunet_plan import LEAST, divisors, plan


def test_equal_spacing_halves_every_axis_alike():
    made = plan((128, 128, 128), (1, 1, 1))
    assert made.strides == ((1, 1, 1), *[(2, 2, 2)] * 5)
    assert made.kernels == ((3, 3, 3),) * 6


def test_thick_slices_are_first_left_alone():
    made = plan((16, 256, 256), (5.0, 0.7, 0.7))
    assert made.strides[:4] == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2))
    assert made.kernels[:3] == ((1, 3, 3), (1, 3, 3), (3, 3, 3))  # 5 mm is less than twice 2.8 mm
    assert divisors(made.strides)[0] == 4


def test_one_axis_alone_is_halved_only_while_it_is_long():
    assert plan((8, 8, 16), (1, 1, 1)).strides == ((1, 1, 1), (2, 2, 2))
    assert plan((4, 4, 16), (1, 1, 1)).strides == ((1, 1, 1), (1, 1, 2))


@pytest.mark.parametrize(("patch", "spacing"), [((32, 32), (1, 1)), ((32, 64), (2, 0.5))])
def test_two_dimensions_are_planned_alike(patch, spacing):
    assert all(len(level) == 2 for level in plan(patch, spacing).strides)


def test_a_patch_that_cannot_be_halved_evenly_says_what_would_do():
    with pytest.raises(ValueError, match=r"an axis of 18 voxels is halved to 1/4: take a patch of 16 or 20"):
        plan((18, 32, 32), (1, 1, 1))


@pytest.mark.parametrize(("patch", "spacing"), [((32, 32, 32), (1, 1)), ((32,), (1,))])
def test_axes_have_to_be_the_same_two_or_three(patch, spacing):
    with pytest.raises(ValueError, match="2 or 3 axes"):
        plan(patch, spacing)


@given(st.lists(st.tuples(st.sampled_from([8, 16, 32, 64, 128]), st.floats(0.3, 8)), min_size=2, max_size=3))
def test_rules_that_hold_for_every_plan(axes):
    patch, spacing = zip(*axes, strict=True)
    made = plan(patch, spacing)
    assert len(made.kernels) == len(made.strides)
    assert set(made.strides[0]) == {1}
    assert set(made.kernels[-1]) == {3}
    assert all(size // divisor >= LEAST for size, divisor in zip(patch, divisors(made.strides), strict=True))
    for before, after in zip(made.kernels, made.kernels[1:], strict=False):
        assert all(wide >= narrow for narrow, wide in zip(before, after, strict=True)), "a kernel never narrows"
