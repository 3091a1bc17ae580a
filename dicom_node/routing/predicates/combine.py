"""All, any and not: three-valued, as a candidate stays one until a certain no (or, for any, a certain yes)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from dicom_node.routing.predicates.base import Answer, Predicate

if TYPE_CHECKING:
    from dicom_node.routing.facts import SeriesFacts, StudyFacts
    from dicom_node.routing.predicates import AnyPredicate


class All(Predicate):
    """Yes where every part is; the first no is the reason."""

    kind: Literal["all"] = "all"
    of: tuple[AnyPredicate, ...] = Field(min_length=1, description="predicates that must all be a yes")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:
        answers = []
        for part in self.of:
            answer = part.answer(study, series)
            if not answer.ok:
                return answer
            answers.append(answer)
        return Answer(True, "; ".join(a.reason for a in answers), all(a.sure for a in answers))


class AnyOf(Predicate):
    """Yes where one part is; a sure yes goes before a candidate."""

    kind: Literal["any"] = "any"
    of: tuple[AnyPredicate, ...] = Field(min_length=1, description="predicates of which one must be a yes")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:
        answers = [part.answer(study, series) for part in self.of]
        best = max(answers, key=lambda answer: (answer.ok, answer.ok and answer.sure))
        if best.ok:
            return best
        return Answer(False, " and ".join(answer.reason for answer in answers))


class Not(Predicate):
    """The opposite of its part; of a candidate nothing follows, so it stays one."""

    kind: Literal["not"] = "not"
    of: AnyPredicate = Field(description="predicate that must be a no")

    def answer(self, study: StudyFacts, series: SeriesFacts) -> Answer:
        inner = self.of.answer(study, series)
        if inner.ok and not inner.sure:
            return inner
        return Answer(not inner.ok, inner.reason if inner.ok else f"rightly so: {inner.reason}")
