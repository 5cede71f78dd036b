"""Rankers that an engine must beat, each behind one contract: a world in, a score for every query and partner out.

Everything they learn or choose comes from periods before the split; see docs/evaluation.md.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from evaluation.datasets import Dataset, facts
from matcher.errors import InputError
from matcher.matching import counted, simple
from matcher.matching.corpus import Corpus, Encodes, Progress
from matcher.matching.counted import Learner
from matcher.matching.fusion import MIN_QUERIES, Fusion
from matcher.matching.sides import Floats, History, Ints
from matcher.matching.snapshot import Snapshot
from matcher.matching.windows import Window, first_dealt
from matcher.records import Reference

HORIZON_YEARS = 2
"""Length of a period whose new projects are labels."""

PERIODS = 3
"""Number of periods before the split that parts and weights may be chosen on: the latest, earlier ones if need be."""

ORIGINS = 6
"""Number of rolling origins, a year apart, that learners are taught on."""

QUERIES_PER_ORIGIN = 250


def years_before(day: date, years: int) -> date:
    """The same day so many years before; 28 February for the 29th."""
    return date(day.year - years, day.month, 28 if (day.month, day.day) == (2, 29) else day.day)


class World:
    """A data set as simple rankers see it: its training deals, its query projects, and what was known on any day.

    Means of text vectors are those of the training projects alone, so that no query changes another's ranking.

    Raises:
        InputError: the data set has no split.
    """

    def __init__(
        self, dataset: Dataset, reference: Reference, encoder: Encodes, *, progress: Progress | None = None
    ) -> None:
        if dataset.split_on is None:
            raise InputError(f"{dataset.name} has no split_on; only a set with deals can be ranked.")
        self.dataset = dataset
        self.split_on = dataset.split_on
        trained = Corpus.of(facts(dataset, reference, with_queries=False), encoder, None, progress)
        corpus = Corpus.of(facts(dataset, reference, with_queries=True), encoder, trained.centres, progress)
        self._deals = corpus.facts.deals
        self.projects = corpus.project_side()
        # Baselines compare projects with projects; what partners say of themselves is not theirs to read.
        nothing = np.zeros((corpus.partners.height, self.projects.vectors.shape[1]), dtype=np.float32)
        texts = [""] * corpus.partners.height
        self.partners = corpus.side_of_partners(corpus.partners, texts, nothing, self.split_on)
        words = [corpus.words(row) for row in range(corpus.projects.height)]
        self.at_split = Snapshot.of(self.projects, self.partners, self._history(self.split_on), words)
        self.rows = tuple(self.projects.row_of[q] for q in dataset.queries)

    def _history(self, day: date) -> History:
        return History.of(self._deals, self.projects, self.partners, day)

    def snapshot(self, as_of: date) -> Snapshot:
        """What was known on a day."""
        return self.at_split if as_of == self.split_on else self.at_split.at(self._history(as_of))

    def window(self, after: date, until: date) -> Window:
        """What was known on a day, and what became of the projects first dealt between it and another."""
        labels = first_dealt(self._deals, self.projects, self.partners, after=after, until=until)
        return Window(snapshot=self.snapshot(after), labels=labels)

    @cached_property
    def periods(self) -> tuple[Window, ...]:
        """The last period before the split and, until there are queries enough to choose by, those before it."""
        ends = [years_before(self.split_on, HORIZON_YEARS * i) for i in range(PERIODS + 1)]
        out: list[Window] = []
        for until, after in pairwise(ends):
            if sum(len(w.answered()) for w in out) < MIN_QUERIES:
                out.append(self.window(after, until))
        return tuple(out)

    def origins(self) -> Iterator[Window]:
        """Rolling origins a year apart, latest first; labels are the new projects of the two years after each."""
        for i in range(ORIGINS):
            until = years_before(self.split_on, i)
            yield self.window(years_before(until, HORIZON_YEARS), until)


class Baseline(Protocol):
    """A ranker behind the contract that all baselines share."""

    @property
    def name(self) -> str:
        """What runs and tables call it."""
        ...

    @property
    def about(self) -> str:
        """What it does, in one sentence."""
        ...

    def rank(self, world: World, *, seed: int) -> Floats:
        """A finite score of every partner for every query, larger is better; ties fall to the smaller identifier.

        Returns:
            shape (n_queries, n_partners), both in the order of identifiers.
        """
        ...


def _about(of: object) -> str:
    return (of.__doc__ or "").splitlines()[0]


def _each(world: World, score: Callable[[int], Floats]) -> Floats:
    out = np.zeros((len(world.rows), world.partners.frame.height))
    for i, row in enumerate(world.rows):
        out[i] = score(row)
    return out


def for_query(seed: int, query: str) -> np.random.Generator:
    """A generator of its own for each query, so that adding a query changes no other."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(query.encode()).digest()[:8])])


