"""Boxes are read from what a detector left, in any of the forms, and become lesions at their places."""

import json

import numpy as np
import pytest
import torch

from inference.backends.zoo import BoxAnswer
from inference.backends.zoo_boxes import FoundBox, found_boxes, painted
from inference.errors import ModelError
from inference.volume import Grid, Spacing, Volume, regular_affine

BOXES = {"box": [[10, -20, 30, 8, 6, 4], [0, 0, 0, 2, 2, 2]], "label": [0, 0], "label_scores": [0.9, 0.6]}


def test_a_file_is_believed_before_the_output(tmp_path):
    (tmp_path / "result.json").write_text(json.dumps([BOXES | {"image": "x"}]))
    raw = {"pred": {"box": torch.ones(1, 6), "label": torch.zeros(1), "label_scores": torch.ones(1)}}
    small, large = found_boxes(raw, tmp_path, BoxAnswer())
    assert (small.score, large.score) == (0.6, 0.9), "the surest last"
    assert (large.low.tolist(), large.high.tolist()) == ([6, -23, 28], [14, -17, 32])


@pytest.mark.parametrize(("form", "frame", "box"), [
    ("cccwhd", "LPS", [10, -20, 30, 8, 6, 4]),
    ("cccwhd", "RAS", [-10, 20, 30, 8, 6, 4]),
    ("xyzxyz", "LPS", [6, -23, 28, 14, -17, 32]),
    ("xyzxyz", "RAS", [-14, 17, 28, -6, 23, 32]),
])
def test_every_form_and_frame_gives_corners_in_lps(tmp_path, form, frame, box):
    item = {"pred": {"box": torch.tensor([box]), "label": torch.tensor([0]), "label_scores": torch.tensor([0.9])}}
    (found,) = found_boxes(item, tmp_path, BoxAnswer(form=form, frame=frame))
    assert (found.low.tolist(), found.high.tolist()) == ([6, -23, 28], [14, -17, 32])


def test_boxes_below_the_threshold_are_none(tmp_path):
    assert len(found_boxes(BOXES, tmp_path, BoxAnswer(threshold=0.7))) == 1


def test_no_boxes_are_no_findings_but_no_list_is_a_fault(tmp_path):
    assert found_boxes({"box": [], "label": [], "label_scores": []}, tmp_path, BoxAnswer()) == []
    with pytest.raises(ModelError, match="neither a JSON file nor its output has 'box' and 'label_scores'"):
        found_boxes({"pred": torch.zeros(1)}, tmp_path, BoxAnswer())


def test_the_surest_box_lies_over_the_others_and_classes_that_nobody_wants_are_left_out():
    grid = Grid((10, 10, 10), regular_affine((0, 0, 0), np.eye(3)[:, ::-1], Spacing(1, 1, 1)))
    volume = Volume(np.zeros(grid.shape, np.float32), grid, "HU")
    boxes = [FoundBox(np.full(3, low), np.full(3, high), score, number)
             for low, high, score, number in ((0.0, 6.0, 0.5, 0), (2.0, 8.0, 0.75, 1), (0.0, 9.0, 1.0, 2))]
    labels, chances = painted(boxes, volume, {0: 1, 1: 2})
    assert labels[4, 4, 4] == 2
    assert chances[4, 4, 4] == 0.75
    assert labels[1, 3, 3] == 1
    assert chances[1, 3, 3] == 0.5
    assert chances.max() == 0.75
