"""An evaluator for batches of images of different sizes, and the inferer that has a detector look at them."""

from __future__ import annotations

from typing import Any

from monai.engines import SupervisedEvaluator
from monai.engines.utils import IterationEvents
from monai.inferers import Inferer


def images_alone(batch: list[dict[str, Any]], device: Any, *_: Any, **__: Any) -> tuple[list[Any], None]:
    return [item["image"].to(device) for item in batch], None


class BoxEvaluator(SupervisedEvaluator):
    """One item an image at the end."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(prepare_batch=images_alone, **arguments)

    def _register_decollate(self) -> None:
        @self.on(IterationEvents.MODEL_COMPLETED)
        def _one_by_one(engine: Any) -> None:
            output = engine.state.output
            engine.state.output = [{"image": image, "pred": found}
                                   for image, found in zip(output["image"], output["pred"], strict=True)]


class BoxInferer(Inferer):
    """Calls the detector."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def __call__(self, inputs: Any, network: Any, *_: Any, **__: Any) -> Any:
        self.detector.network, self.detector.training = network, False
        return self.detector(inputs, use_inferer=False)