@dataclass(frozen=True, slots=True)
class Random:
    """A random order, another one for every query."""

    name: str = "random"

    @property
    def about(self) -> str:
        """What it does."""
        return _about(type(self))

    def rank(self, world: World, *, seed: int) -> Floats:
        """Uniform numbers."""
        n = world.partners.frame.height
        return np.array([for_query(seed, q).random(n) for q in world.dataset.queries]).reshape(-1, n)


@dataclass(frozen=True, slots=True)
class Simple:
    """One of the simple rankers of the engine."""

    name: str

    @property
    def about(self) -> str:
        """What it does."""
        return _about(simple.SIMPLE[self.name])

    def rank(self, world: World, *, seed: int) -> Floats:  # noqa: ARG002 - nothing is drawn
        """The ranker's scores as of the split."""
        return _each(world, lambda row: simple.SIMPLE[self.name](world.at_split, row))


@dataclass(frozen=True, slots=True)
class Fused:
    """Weighted reciprocal-rank fusion of the simple rankers, chosen on periods before the split."""

    name: str = "rrf_tuned"

    @property
    def about(self) -> str:
        """What it does."""
        return _about(type(self))

    def rank(self, world: World, *, seed: int) -> Floats:
        """The fused scores as of the split."""
        fusion = Fusion.fit(world.periods, rng=np.random.default_rng(seed))
        return _each(world, lambda row: fusion(world.at_split, row))


@dataclass(frozen=True, slots=True)
class Learnt:
    """A classifier taught on rolling origins before the split; where these teach nothing, the back-off."""

    name: str
    about: str
    learner: Callable[[int], Learner]

    def rank(self, world: World, *, seed: int) -> Floats:
        """The learnt scores as of the split."""
        learner, rng = self.learner(seed), np.random.default_rng(seed)
        if not counted.taught(learner, world.origins(), limit=QUERIES_PER_ORIGIN, rng=rng):
            return Simple("sector_host_backoff").rank(world, seed=seed)
        return _each(world, lambda row: counted.scores(learner, world.at_split, row))


class _Logistic:
    """Logistic regression on standardised counts."""

    def __init__(self, seed: int) -> None:
        # Counts are few and of one kind: a ridge keeps those that say the same from cancelling out.
        self._scaler, self._model = StandardScaler(), LogisticRegression(C=0.001, max_iter=500, random_state=seed)

    def fit(self, x: Floats, y: Ints, sample_weight: Floats) -> None:
        """Learns scale and weights."""
        self._model.fit(self._scaler.fit_transform(x, sample_weight=sample_weight), y, sample_weight=sample_weight)

    def predict_proba(self, x: Floats) -> Floats:
        """Probabilities of no deal and of a deal, shape (n, 2)."""
        return np.asarray(self._model.predict_proba(self._scaler.transform(x)))


def _boosted(seed: int) -> Learner:
    fitted: Learner = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=120, max_leaf_nodes=8, min_samples_leaf=20, l2_regularization=10.0,
        monotonic_cst=[1] * len(counted.COUNTS), early_stopping=False, random_state=seed,
    )  # fmt: skip
    return fitted


BASELINES: tuple[Baseline, ...] = (
    Random(),
    *(Simple(name) for name in simple.SIMPLE),
    Fused(),
    Learnt("logistic", "Logistic regression on a dozen counts, taught on rolling origins.", _Logistic),
    Learnt("hgb_basic", "Gradient boosting on a dozen counts, taught on rolling origins.", _boosted),
)
"""Every baseline, in the order of tables."""
