"""What the held-out queries say of a ranker: figures with intervals, slices, the bound of chance, reasons left out.

Everything is told from the groups that a fit held out and from the facts; how the ranker works plays no part. A
ranker that reads unknown features as saying nothing can be asked without one of its reasons.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from matcher.matching.rank import Group, Ranker
from matcher.matching.sides import positive
from matcher.matching.windows import spread
from matcher.measures import Ranking, brier_skills, chance, intervals, judge, paired, values
from matcher.records import Facts

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Told = dict[str, Any]
"""JSON values; a figure is [mean, low, high]."""

MEASURES = ("nDCG@10", "R@10", "R@50", "RR")
ENOUGH = 10
"""Queries with an answer below which a slice says too little. Source: our choice, as in the evaluation."""

PERMUTATIONS = 200
"""Random renamings, all of which a ranker must beat, and random dealings, of which it must beat 95 %.

Source: docs/decisions.md 2026-11-22, chance.
"""

TOP = 50
"""Places of each list whose probabilities are checked."""

FOLDS = 5
BINS = 5

CELLS = 150_000
"""Candidates, of all queries together, on which reasons are left out: a tree takes about a second for so many."""


class Calibrates(Protocol):
    """The part of a calibrator that is needed here."""

    def values(self, scores: Floats) -> Floats:
        """Probabilities of scores."""
        ...

    def reason(self) -> Mapping[str, str] | None:
        """Why no probability is given; None when one is."""
        ...


class Scored(Protocol):
    """A query whose candidates were scored: its project, scores, and 1 where a deal followed, shapes (n,)."""

    @property
    def project(self) -> str: ...  # noqa: D102 - told above

    @property
    def scores(self) -> Floats: ...  # noqa: D102 - told above

    @property
    def labels(self) -> Ints: ...  # noqa: D102 - told above


Some = TypeVar("Some", bound=Scored)


@dataclass(frozen=True, kw_only=True)
class Held:
    """The held-out queries as arrays over all partners (n), one row per query (q).

    Attributes:
        scores: (q, n), NaN where a partner is no candidate.
        relevant: (q, n), who had a deal on it later.
        popularity: (q, n), projects on which a partner's deal was known on the query's day, the asked one left out.
        at_host: (q, n), the partner has a known deal in the query's host country.
        placed: (q,), the query's host country is known.
        cold_host, cold_sector: (q,), no deal in the host country, or under the sector label, was known; False where
            the query has none.
        kinds: (n,), kind of each partner.
        days: (q,), the day of each query.
    """

    groups: Sequence[Group]
    scores: Floats
    relevant: Bools
    popularity: Floats
    at_host: Bools
    placed: Bools
    cold_host: Bools
    cold_sector: Bools
    kinds: npt.NDArray[np.str_]
    days: Sequence[date]

    @classmethod
    def of(cls, groups: Sequence[Group], ranker: Ranker, facts: Facts) -> "Held":
        """The groups that a fit held out, each named "project@year after its day", candidates in identifier order."""
        projects, partners = facts.projects.sort("project_id"), facts.partners.sort("partner_id")
        row_of = {p: i for i, p in enumerate(projects["project_id"].to_list())}
        partner_of = {p: i for i, p in enumerate(partners["partner_id"].to_list())}
        host, sector = (projects[c].fill_null("").to_numpy() for c in ("country", "sector"))
        deals = positive(facts.deals).filter(
            pl.col("project_id").is_in(list(row_of)) & pl.col("partner_id").is_in(list(partner_of))
        )
        pairs = deals.group_by("project_id", "partner_id").agg(pl.col("counts_from").min()).drop_nulls("counts_from")
        of_project = np.array([row_of[p] for p in pairs["project_id"]], dtype=np.int64)
        of_partner = np.array([partner_of[p] for p in pairs["partner_id"]], dtype=np.int64)
        since = pairs["counts_from"].to_numpy().astype("datetime64[D]")
        q, n = len(groups), partners.height
        scores, relevant = np.full((q, n), np.nan), np.zeros((q, n), dtype=np.bool_)
        popularity, at_host = np.zeros((q, n)), np.zeros((q, n), dtype=np.bool_)
        placed, cold_host, cold_sector = (np.zeros(q, dtype=np.bool_) for _ in range(3))
        days = []
        for i, group in enumerate(groups):
            name, _, year = group.query.rpartition("@")
            day, row = date(int(year) - 1, 12, 31), row_of[name]
            days.append(day)
            scores[i, group.candidates] = ranker.score(group.x)
            relevant[i, group.candidates] = group.y == 1
            known = (since <= np.datetime64(day)) & (of_project != row)
            popularity[i] = np.bincount(of_partner[known], minlength=n)
            here = known & (host[of_project] == host[row])
            at_host[i, of_partner[here]] = True
            placed[i] = host[row] != ""
            cold_host[i] = placed[i] and not here.any()
            cold_sector[i] = sector[row] != "" and not (known & (sector[of_project] == sector[row])).any()
        return cls(
            groups=groups, scores=scores, relevant=relevant, popularity=popularity, at_host=at_host,
            placed=placed, cold_host=cold_host, cold_sector=cold_sector,
            kinds=partners["kind"].to_numpy().astype(np.str_), days=days,
        )  # fmt: skip

    @property
    def listed(self) -> Bools:
        """Who is a candidate, (q, n)."""
        return ~np.isnan(self.scores)

    @cached_property
    def ranking(self) -> Ranking:
        """The ranker's lists, whole."""
        return _ranking(self.scores)

    @cached_property
    def popular(self) -> Ranking:
        """The same candidates by popularity alone."""
        return _ranking(np.where(self.listed, self.popularity, np.nan))

    @cached_property
    def ranks(self) -> Ints:
        """Place of every candidate, from 1, (q, n); one that is no candidate has a place drawn among them."""
        places = self.ranking.places
        out = np.random.default_rng(0).integers(
            1, np.maximum(self.listed.sum(axis=1), 1)[:, None] + 1, self.scores.shape
        )
        rows, columns = np.nonzero(places >= 0)
        out[rows, places[rows, columns]] = columns + 1
        return out


