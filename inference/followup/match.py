"""Which lesion of the prior is which of the current study. A wrong match is worse than none.

Splits and merges are seen first; the rest is assigned as a whole (Kuhn-Munkres), and a pair is taken only where
every other way to pair either lesion is much worse. What stays open is said with its reason and its numbers:
a lesion is new or gone only where the other study shows its place and nothing there that it could be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from inference.followup.lesion import Lesion
from inference.followup.pairing import LEAST_OVERLAP, MOST_RESIDUAL_MM, Pair, pairs_near
from inference.followup.register import NotRegistered, Registration
from inference.trend import Outcome
from inference.volume import Grid

PART_OVERLAP = 0.5  # of the smaller one, that makes it a part of the larger
CLEAR = 0.6  # a match costs at most this share of the next best, else it is ambiguous


@dataclass(frozen=True)
class Link:
    """One outcome and the lesions that it is about, by uid; `pairs` are the numbers that decided it."""

    outcome: Outcome
    prior: tuple[str, ...] = ()
    current: tuple[str, ...] = ()
    pairs: tuple[Pair, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Matching:
    """Every lesion of both studies in exactly one link; one found again in a link with the name that it had."""

    links: tuple[Link, ...]

    @property
    def handed_on(self) -> dict[str, str]:
        """By current lesion, the earlier one whose tracking UID it keeps; all others are known by one of their own."""
        kept = (Outcome.MATCHED, Outcome.RETURNED)
        return {link.current[0]: link.prior[0] for link in self.links if link.outcome in kept}

    def current(self, outcome: Outcome) -> tuple[str, ...]:
        """The current lesions with this outcome."""
        return tuple(uid for link in self.links if link.outcome is outcome for uid in link.current)

    def prior(self, outcome: Outcome) -> tuple[str, ...]:
        """The prior lesions with this outcome."""
        return tuple(uid for link in self.links if link.outcome is outcome for uid in link.prior)


@dataclass(frozen=True, eq=False)
class Side:
    """The lesions of one study, and the grid of the images that they were sought on.

    `crowd` (z, y, x) are voxels of small lesions that share a finding: which of them is which nobody knows.
    """

    lesions: tuple[Lesion, ...]
    grid: Grid
    crowd: NDArray[np.bool_] | None = None

    def may_show(self, points: NDArray[np.float64]) -> bool:
        """Whether one of the crowd lies at any of these points (n, 3) in LPS mm."""
        if self.crowd is None:
            return False
        index = np.rint(self.grid.to_index(points)).astype(int)
        index = index[((index >= 0) & (index < self.grid.shape)).all(axis=1)]
        return bool(self.crowd[tuple(index.T)].any())


def match(prior: Side, current: Side, registration: Registration | NotRegistered) -> Matching:
    """Pairs the lesions of two studies of one patient; types that differ are never paired."""
    if isinstance(registration, NotRegistered):
        reason = registration.reason
        return Matching((
            *(Link(Outcome.NOT_COMPARED, prior=(lesion.uid,), reason=reason) for lesion in prior.lesions),
            *(Link(Outcome.NOT_COMPARED, current=(lesion.uid,), reason=reason) for lesion in current.lesions)))
    pairs = _with_runner_up(pairs_near(prior.lesions, current.lesions, registration))
    links: list[Link] = []
    for step in (_parts, _clear, _undecided):
        links += step(_open(pairs, links))
    known = {uid for link in links for uid in link.prior}
    links += [_unpaired(Link(Outcome.VANISHED, prior=(lesion.uid,)), [p for p in pairs if p.prior == lesion.uid],
                        _within(registration.to_current(lesion.points), current.grid),
                        registration.residual.around(registration.to_current(lesion.centre), lesion.radius_mm),
                        current.may_show(registration.to_current(lesion.points)))
              for lesion in prior.lesions if lesion.uid not in known]
    known = {uid for link in links for uid in link.current}
    links += [_unpaired(Link(Outcome.NEW, current=(lesion.uid,)), [p for p in pairs if p.current == lesion.uid],
                        _within(registration.to_prior(lesion.points), prior.grid),
                        registration.residual.around(lesion.centre, lesion.radius_mm),
                        prior.may_show(registration.to_prior(lesion.points)))
              for lesion in current.lesions if lesion.uid not in known]
    return Matching(tuple(links))


def _with_runner_up(pairs: list[Pair]) -> list[Pair]:
    return [replace(pair, runner_up=min((other.cost for other in _rivals(pair, pairs)), default=None))
            for pair in pairs]


def _rivals(pair: Pair, pairs: Iterable[Pair]) -> list[Pair]:
    """The other ways to pair either of its lesions."""
    return [other for other in pairs if other is not pair
            and (other.prior == pair.prior or other.current == pair.current)]


def _open(pairs: Iterable[Pair], links: Iterable[Link]) -> list[Pair]:
    """The pairs of which no lesion has a link yet."""
    prior: set[str] = set()
    current: set[str] = set()
    for link in links:
        prior.update(link.prior)
        current.update(link.current)
    return [pair for pair in pairs if pair.prior not in prior and pair.current not in current]


def _parts(pairs: list[Pair]) -> list[Link]:
    """Splits and merges: several lesions of one study that lie mostly within, or around, one of the other."""
    links = []
    for cluster in _clusters([pair for pair in pairs if pair.overlap >= PART_OVERLAP]):
        prior, current = _names(cluster)
        if len(prior) == len(current) == 1:
            continue
        held = next((pair.objection for pair in cluster if pair.residual_mm > MOST_RESIDUAL_MM), "")
        if held:
            links.append(Link(Outcome.UNCERTAIN, prior, current, cluster, held))
        elif len(prior) == 1:
            links.append(Link(Outcome.SPLIT, prior, current, cluster, f"lies where {len(current)} lesions are now"))
        elif len(current) == 1:
            links.append(Link(Outcome.MERGED, prior, current, cluster, f"lies where {len(prior)} lesions were"))
        else:
            links.append(Link(Outcome.AMBIGUOUS, prior, current, cluster, "several lesions overlap several others"))
    return links


def _clear(pairs: list[Pair]) -> list[Link]:
    """Matches, the clearest first: what is settled is no rival for the rest any more."""
    links: list[Link] = []
    while True:
        rest = _open(pairs, links)
        clear = [pair for pair in _assigned(rest)
                 if all(pair.cost <= CLEAR * other.cost and pair.cost < other.cost for other in _rivals(pair, rest))]
        if not clear:
            return links
        links += [Link(Outcome.MATCHED, (pair.prior,), (pair.current,), (pair,)) for pair in clear]


def _assigned(pairs: list[Pair]) -> list[Pair]:
    """The pairs that nothing speaks against and that together cost least, as many as can be."""
    fit = {(pair.prior, pair.current): pair for pair in pairs if not pair.objection}
    if not fit:
        return []
    prior, current = _names(fit.values())
    never = 1e3
    costs = np.array([[fit[p, c].cost if (p, c) in fit else never for c in current] for p in prior])
    rows, columns = scipy.optimize.linear_sum_assignment(costs)
    chosen = [(prior[row], current[column]) for row, column in zip(rows, columns, strict=True)]
    return [fit[both] for both in chosen if both in fit]


def _undecided(pairs: list[Pair]) -> list[Link]:
    """What is near something and yet not matched: neither new nor gone can be said of it."""
    links = []
    for cluster in _clusters(pairs):
        fit = any(not pair.objection for pair in cluster)
        outcome = Outcome.AMBIGUOUS if fit else Outcome.UNCERTAIN
        reason = "more than one way to pair is nearly as good" if fit else cluster[0].objection
        links.append(Link(outcome, *_names(cluster), cluster, reason))
    return links


def _unpaired(link: Link, pairs: Sequence[Pair], shown: bool, residual_mm: float, crowded: bool) -> Link:
    """A lesion without candidates of its own: new or gone, where the other study shows its place, and surely so."""
    touching = tuple(pair for pair in pairs if pair.overlap >= LEAST_OVERLAP)
    if touching:
        return replace(link, outcome=Outcome.UNCERTAIN, pairs=touching, reason="overlaps a lesion that has its match")
    if crowded:
        return replace(link, outcome=Outcome.UNCERTAIN, reason="several small lesions that share a finding lie there")
    if not shown:
        return replace(link, outcome=Outcome.OUTSIDE, reason="the other images do not show its place")
    if residual_mm > MOST_RESIDUAL_MM:
        return replace(link, outcome=Outcome.UNCERTAIN, reason=f"the images are {residual_mm:.0f} mm apart around it")
    return link


def _within(points: NDArray[np.float64], grid: Grid) -> bool:
    index = grid.to_index(points)
    return bool(((index >= -0.5) & (index <= np.array(grid.shape) - 0.5)).all())


def _names(pairs: Iterable[Pair]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The prior and the current lesions of pairs, each once, in order."""
    pairs = tuple(pairs)
    return (tuple(dict.fromkeys(pair.prior for pair in pairs)), tuple(dict.fromkeys(pair.current for pair in pairs)))


def _clusters(pairs: list[Pair]) -> list[tuple[Pair, ...]]:
    """The pairs that hang together by a lesion, directly or over others."""
    clusters: list[tuple[Pair, ...]] = []
    for pair in pairs:
        joined = [c for c in clusters if any(o.prior == pair.prior or o.current == pair.current for o in c)]
        clusters = [c for c in clusters if c not in joined]
        clusters.append((*(other for cluster in joined for other in cluster), pair))
    return clusters
