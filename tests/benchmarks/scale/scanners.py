"""What hospitals send: kinds of scanners, their studies, and the busiest hour. All of it is assumed; change it here.

The figures are round ones for a large site with long worklists, chosen to ask rather too much than too little. A
scanner sends its studies one after another, and now and then several at once, as after an outage.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scale.steps import Steps
from scale.walk import Case

MOST_IMAGES = 6000
LINK_MBIT_S = 1000.0  # from a scanner to the balancer
DISK_STREAM_MB_S = 250.0  # what one flow gets of the storage at most
BURST, BURST_STUDIES = 0.05, 5  # of a scanner's sendings so many are of several studies
HOURS = (1, 1, 1, 1, 1, 1.5, 3, 6, 9, 10, 10, 9.5, 8, 8.5, 9, 8.5, 7, 5, 4, 3, 2.5, 2, 1.5, 1)  # of a weekday
BUSIEST = max(HOURS) / sum(HOURS)  # its share of the day's studies


@dataclass(frozen=True)
class Modality:
    """One kind of scanner: its share of all, what it makes on a weekday, and what its studies ask.

    Images a study are lognormal about the median. `routed` is the share of its studies that a route wants;
    `network_s` is what the network takes on one GPU.
    """

    name: str
    share: float
    studies: float
    median_images: float
    spread: float
    routed: float
    network_s: float

    @property
    def mean_images(self) -> float:
        """Of a study, but for the cut at `MOST_IMAGES`."""
        return self.median_images * math.exp(self.spread**2 / 2)


# The networks, by the READMEs of the MONAI Model Zoo: a detector of nodules takes 7.3 s on an A100 in half precision, a
# whole-body CT network 6.0 s on a GPU, a brain network 0.4 s from end to end, for which 2 s leave room for an ensemble.
MIX = (
    Modality("CT", share=0.6, studies=40, median_images=350, spread=0.8, routed=0.4, network_s=8.0),
    Modality("MR", share=0.4, studies=20, median_images=600, spread=0.6, routed=0.25, network_s=2.0),
)


@dataclass(frozen=True)
class Demand:
    """What so many scanners ask in the busiest hour, in the mean; a unit of work is a second of one of its kind."""

    scanners: int
    images_a_s: float
    studies_a_s: float
    results_a_s: float
    megabytes_a_s: float  # that come
    read_mb_a_s: float  # that models read
    receivers: float
    devices: float
    encoders: float
    database_cores: float  # without the looks of idle stages
    writes_a_s: float
    studies_a_day: float
    images_a_day: float
    terabytes_a_day: float


def demand(scanners: int, steps: Steps, mix: Sequence[Modality] = MIX) -> Demand:
    """By multiplication alone."""
    image, study = steps.accounts["image"], steps.accounts["study"]
    total = dict.fromkeys(("images", "studies", "results", "mb", "read", "receive", "device", "encode"), 0.0)
    for kind in mix:
        a_day = scanners * kind.share * kind.studies
        images, results = a_day * kind.mean_images, a_day * kind.routed
        receiving, walk = steps.receiving[kind.name], steps.walks[kind.name]
        total["images"] += images
        total["studies"] += a_day
        total["results"] += results
        total["mb"] += images * receiving.megabytes
        total["read"] += results * (walk.images * receiving.megabytes + walk.result_mb)
        total["receive"] += images * receiving.cpu_s
        total["device"] += results * kind.network_s
        total["encode"] += results * (walk.encode + walk.deliver)
    a_s = {name: value * BUSIEST / 3600 for name, value in total.items()}
    return Demand(
        scanners=scanners,
        images_a_s=a_s["images"],
        studies_a_s=a_s["studies"],
        results_a_s=a_s["results"],
        megabytes_a_s=a_s["mb"],
        read_mb_a_s=a_s["read"],
        receivers=a_s["receive"],
        devices=a_s["device"],
        encoders=a_s["encode"],
        database_cores=a_s["images"] * image.cpu_s + a_s["results"] * study.cpu_s,
        writes_a_s=a_s["images"] * image.writes + a_s["results"] * study.writes,
        studies_a_day=total["studies"],
        images_a_day=total["images"],
        terabytes_a_day=total["mb"] / 1e6,
    )


def arrivals(scanners: int, steps: Steps, draw: random.Random) -> Iterator[tuple[float, int, Case]]:
    """Moment, scanner and study, without end: the busiest hour goes on and on."""
    kinds = [_kind_of(number, scanners) for number in range(scanners)]
    weights = [kind.studies for kind in kinds]
    every_s = 3600 / (BUSIEST * sum(weights)) * (1 + BURST * (BURST_STUDIES - 1))
    ladder = list(itertools.accumulate(weights))
    now = 0.0
    while True:
        now += draw.expovariate(1 / every_s)
        (scanner,) = draw.choices(range(scanners), cum_weights=ladder)
        for _ in range(BURST_STUDIES if draw.random() < BURST else 1):
            yield now, scanner, case(kinds[scanner], steps, draw)


def _kind_of(number: int, scanners: int) -> Modality:
    """The first ones are of the first kind, and so on; one alone is a CT."""
    upto = 0.0
    for kind in MIX:
        upto += kind.share
        if number < max(1.0, round(upto * scanners)):
            return kind
    return MIX[-1]


def case(kind: Modality, steps: Steps, draw: random.Random) -> Case:
    """A study as chance makes it."""
    receiving, walk = steps.receiving[kind.name], steps.walks[kind.name]
    images = min(MOST_IMAGES, 1 + round(draw.lognormvariate(math.log(kind.median_images), kind.spread)))
    routed, megabytes = draw.random() < kind.routed, images * receiving.megabytes
    read_mb = walk.images * receiving.megabytes + walk.result_mb if routed else 0.0
    return Case(
        send_s=images * (receiving.alone_s + receiving.megabytes * 8 / LINK_MBIT_S),
        receiver_s=images * receiving.cpu_s,
        database_s=images * steps.accounts["image"].cpu_s,
        walk_database_s=steps.accounts["study"].cpu_s if routed else 0.0,
        disk_s=(megabytes + read_mb) / DISK_STREAM_MB_S,
        balancer_s=megabytes * 8 / LINK_MBIT_S,
        walk=walk if routed else None,
        network_s=kind.network_s * draw.lognormvariate(0.0, 0.3) / math.exp(0.045),
    )
