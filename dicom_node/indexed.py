"""What routing looks at of a study that is in the index: its records, without what rejection notes name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dicom_node.routing.facts import StudyFacts, study_facts
from dicom_node.routing.vocabulary import Vocabulary
from storage.database import Transaction
from storage.records import Fetch, Instance, InstanceKind, Series, Study


@dataclass(frozen=True)
class Indexed:
    """The records of one study."""

    study: Study
    series: tuple[Series, ...]
    instances: tuple[Instance, ...]
    fetch: Fetch | None

    def facts(self, vocabulary: Vocabulary) -> StudyFacts:
        """The study in the site's own words."""
        found = study_facts(self.study, self.series, self.instances, vocabulary)
        refuse = self.fetch is not None and self.fetch.policy.get("incomplete") == "refuse"
        return replace(found, refuse_incomplete=refuse)


def indexed(tx: Transaction, study: Study) -> Indexed:
    """What is known of `study` now."""
    uid = study.study_instance_uid
    instances = tuple(tx.studies.instances(study_uid=uid, rejected=False))
    left = {instance.series_instance_uid for instance in instances if instance.kind is InstanceKind.IMAGE}
    # A series whose images were all rejected is none; one that never had images still gets its verdict.
    series = tuple(one for one in tx.studies.series(uid) if not one.images or one.series_instance_uid in left)
    return Indexed(study, series, instances, tx.fetches.find(uid))
