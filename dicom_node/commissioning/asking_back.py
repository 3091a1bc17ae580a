"""The PACS is asked for the results that it was given: whether it lists them, and for the SEGs themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_node.assembly import Parts
from dicom_node.checking.asking_partners import echoed
from dicom_node.commissioning.record import Check
from dicom_node.destinations import DimseDestination
from dicom_node.errors import Unreachable
from dicom_node.network.bringing_back import GivenTo, Wanted
from dicom_node.network.dicomweb.web_peer import WebPeer
from dicom_node.network.dicomweb.web_server import WebServer
from dicom_node.network.peer import Peer
from dicom_node.settings import Settings
from dicom_node.witness import witness
from storage.records import ResultObject


def pacs_called(settings: Settings, name: str) -> Peer | WebPeer | None:
    """Who is behind a destination and may be asked what he holds; None where there is nobody, as behind a folder."""
    one = settings.destinations().get(name)
    return one.peer if isinstance(one, DimseDestination | WebServer) else None


@dataclass(frozen=True)
class AskedBack:
    """One destination of this node's, and the results that it was given."""

    parts: Parts
    name: str
    given: GivenTo

    @classmethod
    def of(cls, parts: Parts, name: str) -> AskedBack:
        """The destination `name`, which `the_pacs` has found."""
        settings = parts.settings
        archive = pacs_called(settings, name)
        if archive is None:
            raise Unreachable(f"destination {name} is nobody that can be asked")
        one = settings.destinations()[name]
        title = one.calling_ae_title if isinstance(one, DimseDestination) else settings.node.ae_title

        def moved(wanted: Wanted, folder: Path) -> Path | None:
            with parts.database.reading() as tx:
                known = tx.studies.instances(study_uid=wanted.study, conflicts=True)
            came = [one.file.path for one in known if one.sop_instance_uid == wanted.instance]
            return folder / came[-1] if came and parts.archive.save(came[-1:], folder) else None

        return cls(parts, name, GivenTo(archive, title, moved, witness(parts.audit)))

    def require_there(self) -> None:
        """Unreachable where it does not answer."""
        asked = echoed(self.parts.settings.destinations()[self.name], self.parts.settings.node.ae_title)
        if not asked.answers:
            raise Unreachable(f"PACS {self.name} is not there: {asked.sentence}")

    def results_of(self, job_id: str) -> list[ResultObject]:
        """What a job has made for it."""
        with self.parts.database.reading() as tx:
            variants = {one.variant for one in tx.deliveries.of_job(job_id) if one.destination == self.name}
            return [one for variant in sorted(variants) for one in tx.results.of_job(job_id, variant)]

    def listed(self, results: Sequence[ResultObject]) -> Check:
        """Whether it lists everything that it was given; PeerError."""
        there = self.given.listed(self._wanted(results))
        lacking = [one for one in results if one.sop_instance_uid not in there]
        words = f"{len(results) - len(lacking)} of {len(results)} objects"
        if lacking:
            words += f"; lacking: {', '.join(sorted({one.kind for one in lacking}))}"
        return Check("listed by the PACS", not lacking, words)

    def bring(self, results: Sequence[ResultObject], folder: Path) -> tuple[list[Path], str]:
        """Files of the results as it gives them, and by which service; PeerError."""
        if not results:
            return [], ""
        back = self.given.bring(self._wanted(results), folder)
        return list(back.files.values()), back.how

    def _wanted(self, results: Sequence[ResultObject]) -> list[Wanted]:
        with self.parts.database.reading() as tx:
            studies = {one.job_id: tx.jobs.get(one.job_id).study_instance_uid for one in results}
        return [
            Wanted(studies[one.job_id], one.series_instance_uid, one.sop_instance_uid, one.sop_class_uid)
            for one in results
        ]
