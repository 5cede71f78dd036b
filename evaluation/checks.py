"""Tests of honesty on a data set: what must come out when there is nothing to be known, and what must not matter.

`relabelled` permutes the partners of the training deals among themselves: everything known of a partner stays what it
was and belongs to somebody else, so that no ranker may do better than chance unless it has seen the answers.
`masked_names` takes away all names of partners: who fits must not depend on what somebody is called.
"""

import hashlib
import re
from dataclasses import replace

import numpy as np
import polars as pl

from evaluation.datasets import Dataset
from evaluation.results import Check, Scored
from matcher.text import fold

RELABELLINGS = 200
NAMES_MATTER = 0.02
"""Change of nDCG@10 by which the names of partners may matter. Source: product rule."""

SLICE, MEASURE = "warm", "nDCG@10"


def relabelled(dataset: Dataset, *, seed: int) -> Dataset:
    """The data set with the identifiers of its training partners permuted in deals and records, not in the answers.

    Records go with the deals: what is told of a partner may rightly show that he fits, whatever his deals say.
    """
    warm = dataset.train["partner_id"].unique().sort()
    others = pl.Series(warm.to_numpy()[np.random.default_rng([seed, 1]).permutation(warm.len())], dtype=pl.String)
    other = pl.col("partner_id").replace(warm, others)
    return replace(
        dataset,
        deals=dataset.train.with_columns(other).sort("project_id", "partner_id", "role", "closed_on"),
        partners=dataset.partners.with_columns(other).sort("partner_id"),
        digest=_digest(dataset, f"relabelled {seed}"),
    )


def masked_names(dataset: Dataset) -> Dataset:
    """The data set without a partner's name: the identifier stands for it, in its own description too."""
    told = []
    for name, text, identifier in dataset.partners.select("name", "description", "partner_id").iter_rows():
        told.append(_without(text, name, identifier))
    partners = dataset.partners.with_columns(name=pl.col("partner_id"), description=pl.Series(told, dtype=pl.String))
    return replace(dataset, partners=partners, digest=_digest(dataset, "masked names"))


def _without(text: str | None, name: str, identifier: str) -> str | None:
    if not text:
        return text
    words = {fold(w) for w in re.findall(r"\w{4,}", name) or re.findall(r"\w+", name)}
    return re.sub(r"\w+", lambda m: identifier if fold(m.group()) in words else m.group(), text)


def _digest(dataset: Dataset, what: str) -> str:
    return hashlib.sha256(f"{dataset.digest} {what}".encode()).hexdigest()


def chance(dataset: Dataset, *, seed: int, relabellings: int = RELABELLINGS) -> tuple[float, float]:
    """Between what popularity scores when its counts belong to anybody: nDCG@10 on `warm`, least and most of many.

    The ends are the extremes, because a run that knows nothing must be inside on every data set at once.
    """
    counts = dataset.train.select("partner_id", "project_id").unique().group_by("partner_id").len().sort("partner_id")
    row_of = {q: i for i, q in enumerate(counts["partner_id"].to_list())}
    relevant = [[row_of[q] for q in found if q in row_of] for found in (dataset.qrels or {}).values()]
    relevant = [r for r in relevant if r]
    if not relevant:
        return 0.0, 0.0
    query = np.repeat(np.arange(len(relevant)), [len(r) for r in relevant])
    partner = np.concatenate([np.array(r) for r in relevant])
    ideal = np.array([sum(1 / np.log2(i + 2) for i in range(min(len(r), 10))) for r in relevant])
    rng = np.random.default_rng([seed, 2])
    n = counts.height
    means = []
    for _ in range(relabellings):
        popularity = counts["len"].to_numpy()[rng.permutation(n)]
        place = np.empty(n, dtype=np.int64)
        place[np.lexsort((np.arange(n), -popularity))] = np.arange(n)
        gain = np.where(place < 10, 1 / np.log2(place + 2), 0.0)
        means.append(float((np.bincount(query, weights=gain[partner], minlength=len(relevant)) / ideal).mean()))
    return min(means), max(means)


def at_chance(scored: Scored, bounds: tuple[float, float]) -> Check:
    """A run that was fitted on relabelled deals does no better than chance."""
    value = scored.figures[SLICE][MEASURE].mean
    return Check(
        name="relabelled", value=value, low=bounds[0], high=bounds[1],
        passed=bool(np.isnan(value)) or value <= bounds[1],
        note=f"{MEASURE} on {SLICE}; the engine fitted with the partners of all deals permuted, against {RELABELLINGS} "
        "permutations of popularity",
    )  # fmt: skip


def unnamed(scored: Scored, without: Scored) -> Check:
    """Taking away the names of partners hardly changes the quality."""
    value = without.figures[SLICE][MEASURE].mean - scored.figures[SLICE][MEASURE].mean
    return Check(
        name="masked_names", value=value, low=-NAMES_MATTER, high=NAMES_MATTER,
        passed=bool(np.isnan(value)) or abs(value) <= NAMES_MATTER,
        note=f"change of {MEASURE} on {SLICE} when the names of partners are masked, in their descriptions too",
    )  # fmt: skip


def across_the_split(dataset: Dataset) -> Check:
    """Hardly a query is a training project told again: same name, host, description and value."""
    told = [fold(n) for n in dataset.projects["name"].to_list()]
    frame = dataset.projects.select("project_id", "country", "value_usd", "description").with_columns(
        told=pl.Series(told, dtype=pl.String)
    )
    is_query = pl.col("project_id").is_in(list(dataset.queries))
    dealt = dataset.train["project_id"].unique().to_list()
    old = frame.filter(~is_query & pl.col("project_id").is_in(dealt)).drop("project_id").unique()
    keys = ["told", "country", "value_usd", "description"]
    again = frame.filter(is_query).join(old, on=keys, how="semi", nulls_equal=True).height
    share = again / max(len(dataset.queries), 1)
    return Check(
        name="duplicates", value=share, low=0.0, high=0.05, passed=share <= 0.05,
        note=f"share of queries with the name, host, description and value of a training project: {again} of "
        f"{len(dataset.queries)}",
    )  # fmt: skip
