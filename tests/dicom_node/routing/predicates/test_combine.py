"""All, any and not over yes, no and candidate."""

import pytest

from dicom_node.routing.predicates.base import Answer, Predicate
from dicom_node.routing.predicates.combine import All, AnyOf, Not

YES, CANDIDATE, NO = Answer(True, "yes"), Answer(True, "perhaps", sure=False), Answer(False, "no")


class Says(Predicate):
    kind: str = "says"
    said: Answer

    def answer(self, study, series):
        return self.said


def combined(cls, *answers):
    of = tuple(Says(said=answer) for answer in answers)
    made = cls.model_construct(of=of[0] if cls is Not else of)
    answer = made.answer(None, None)
    return answer.ok, answer.sure or not answer.ok, answer.reason


@pytest.mark.parametrize(
    ("cls", "answers", "expected"),
    [
        (All, (YES, YES), (True, True, "yes; yes")),
        (All, (YES, CANDIDATE), (True, False, "yes; perhaps")),
        (All, (CANDIDATE, NO, NO), (False, True, "no")),
        (AnyOf, (NO, YES), (True, True, "yes")),
        (AnyOf, (CANDIDATE, YES), (True, True, "yes")),
        (AnyOf, (NO, CANDIDATE), (True, False, "perhaps")),
        (AnyOf, (NO, NO), (False, True, "no and no")),
        (Not, (YES,), (False, True, "yes")),
        (Not, (NO,), (True, True, "rightly so: no")),
        (Not, (CANDIDATE,), (True, False, "perhaps")),
    ],
)
def test_three_values(cls, answers, expected):
    assert combined(cls, *answers) == expected
