"""What each reason is worth: the ranker is fitted again without its features and asked the same held-out queries.

Nothing of the evaluation's own answers is read: the held-out queries are those of the fit, all before the split.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt

from evaluation import blind, datasets
from evaluation.datasets import Dataset
from matcher.errors import InputError
from matcher.matching import held, learn
from matcher.matching.corpus import Corpus, Encodes
from matcher.matching.features import FEATURES, REASONS, compute
from matcher.matching.pairs import Block
from matcher.measures import paired
from matcher.records import Facts, Reference

Progress = Callable[[str, int, int], None]
Floats = npt.NDArray[np.float64]

PER_ORIGIN = 40
"""Queries of each year end, evenly spread: every reason costs a whole fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """nDCG@10 of the whole ranker less that of one fitted without a reason, over the same held-out queries.

    Attributes:
        worth: mean difference; low, high: its 95 % bootstrap interval; p: of the paired randomisation test.
        chosen: what the fit without the reason chose.
    """

    reason: str
    features: tuple[str, ...]
    worth: float
    low: float
    high: float
    p: float
    chosen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """The whole ranker's figure and what each reason is worth, most first."""

    name: str
    queries: int
    chosen: str
    ndcg: float
    reasons: tuple[Worth, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    def table(self) -> str:
        """The same as a Markdown table, as docs/matching.md holds it."""
        lines = [
            f"{self.name}: {self.queries} held-out queries, nDCG@10 {self.ndcg:.3f}; {self.chosen}", "",
            "| without | features | nDCG@10 lost | p |", "|---|--:|--:|--:|",
        ]  # fmt: skip
        for one in self.reasons:
            figure = f"{one.worth:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
            lines.append(f"| {one.reason} | {len(one.features)} | {figure} | {one.p:.2f} |")
        return "\n".join(lines)


def of_dataset(
    dataset: Dataset, reference: Reference, encoder: Encodes, *, seed: int, progress: Progress | None = None
) -> Ablation:
    """The ablation on the training deals of a data set, as `blind` hands them to a fit."""
    day = blind.day_of(dataset)
    train = datasets.facts(dataset, blind.in_force(reference, day), with_queries=False, as_of=day)
    dealt = train.partners.join(train.deals, on="partner_id", how="semi")
    return ablate(
        Facts(
            projects=train.projects, partners=dealt, deals=train.deals, footprint=train.footprint,
            reference=train.reference, as_of=train.as_of,
        ),
        encoder, name=dataset.name, seed=seed, progress=progress,
    )  # fmt: skip


def ablate(
    facts: Facts, encoder: Encodes, *, name: str, seed: int, reasons: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Ablation:  # fmt: skip
    """Fits with all features and once without those of each reason, of all reasons when none are named.

    Raises:
        InputError: too few dated deals to hold queries out, or no partner or project at all.
    """
    if facts.partners.is_empty() or facts.projects.is_empty():
        raise InputError(f"{name} has no projects or no partners; there is nothing to leave out.")
    corpus = Corpus.of(facts, encoder, None)
    whole, figures = _fitted(corpus, (), seed)
    if not figures.size:
        raise InputError(f"{name} has too few dated deals to hold queries out; nothing can be compared.")
    reasons = REASONS if reasons is None else reasons
    found = []
    for number, reason in enumerate(reasons):
        columns = tuple(i for i, f in enumerate(FEATURES) if f.reason == reason)
        less, without = _fitted(corpus, columns, seed)
        one = paired(figures, without, seed=seed)
        found.append(
            Worth(
                reason=reason, features=tuple(FEATURES[i].name for i in columns), worth=one.difference, low=one.low,
                high=one.high, p=one.p, chosen=less.note,
            )
        )  # fmt: skip
        if progress:
            progress("reasons left out", number + 1, len(reasons))
    return Ablation(
        name=name, queries=figures.size, chosen=whole.note, ndcg=float(figures.mean()),
        reasons=tuple(sorted(found, key=lambda w: (-w.worth, w.reason))),
    )  # fmt: skip


def _fitted(corpus: Corpus, columns: Sequence[int], seed: int) -> tuple[learn.Learned, Floats]:
    """What a fit learns while some features are unknown to it, and nDCG@10 of its held-out queries."""

    def masked(block: Block) -> Floats:
        x = compute(block)
        x[:, list(columns)] = np.nan
        return x

    with (
        mock.patch.object(learn, "compute", masked),
        mock.patch.object(learn, "PER_ORIGIN", min(learn.PER_ORIGIN, PER_ORIGIN)),
    ):
        learned = learn.learn(corpus, seed=seed)
    return learned, held.ndcg(learned.held, learned.judge)
