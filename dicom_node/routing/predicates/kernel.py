"""What the CT reconstruction kernel was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate
from dicom_node.routing.vocabulary import Kernel

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts


class ReconstructionKernel(Predicate):
    """Convolution Kernel (0018,1210) is of one of these classes, by the table in the vocabulary."""

    kind: Literal["kernel"] = "kernel"
    any_of: tuple[Kernel, ...] = Field(min_length=1, description="classes that are a yes: soft, sharp, unknown")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:  # noqa: ARG002
        said = f"kernel {series.kernel_name or 'not named'} ({series.kernel})"
        if series.kernel in self.any_of:
            return Answer(True, said)
        return Answer(False, f"{said} is not {' or '.join(self.any_of)}")
