"""A detector's boxes as lesions: read from what the bundle left, and painted on the images that they lie in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import ModelError
from inference.volume import Volume

if TYPE_CHECKING:
    from inference.backends.zoo import BoxAnswer


@dataclass(frozen=True, eq=False)
class FoundBox:
    """A box with its corners in LPS mm, its score (0..1), and the detector's number of what is in it."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    score: float
    number: int


def found_boxes(item: Mapping[str, Any], folder: Path, answer: BoxAnswer) -> list[FoundBox]:
    """The boxes that reach the threshold, the surest last; ModelError where the bundle left none to read.

    A detector of the zoo brings its boxes into the patient's frame only in the JSON file that it writes, so that such
    a file is read where there is one; else the evaluator's item is taken.
    """
    told = next(_answers(item, folder, answer), None)
    if told is None:
        raise ModelError(f"The detector left no boxes: neither a JSON file nor its output has {answer.box_key!r} and "
                         f"{answer.score_key!r}.")
    scores = _array(told[answer.score_key]).ravel()
    boxes = _array(told[answer.box_key]).reshape(-1, 6)
    numbers = _array(told[answer.label_key]).ravel() if answer.label_key in told else np.zeros(len(scores))
    found = []
    for box, score, number in zip(boxes, scores, numbers, strict=True):
        if score >= answer.threshold:
            low, high = _corners(box, answer)
            found.append(FoundBox(low, high, float(score), int(number)))
    return sorted(found, key=lambda one: one.score)


def painted(boxes: Sequence[FoundBox], volume: Volume,
            labels: Mapping[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
    """Labels and scores on the volume's grid: in each box what stands out there; the surest box over the others."""
    from inference.transforms.grow import grow_in_box

    painting = np.zeros(volume.grid.shape, dtype=np.uint8)
    chances = np.zeros(volume.grid.shape, dtype=np.float16)
    for box in boxes:
        if not labels.get(box.number):
            continue
        grown = grow_in_box(volume, box.low, box.high)
        if grown is not None:
            part, mask = grown
            painting[part][mask] = labels[box.number]
            chances[part][mask] = box.score
    return painting, chances


def _answers(item: Mapping[str, Any], folder: Path, answer: BoxAnswer) -> Iterator[Mapping[str, Any]]:
    """Whatever has boxes with scores: in the files, then in the item or one level inside it."""
    written: list[Any] = []
    for path in sorted(folder.rglob("*.json")):
        content = json.loads(path.read_text())
        written += content if isinstance(content, list) else [content]
    for one in (*written, item, *item.values()):
        if isinstance(one, Mapping) and answer.box_key in one and answer.score_key in one:
            yield one


def _corners(box: NDArray[np.float64], answer: BoxAnswer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the greatest corner in LPS mm."""
    ends = (box[:3], box[3:]) if answer.form == "xyzxyz" else (box[:3] - box[3:] / 2, box[:3] + box[3:] / 2)
    sign = np.array([1.0, 1.0, 1.0] if answer.frame == "LPS" else [-1.0, -1.0, 1.0])
    return np.minimum(ends[0] * sign, ends[1] * sign), np.maximum(ends[0] * sign, ends[1] * sign)


def _array(values: Any) -> NDArray[np.float64]:
    """Lists of JSON, or a tensor on any device."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)
