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
    """Popularity within the host country, within the area where all deals lie in one country; then overall."""
    return _backed(snapshot.votes(snapshot.same(snapshot.place, project), project=project), snapshot, project)


SMOOTHING = 5.0
"""Weight of the wider group, in deals, where a narrower group is backed off to it."""


def sector_host_backoff(snapshot: Snapshot, project: int) -> Floats:
    """Share of the deals in the same sector and host, backed off to sector and host and from there to all.

    Each share is smoothed by adding `SMOOTHING` deals of the wider group (Dirichlet smoothing).
    """

    def share(group: Mask, wider: Floats) -> Floats:
        votes = snapshot.votes(group, project=project)
        return np.asarray((votes + SMOOTHING * wider) / (votes.sum() + SMOOTHING))

    sector, host = snapshot.same("sector", project), snapshot.same(snapshot.place, project)
    total = snapshot.votes(np.ones(snapshot.n_projects), project=project)
    overall = total / max(float(total.sum()), 1.0)
    wider = 0.5 * share(sector, overall) + 0.5 * share(host, overall)
    return share(sector & host, wider)


WEIGHTS: Mapping[str, float] = {
    "sector": 1.0, "host": 1.0, "subregion": 0.5, "continent": 0.25, "area": 0.5, "city": 0.5,
    "label": 0.25, "division": 0.25, "section": 0.25, "value": 0.5,
}  # fmt: skip
"""What each attribute that two projects share adds to their nearness; the first six times the value's rarity."""

SHARPNESS = 0.2
"""Nearness behind that of the nearest project at which a vote has fallen to 1/e."""

NEIGHBOURS, NEIGHBOUR_SHARE = 50, 0.05
"""Number of projects with similar texts whose partners vote: this share of those with a deal, at least so many."""


def shared_attributes(snapshot: Snapshot, project: int) -> Floats:
    """How far every project shares each attribute of `WEIGHTS` with this one, in [0, 1], (n_projects, n_attributes).

    Equal codes count by their rarity, overlapping ISIC codes and words of the labels by their share, and sizes by
    exp(-distance in orders of magnitude). An unknown attribute shares nothing. Where all deals lie in one country its
    areas are the places, and stand in the column of the host.
    """
    place = snapshot.place
    codes = {
        "sector": "sector", "host": place, "subregion": "subregion", "continent": "continent",
        "area": None if place == "area" else "area", "city": "city",
    }  # fmt: skip
    columns = {
        name: np.zeros(snapshot.n_projects) if code is None
        else snapshot.rarity(code, project) * snapshot.same(code, project)
        for name, code in codes.items()
    }  # fmt: skip
    size = snapshot.attributes.log_value
    columns |= {
        "label": snapshot.label_nearness(project),
        "division": snapshot.overlap(snapshot.projects.divisions, project),
        "section": snapshot.overlap(snapshot.projects.sections, project),
        "value": np.nan_to_num(np.exp(-np.abs(size - size[project]))),
    }
    return np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in WEIGHTS])


def attribute_nearness(snapshot: Snapshot, project: int) -> Floats:
    """Weighted number of attributes shared with this project, >= 0, shape (n_projects,)."""
    return np.asarray(shared_attributes(snapshot, project) @ np.array([*WEIGHTS.values()]))


def _attribute_votes(snapshot: Snapshot, project: int, half_life: float | None) -> Floats:
    nearness = attribute_nearness(snapshot, project)
    others = snapshot.dealt.copy()
    others[project] = False
    nearest = float(nearness[others].max(initial=0.0))
    weights = np.exp(np.minimum(nearness - nearest, 0.0) / SHARPNESS)
    return _backed(snapshot.votes(weights, project=project, half_life=half_life), snapshot, project)


def attr_knn(snapshot: Snapshot, project: int) -> Floats:
    """Votes of projects with the same attributes, falling by `SHARPNESS` behind the nearest."""
    return _attribute_votes(snapshot, project, None)


def attr_knn_recent(snapshot: Snapshot, project: int) -> Floats:
    """As `attr_knn`, a deal counting half after four years."""
    return _attribute_votes(snapshot, project, HALF_LIFE_YEARS)


def nearest(snapshot: Snapshot, project: int, nearness: Floats) -> Floats:
    """Weights of the nearest projects with a known deal: squared nearness above 0; shape (n_projects,).

    Among equally near projects the one with the latest deal comes first, then the smaller row.
    """
    rows = np.flatnonzero(snapshot.dealt)
    rows = rows[rows != project]
    age = np.nan_to_num(snapshot.age[rows], nan=np.inf)
    k = max(NEIGHBOURS, int(NEIGHBOUR_SHARE * rows.size))
    chosen = rows[np.lexsort((rows, age, -nearness[rows]))[:k]]
    out = np.zeros(snapshot.n_projects)
    out[chosen] = np.maximum(nearness[chosen], 0.0) ** 2
    return out


def tfidf_knn(snapshot: Snapshot, project: int) -> Floats:
    """Votes of the projects whose words are most alike (TF-IDF cosine), at least 50."""
    weights = nearest(snapshot, project, snapshot.text_nearness(project))
    return _backed(snapshot.votes(weights, project=project), snapshot, project)


def bm25_profile(snapshot: Snapshot, project: int) -> Floats:
    """The project's words in the joined texts of the partner's projects (BM25)."""
    return _backed(snapshot.word_profiles(project), snapshot, project)


def dense_knn(snapshot: Snapshot, project: int) -> Floats:
    """Votes of the projects whose texts mean the most alike (cosine of their vectors), at least 50."""
    weights = nearest(snapshot, project, snapshot.dense_nearness(project))
    return _backed(snapshot.votes(weights, project=project), snapshot, project)


def dense_profile(snapshot: Snapshot, project: int) -> Floats:
    """The project's text near the mean of the partner's projects (cosine), nearer the more projects there are.

    The cosine counts n / (n + 1) with n projects, as if one more had nothing to do with this one: a single project
    says little. From 0 for opposite over 1/2 for unrelated to 1.
    """
    n = pop(snapshot, project)
    return np.nan_to_num((1.0 + snapshot.dense_profiles(project) * n / (n + 1.0)) / 2.0)


SIMPLE: Mapping[str, Simple] = {
    ranker.__name__: ranker
    for ranker in (
        pop, recent_pop, sector_pop, host_pop, sector_host_backoff, attr_knn, attr_knn_recent, tfidf_knn,
        bm25_profile, dense_knn, dense_profile,
    )
}  # fmt: skip
"""Every simple ranker by name, in the order of tables."""
