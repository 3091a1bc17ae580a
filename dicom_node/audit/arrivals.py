"""What one association brought, counted by study, told when it ends: not a message an instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dicom_node.audit.facts import UNKNOWN, Images, Outcome

MOST_STUDIES = 1000  # of one association; more are told before its end
MOST_REASONS = 3


@dataclass(frozen=True)
class Arrived:
    """Instances of one study that shared a fate: C for created, R for held already (PS3.15 A.5.3.7)."""

    images: Images
    action: str
    outcome: Outcome
    reason: str = ""


@dataclass
class _Group:
    classes: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, None] = field(default_factory=dict)


Groups = dict[tuple[str, Outcome], _Group]


@dataclass
class Arrivals:
    """The count of one association; `begun` hears of each study's first instance, `told` of the whole at the end."""

    begun: Callable[[Images], None] = lambda _: None
    told: Callable[[Arrived], None] = lambda _: None
    _studies: dict[str, Groups] = field(default_factory=dict)
    _headers: dict[str, Mapping[str, object]] = field(default_factory=dict)

    def kept(self, study: str, header: Mapping[str, object], sop_class: str, *, held: bool) -> None:
        """One instance is stored, or was `held` already."""
        self._group(study, header, sop_class, "R" if held else "C", Outcome.SUCCESS)

    def refused(self, study: str, header: Mapping[str, object], sop_class: str, *, reason: str, again: bool) -> None:
        """One instance is not kept; `again` where the sender may send it once more."""
        outcome = Outcome.MINOR_FAILURE if again else Outcome.SERIOUS_FAILURE
        group = self._group(study or UNKNOWN, header, sop_class, "C", outcome)
        if len(group.reasons) < MOST_REASONS:
            group.reasons[reason] = None

    def ended(self) -> None:
        """Tell what came since the start, or since this was last asked."""
        studies, self._studies = self._studies, {}
        headers, self._headers = self._headers, {}
        for study, groups in studies.items():
            for (action, outcome), group in groups.items():
                images = Images.of(study, headers[study], dict(group.classes))
                self.told(Arrived(images, action, outcome, "; ".join(group.reasons)))

    def _group(
        self, study: str, header: Mapping[str, object], sop_class: str, action: str, outcome: Outcome
    ) -> _Group:
        if study not in self._studies:
            if len(self._studies) >= MOST_STUDIES:
                self.ended()
            self._headers[study] = header
            self.begun(Images.of(study, header, {sop_class: 1}))
        group = self._studies.setdefault(study, {}).setdefault((action, outcome), _Group())
        group.classes[sop_class] += 1
        return group