def _ranking(scores: Floats) -> Ranking:
    names = ([f"{i:06d}" for i in range(scores.shape[0])], [f"{i:09d}" for i in range(scores.shape[1])])
    return Ranking.of_scores(*names, scores, depth=None)


def figures(held: Held, *, seed: int) -> Told:
    """Ranker, popularity and chance over all held-out queries, and ranker less popularity, paired."""
    told = _figures(held, np.ones(len(held.groups), dtype=np.bool_), held.listed, held.listed, seed=seed)
    one, two = (values(judge(ranking, held.relevant), "nDCG@10") for ranking in (held.ranking, held.popular))
    found = paired(one, two, seed=seed)
    told["less_popularity"] = [found.difference, found.low, found.high]
    return told


def _figures(held: Held, queries: Bools, target: Bools, pool: Bools, *, seed: int) -> Told:
    """Measures of a slice: answers that are no targets leave the lists, so that nobody is blamed for finding them."""
    relevant = held.relevant & target & queries[:, None]
    allow = pool & held.listed & ~(held.relevant & ~target)
    judged = judge(held.ranking, relevant, allow)
    answered = np.flatnonzero(judged.relevant > 0)
    told: Told = {"queries": answered.size, "answers": int(judged.relevant.sum())}
    if not answered.size:
        return told
    popular = judge(held.popular, relevant, allow)
    n = allow.sum(axis=1)
    told["candidates"] = int(np.median(n[answered]))
    for name, of in (("measures", judged), ("popularity", popular)):
        table = np.column_stack([values(of, m) for m in MEASURES])
        told[name] = dict(zip(MEASURES, intervals(table, seed=seed).tolist(), strict=True))
    told["chance"] = {m: float(np.mean(chance(judged.relevant[answered], n[answered], m))) for m in MEASURES}
    told["median_rank"] = _median_rank([np.flatnonzero(judged.hits[q]) + 1 for q in answered], seed)
    return told


