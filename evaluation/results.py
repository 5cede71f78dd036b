"""What an evaluation finds, as plain values: computed once, printed as a table, as JSON or as a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SLICES = (
    "full",  # every relevant partner, whole catalogue
    "warm",  # relevant: partners with a training deal; candidates: warm partners
    "new_pairs",  # as warm, for pairs of partner and host country without a training deal
    "asean",  # warm, queries hosted in ASEAN
    "vietnam",  # warm, queries hosted in Viet Nam
    "cold_full_pool",  # partners unseen in training among the whole catalogue less the other relevant ones
    "cold_pool",  # partners unseen in training among cold partners only
    "cold_sector",  # warm, queries whose sector label has no training deal
    "popularity_low",  # warm relevant partners by number of training projects, in thirds of the relevant pairs
    "popularity_mid",
    "popularity_high",
)
"""Named slices; beside them families with a slice per value: `sector:…`, `sector_section:…`, `kind:…`, `home:…`,
`language:…`."""

MEASURES = ("nDCG@10", "R@10", "R@50", "RR", "AP", "P@5", "Success@10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Mean of a measure over queries with its 95 % bootstrap interval; NaN without queries.

    Attributes:
        queries: how many were averaged: those with a relevant candidate in the slice.
        left_out: queries of the slice without one.
        with_all: the mean when those count as 0.
    """

    mean: float
    low: float
    high: float
    queries: int
    left_out: int
    with_all: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Whom the top ten go to, over all queries.

    Attributes:
        coverage: share of the pool that occurs in any top ten, in [0, 1].
        gini: of top-ten places over the pool, in [0, 1]; 0 is an equal share for everybody.
        popularity: mean number of training projects of what is recommended.
        long_tail: share of top-ten places that go to the less popular half of the pool.
        home: home country -> share of places; size: size class (or `unknown`) -> share of places; kind: likewise.
        top: the ten partners shown most often, (partner_id, name, share of the queries whose top ten they are in).
        same_names: the ten most frequent partners fill more than half of all top-ten places.
    """

    coverage: float
    gini: float
    popularity: float
    long_tail: float
    home: Mapping[str, float]
    size: Mapping[str, float]
    kind: Mapping[str, float]
    top: tuple[tuple[str, str, float], ...]
    same_names: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One equal-mass bin of predicted probabilities; the interval is the 95 % binomial one of the observed share."""

    predicted: float
    observed: float
    low: float
    high: float
    pairs: int
    positives: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How far probabilities can be believed, on the union of the top 50 of every query.

    Attributes:
        brier_skill: 1 - Brier / Brier of the base rate, with its interval over queries (mean, low, high).
        reliability, resolution, uncertainty: Murphy's decomposition of the Brier score.
        ratio: observed / expected positives.
    """

    slice: str
    pairs: int
    positives: int
    brier: float
    brier_skill: tuple[float, float, float]
    reliability: float
    resolution: float
    uncertainty: float
    ratio: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Reliability per slice and the abstention curve; `abstained` says why there is none.

    Attributes:
        abstention: (share of queries answered, nDCG@10 on them), most confident first.
        queries, left_out: how many queries the promise is about, and how many are announced later or nobody knows when.
    """

    abstained: str | None
    slices: tuple[Reliability, ...] = ()
    abstention: tuple[tuple[float, float], ...] = ()
    queries: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One run on one dataset.

    Attributes:
        figures: slice -> measure -> figure.
        lift: measure -> value over that of a random order (expected, computed exactly), warm slice; > 1 is better.
        per_query: slice -> query -> nDCG@10, for paired comparisons and plots.
        seconds: fit and ranking, as measured when the run was made; None for a run read from a file.
    """

    run: str
    figures: Mapping[str, Mapping[str, Figure]]
    lift: Mapping[str, float]
    audit: Audit
    per_query: Mapping[str, Mapping[str, float]]
    calibration: Calibration | None = None
    seconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """First minus second, paired over queries: mean difference, 95 % bootstrap interval, randomisation test.

    Attributes:
        p: two-sided p-value of the paired sign-flip test; p_corrected: after Holm, over the comparisons of the table.
    """

    first: str
    second: str
    slice: str
    measure: str
    difference: float
    low: float
    high: float
    p: float
    p_corrected: float
    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One test of honesty on a dataset: what was done, what came out, within which bounds, passed or not."""

    name: str
    value: float
    low: float
    high: float
    passed: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetResult:
    """Everything found on one dataset.

    Attributes:
        about: title, publisher, licence, split_on, horizon ... as in dataset.toml.
        counts: projects, partners, train_deals, queries, warm_queries, qrels ...
        warnings: sentences the reader must see, e.g. columns that the dataset lacks.
        runs: in the order of the table.
    """

    name: str
    about: Mapping[str, Any]
    counts: Mapping[str, int]
    runs: tuple[Scored, ...]
    comparisons: tuple[Comparison, ...] = ()
    checks: tuple[Check, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One evaluation: datasets, and the configuration and seed that reproduce it."""

    title: str
    datasets: tuple[DatasetResult, ...]
    configuration: Mapping[str, Any]
    seed: int
    resamples: int = 1000
    made_on: str = ""
    notes: tuple[str, ...] = field(default=())
