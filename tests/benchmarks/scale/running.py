"""A real node in one of the small set-ups: how studies fare there one by one, and then under load."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bright_conf import MODELS, routes
from load import SUPPORT
from load import study as write
from running_node import RunningNode, laid_out
from scale.setups import IMAGES, QUIET_S, ROWS, Outcome, SetUp, outcome
from scale.steps import Walk
from study import steps_of

from dicom_node.network.embedded_archive import EmbeddedArchive
from inference.writers.dicom_series import StudyDetails
from storage.lifecycle import DeliveryState
from storage.records import Delivery

OUTPUTS = ("seg", "sr")
PATIENCE_S = 240.0
AFTERWARDS_S = 0.5  # from the archive's answer until that is known, and the node at rest


class Rig:
    """A running node with sleeping models, and names for studies that nobody has used."""

    def __init__(self, node: RunningNode, archive: EmbeddedArchive, place: Path, model_s: float) -> None:
        self._node, self._archive, self._place, self._model_s = node, archive, place, model_s
        self._written = 0

    def new(self) -> tuple[str, list[Path]]:
        """A study's UID and its files."""
        self._written += 1
        name = f"{self._place.name}-{self._written:04d}"
        return str(StudyDetails.of(name).study_instance_uid), write(self._place, name, IMAGES, ROWS)

    def alone(self, studies: int) -> list[Walk]:
        """What studies take that wait for nobody."""
        walks = []
        for uid, sent in self.sent_alone(studies).items():
            self._node.until_delivered(uid)
            steps, _ = steps_of(self._node, uid)
            took = {step.name: step.seconds for step in steps}
            walks.append(walk_of(took, IMAGES, sent, slept_s=self._model_s))
        return walks

    def sent_alone(self, studies: int) -> dict[str, float]:
        """Send so many, each when the one before is in the archive; seconds of sending by study.

        Its database is not asked meanwhile, so that what it does is what the node wants of it.
        """
        sent = {}
        for _ in range(studies):
            uid, files = self.new()
            there = self._archive.received
            start = time.perf_counter()
            self._node.send(files)
            sent[uid] = time.perf_counter() - start
            self._until_there(there + len(OUTPUTS))
        return sent

    def _until_there(self, objects: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self._archive.received < objects:
            if time.monotonic() > deadline:
                raise SystemExit((self._node.folder / "node.log").read_text()[-3000:])
            time.sleep(0.05)
        time.sleep(AFTERWARDS_S)

    def under(self, load: SetUp) -> Outcome:
        """All studies of the set-up, each at its moment, over so many associations at a time."""
        studies = [self.new() for _ in range(load.studies)]
        begin = time.time() + 0.2
        with ThreadPoolExecutor(load.senders) as senders:
            for at, (_, files) in zip(load.arrivals(), studies, strict=True):
                time.sleep(max(0.0, begin + at - time.time()))
                senders.submit(self._node.send, files)
        ends = self._until_sent([uid for uid, _ in studies], begin)
        last = max(end for _, end in ends)
        return outcome([end - complete for complete, end in ends], last - begin - load.arrivals()[0])

    def _until_sent(self, uids: list[str], begin: float) -> list[tuple[float, float]]:
        """When the last image of each came and its result was sent."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with self._node.database.reading() as tx:
                if tx.deliveries.counts().get(DeliveryState.SENT, 0) >= self._written:
                    return [(tx.studies.get(uid).changed_at, _sent(tx.deliveries.of_study(uid))) for uid in uids]
            time.sleep(0.5)
        raise SystemExit((self._node.folder / "node.log").read_text()[-3000:])


def _sent(deliveries: Sequence[Delivery]) -> float:
    (delivery,) = deliveries
    assert delivery.sent_at is not None
    return delivery.sent_at


def walk_of(
    took: Mapping[str, float], images: int, sent_s: float, *, slept_s: float = 0.0, result_mb: float = 0.0
) -> Walk:
    """A study's steps as the benchmark `study` names them, without the network: its device is another one.

    A model that sleeps has no steps of its own: its `slept_s` are in what is handed over, and what it has to prepare
    is in them.
    """
    return Walk(
        images=images,
        send=sent_s,
        stages=took["routed"] + took["taken up"],
        read=took["read"] + took.get("look", 0.0),
        prepare=took.get("prepare", 0.0) + took.get("restore", 0.0),
        measure=took["measure"],
        encode=took["encode"] + took["store"] + max(0.0, took["handed over, stored"] - slept_s),
        deliver=took["delivered"],
        result_mb=result_mb,
    )


def each(choose: Callable[[Iterable[float]], float], walks: Sequence[Walk]) -> Walk:
    """Of every step the median, or the shortest."""
    names = set(vars(walks[0])) - {"images"}
    return replace(walks[0], **{name: choose([getattr(one, name) for one in walks]) for name in names})


@contextmanager
def rig(place: Path, workers: int, model_s: float, database_url: str) -> Iterator[Rig]:
    """A node with so many workers, which have loaded what they need."""
    path = os.pathsep.join((str(SUPPORT / "sleeping"), os.environ.get("PYTHONPATH", "")))
    os.environ.update(SEGNODE_SLEEP_S=str(model_s), SEGNODE_SLEPT=str(place / "slept"), PYTHONPATH=path)
    with EmbeddedArchive(place / "archive") as archive:
        settings = (
            f"quiet_s: {QUIET_S}\ndevices: [{', '.join(['cpu'] * workers)}]\nweb: {{port: null}}\n"
            f"database_url: {database_url}\ndestinations:\n  pacs: {{kind: dimse, ae_title: ARCHIVE, host: 127.0.0.1, "
            f'port: {archive.port}, accepts: [demonstration], commitment: "off"}}\n'
        )
        node = laid_out(place / "node", settings, archive, models=MODELS, routes=routes(*OUTPUTS))
        node.start()
        try:
            running = Rig(node, archive, place, model_s)
            running.under(SetUp(workers, model_s, workers, 2 * workers, every_s=0.01))  # every worker loads the model
            yield running
        finally:
            node.stop()