def _median_rank(ranks: Sequence[npt.NDArray[np.integer[Any]]], seed: int) -> list[float]:
    """Median over all right partners, with its 95 % interval, queries resampled."""
    rng = np.random.default_rng(seed)
    n = len(ranks)
    drawn = [float(np.median(np.concatenate([ranks[i] for i in rng.integers(n, size=n)]))) for _ in range(1000)]
    return [float(np.median(np.concatenate(ranks))), *np.quantile(drawn, [0.025, 0.975]).tolist()]


def slices(held: Held, *, seed: int) -> dict[str, Told]:
    """Figures by what was known on the day; the names are those of the evaluation. `enough` says if they mean much."""
    warm = held.popularity > 0
    every, everybody = np.ones(len(held.groups), dtype=np.bool_), held.listed
    new = warm & ~held.at_host
    parts: dict[str, tuple[Bools, Bools, Bools]] = {
        "warm": (every, warm, warm),
        "new_pairs": (held.placed, new, new),
        "cold_full_pool": (every, ~warm, everybody),
        "cold_pool": (every, ~warm, ~warm),
        "cold_sector": (held.cold_sector, everybody, everybody),
        "cold_host": (held.cold_host, everybody, everybody),
    }
    third = _third(held)
    for number, name in enumerate(("low", "mid", "high")):
        parts[f"popularity_{name}"] = (every, warm & (third == number), warm)
    answering = held.kinds[np.flatnonzero(held.relevant.any(axis=0))]
    for kind in np.unique(answering).tolist():
        parts[f"kind:{kind}"] = (every, np.broadcast_to(held.kinds == kind, held.listed.shape), everybody)
    out = {}
    for name, (queries, target, pool) in parts.items():
        told = _figures(held, queries, target, pool, seed=seed)
        out[name] = {**told, "enough": told["queries"] >= ENOUGH}
    return out


