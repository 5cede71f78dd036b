"""Simple rankers: counts, neighbours and profiles, each one function from a snapshot and a project to all partners.

They are what a learned engine must beat, channels that it may fuse, and what it can fall back on.
A larger score is better; a partner without any signal scores 0; ties fall to the smaller identifier elsewhere.
"""

from collections.abc import Callable, Mapping

import numpy as np

from matcher.matching.sides import Floats
from matcher.matching.snapshot import Mask, Snapshot

Simple = Callable[[Snapshot, int], Floats]

HALF_LIFE_YEARS = 4.0
"""Half-life of a deal in the rankers that prefer recent ones."""

FAINT = 1e-3
"""Weight of overall popularity where it only breaks ties, so that a partner with deals precedes one without."""


def _backed(scores: Floats, snapshot: Snapshot, project: int) -> Floats:
    """Scores in [0, 1] with a faint popularity added."""
    top, popular = float(scores.max(initial=0.0)), recent_pop(snapshot, project)
    most = float(popular.max(initial=0.0))
    return scores / (top if top > 0 else 1.0) + FAINT * popular / (most if most > 0 else 1.0)


def pop(snapshot: Snapshot, project: int) -> Floats:
    """Popularity: number of projects that the partner has a known deal on."""
    return snapshot.votes(np.ones(snapshot.n_projects), project=project)


def recent_pop(snapshot: Snapshot, project: int) -> Floats:
    """Recent popularity: as `pop`, a deal counting half after four years."""
    return snapshot.votes(np.ones(snapshot.n_projects), project=project, half_life=HALF_LIFE_YEARS)


def sector_pop(snapshot: Snapshot, project: int) -> Floats:
    """Popularity within the project's sector label; overall popularity breaks ties."""
    return _backed(snapshot.votes(snapshot.same("sector", project), project=project), snapshot, project)


def host_pop(snapshot: Snapshot, project: int) -> Floats:
    """Popularity within the host country; overall popularity breaks ties."""
    return _backed(snapshot.votes(snapshot.same("host", project), project=project), snapshot, project)


SMOOTHING = 5.0
"""Weight of the wider group, in deals, where a narrower group is backed off to it."""


def sector_host_backoff(snapshot: Snapshot, project: int) -> Floats:
    """Share of the deals in the same sector and host, backed off to sector and host and from there to all.

    Each share is smoothed by adding `SMOOTHING` deals of the wider group (Dirichlet smoothing).
    """

    def share(group: Mask, wider: Floats) -> Floats:
        votes = snapshot.votes(group, project=project)
        return np.asarray((votes + SMOOTHING * wider) / (votes.sum() + SMOOTHING))

    sector, host = snapshot.same("sector", project), snapshot.same("host", project)
    total = snapshot.votes(np.ones(snapshot.n_projects), project=project)
    overall = total / max(float(total.sum()), 1.0)
    wider = 0.5 * share(sector, overall) + 0.5 * share(host, overall)
    return share(sector & host, wider)


SIMPLE: Mapping[str, Simple] = {f.__name__: f for f in (pop, recent_pop, sector_pop, host_pop, sector_host_backoff)}
"""Every simple ranker by name, in the order of tables."""