def _third(held: Held) -> Ints:
    """Third of the right partners with a deal that each popularity falls into: 0, 1, 2, equal ones together."""
    right = np.sort(held.popularity[held.relevant & (held.popularity > 0)])
    below, through = (np.searchsorted(right, held.popularity, side=side) for side in ("left", "right"))
    third: Ints = ((below + through) * 3 // (2 * max(right.size, 1))).astype(np.int64)
    return np.minimum(third, 2)


def bound(held: Held, *, seed: int) -> Told:
    """Whether the lists are better than random ones, and than lists that do not know the project.

    The measure is nDCG over the whole list: with few queries the first ten places are too coarse. Partners are
    renamed at random, for all queries alike, which keeps whatever makes some partners right more often; then the
    answers are dealt out to the queries at random, which keeps who is right and takes away for what.

    Returns:
        `value`; `random`, the largest of `PERMUTATIONS` renamings; `dealt`, which one dealing in twenty exceeds; and
        `state`: "random" when renamed partners do as well, "popularity" when dealt-out answers do, "above" when
        neither does, "untested" below two queries.
    """
    q, n = held.scores.shape
    if q < 2:
        return {"state": "untested", "permutations": 0}
    query, partner = np.nonzero(held.relevant)
    rng = np.random.default_rng([seed, 3])
    value = _whole(held.ranks[query, partner], query, q)
    renamed = max(_whole(held.ranks[query, rng.permutation(n)[partner]], query, q) for _ in range(PERMUTATIONS))
    # Queries alike in sector share right answers, so that dealing changes little: the extreme would ask too much.
    others = [_whole(held.ranks[rng.permutation(q)[query], partner], query, q) for _ in range(PERMUTATIONS)]
    dealt = float(np.quantile(others, 0.95))
    state = "random" if value <= renamed else "popularity" if value <= dealt else "above"
    return {
        "state": state, "measure": "nDCG", "value": value, "random": renamed, "dealt": dealt,
        "permutations": PERMUTATIONS,
    }  # fmt: skip


def _whole(ranks: Ints, query: Ints, n: int) -> float:
    """Mean over the queries of nDCG without a cut-off, from the places of their right partners."""
    gain = np.bincount(query, weights=1 / np.log2(ranks + 1.0), minlength=n)
    number = np.bincount(query, minlength=n)
    ideal = np.cumsum(1 / np.log2(np.arange(max(int(number.max(initial=1)), 1)) + 2.0))
    return float((gain / ideal[np.maximum(number, 1) - 1])[number > 0].mean())


def reliability(asked: Sequence[Some], fit: Callable[[Sequence[Some]], Calibrates], *, seed: int) -> Told | None:
    """Probabilities of the first `TOP` of each query, learned on other projects, against what came true.

    Args:
        fit: queries -> calibrator.

    Returns:
        pairs, positives, bins of about equal size, and the Brier skill over the base rate with its interval over
        queries; None where the other projects are too few for a probability.
    """
    q = len(asked)
    names, project = np.unique([one.project for one in asked], return_inverse=True)
    # A project may be asked on several days; it must not teach what it is then asked.
    fold = (np.random.default_rng([seed, 4]).permutation(names.size) % FOLDS)[project]
    predicted, hit, query = [], [], []
    for number in np.unique(fold):
        others = [one for one, f in zip(asked, fold, strict=True) if f != number]
        calibrator = fit(others) if others else None
        if calibrator is None or calibrator.reason() is not None:
            return None
        for row in np.flatnonzero(fold == number).tolist():
            first = np.argsort(-asked[row].scores, kind="stable")[:TOP]
            predicted.append(calibrator.values(asked[row].scores[first]))
            hit.append(asked[row].labels[first] == 1)
            query.append(np.full(first.size, row))
    if not predicted:
        return None
    p, y, of = np.concatenate(predicted), np.concatenate(hit).astype(np.float64), np.concatenate(query)
    parts = np.array_split(np.argsort(p, kind="stable"), BINS)
    sums = np.stack([np.bincount(of, weights=w, minlength=q) for w in (np.ones(p.size), y, (p - y) ** 2)], axis=1)
    drawn = np.random.default_rng(seed).multinomial(q, np.full(q, 1 / q), size=1000).astype(np.float64)
    skills = brier_skills(np.vstack([sums.sum(axis=0), drawn @ sums]))
    return {
        "pairs": p.size, "positives": int(y.sum()), "predicted": float(p.mean()), "observed": float(y.mean()),
        "bins": [[float(p[i].mean()), float(y[i].mean()), i.size] for i in parts if i.size],
        "brier_skill": [float(skills[0]), *np.nanquantile(skills[1:], [0.025, 0.975]).tolist()],
    }  # fmt: skip


def ndcg(groups: Sequence[Group], ranker: Ranker) -> Floats:
    """nDCG@10 of every group, its own candidates alone."""
    out = []
    for group in groups:
        ranking = _ranking(ranker.score(group.x)[None, :])
        out.append(values(judge(ranking, (group.y == 1)[None, :]), "nDCG@10")[0])
    return np.array(out, dtype=np.float64)


def without(groups: Sequence[Group], columns: Sequence[int]) -> list[Group]:
    """The groups with some features unknown."""
    out = []
    for group in groups:
        x = group.x.copy()
        x[:, list(columns)] = np.nan
        out.append(replace(group, x=x))
    return out


def ablation(held: Held, ranker: Ranker, reasons: Mapping[str, Sequence[int]], *, seed: int) -> list[Told]:
    """What each reason is worth: nDCG@10 with all features less nDCG@10 with the reason's features unknown, paired.

    Nothing is fitted again. Queries are spread evenly and as many as `CELLS` candidates allow.

    Args:
        reasons: name -> columns of its features.
    """
    width = max((g.y.size for g in held.groups), default=1)
    groups = spread(list(held.groups), max(1, CELLS // max(width, 1)))
    if not groups:
        return []
    whole = ndcg(groups, ranker)
    out = []
    for reason, columns in reasons.items():
        found = paired(whole, ndcg(without(groups, columns), ranker), seed=seed)
        out.append({
            "reason": reason, "worth": [found.difference, found.low, found.high], "queries": found.queries,
        })  # fmt: skip
    return sorted(out, key=lambda row: (-row["worth"][0], row["reason"]))
