"""One ranking, scored in every slice: which answers count, among which candidates, for which queries.

In every slice the candidates are a pool less the relevant partners that do not count there, so that a ranker is not
blamed for a right answer of another slice.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from evaluation.audit import UNKNOWN, audit, training_projects
from evaluation.calibration import TOP, abstention, equal_mass, promise, reliability
from evaluation.datasets import Dataset
from evaluation.results import MEASURES, SLICES, Calibration, Comparison, Figure, Scored
from matcher.ingest.neutral import is_vietnamese
from matcher.matching.retrieve import sections
from matcher.measures import Ranking, chance, holm, intervals, judge, paired, values
from matcher.records import Reference
from matcher.text import nfc

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FAMILIES = ("sector", "sector_section", "kind", "home", "language")
"""Slices with one per value. Sector, section and language are those of the query; kind and home of the partner."""

ENOUGH = 10
"""Queries with a relevant partner that a value needs for a slice of its own; the others are pooled."""

OTHER = "other"

NO_PROBABILITIES = "The ranker gives no probabilities."
NONE_PROMISED = "No query is announced within the days that probabilities are about."

_NDCG = MEASURES.index("nDCG@10")

_LETTERS = re.compile(r"[^\W\d_]+")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def language(text: str) -> str:
    """Language of a text by its letters: vi, zh, ja, ko, `other`, or `unknown` when it has no letter.

    A third of Chinese, Japanese and Korean letters decides for these; Vietnamese needs its letters, and marks on at
    least half of the words, so that an English text about Thủ Đức stays `other`. Vietnamese without diacritics is
    `other` too, for letters cannot tell it from the rest of the world in Latin script.
    """
    words = _LETTERS.findall(nfc(text))
    letters = "".join(words)
    if not letters:
        return UNKNOWN
    hangul, kana, han = (len(script.findall(letters)) for script in (_HANGUL, _KANA, _HAN))
    if 3 * (hangul + kana + han) >= len(letters):
        if hangul > kana + han:
            return "ko"
        return "ja" if 10 * kana >= kana + han else "zh"
    marked = sum(not word.isascii() for word in words)
    return "vi" if 2 * marked >= len(words) and is_vietnamese(text) else OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Queries of a slice, the partners that count as answers, and the pool from which they are to be found.

    A relevant partner counts when it is a target. Candidates are the pool less relevant partners that do not count.

    Attributes:
        queries: (n_queries,) whom the slice is about, with or without an answer.
        target, pool: (n_candidates,), or (n_hosts, n_candidates) with `hosts` for what depends on the host country.
        hosts: (n_queries,) row of `target` and `pool` for every query; None where these are the same for all.
        view: name of the first slice with the same targets and pool.
    """

    name: str
    view: str
    queries: Bools
    target: Bools
    pool: Bools
    hosts: Ints | None = None

    def for_all(self) -> "Slice":
        """The slice without a condition on its queries, except that they need what their targets depend on."""
        everybody = np.ones(self.queries.size, dtype=np.bool_)
        return self if self.hosts is not None else replace(self, queries=everybody)

    def counts(self, query: Ints, candidate: Ints) -> Bools:
        """Whether each of these pairs is one of the slice's, were it relevant: by query and target."""
        target = self.target[candidate] if self.hosts is None else self.target[self.hosts[query], candidate]
        return np.asarray(target & self.queries[query], dtype=np.bool_)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slicing:
    """What the slices of a dataset are made of; made once, used for every run.

    Attributes:
        queries, candidates: ascending identifiers.
        pairs: (2, n_relevant) query and candidate numbers of the relevant pairs.
        slices: named ones in the order of `SLICES`, then the families.
        promised: queries that a probability of the split's day is about; None for all.
        late: relevant pairs that came true after the days it is about; None for none.
    """

    queries: tuple[str, ...]
    candidates: tuple[str, ...]
    pairs: Ints
    slices: tuple[Slice, ...]
    promised: Bools | None = None
    late: Bools | None = None

    def answers(self, part: Slice) -> Ints:
        """Number of relevant partners that count in the slice, for every query, 0 for queries outside it."""
        query, candidate = self.pairs
        inside = part.counts(query, candidate)
        return np.bincount(query[inside], minlength=len(self.queries)).astype(np.int64)

    def masks(self, part: Slice, rows: Ints) -> tuple[Bools, Bools]:
        """Relevant and allowed candidates of the slice for some queries.

        Returns:
            relevant (n_rows, n_candidates); allow (n_candidates,) where it is the same for all, else as relevant.
        """
        target, pool = (m if part.hosts is None else m[part.hosts[rows]] for m in (part.target, part.pool))
        relevant = np.zeros((rows.size, len(self.candidates)), dtype=np.bool_)
        number = np.full(len(self.queries), -1)
        number[rows] = np.arange(rows.size)
        asked = number[self.pairs[0]] >= 0
        relevant[number[self.pairs[0][asked]], self.pairs[1][asked]] = True
        others = relevant & ~target & pool
        return relevant & target, pool & ~others if others.any() else pool

    def __iter__(self) -> Iterator[tuple[str, Bools, Bools, Bools]]:
        """Every slice as (name, queries, relevant, allow), masks over all queries; one slice in memory at a time."""
        rows = np.arange(len(self.queries))
        for part in self.slices:
            relevant, allow = self.masks(part, rows)
            yield part.name, part.queries, relevant & part.queries[:, None], allow

    @classmethod
    def of(cls, dataset: Dataset, reference: Reference) -> "Slicing":
        """The slices of a dataset.

        Raises:
            ValueError: its answers are not there.
        """
        if dataset.qrels is None:
            raise ValueError(f"{dataset.name} has no answers to score against; give qrels")
        queries, candidates = dataset.queries, tuple(dataset.partners["partner_id"].to_list())
        query_number, number = ({x: i for i, x in enumerate(names)} for names in (queries, candidates))
        pairs = np.array(
            [(query_number[q], number[c]) for q in queries for c in sorted(dataset.qrels.get(q, ()))], dtype=np.int64
        ).reshape(-1, 2)
        slices = _slices(dataset, reference, pairs.T)
        promised, late = promise(dataset, [(queries[q], candidates[c]) for q, c in pairs])
        return cls(
            queries=queries, candidates=candidates, pairs=pairs.T, slices=tuple(slices), promised=promised, late=late
        )


def _slices(dataset: Dataset, reference: Reference, pairs: Ints) -> Iterator[Slice]:
    """Named slices, then families."""
    asked = pl.DataFrame({"project_id": dataset.queries}, schema={"project_id": pl.String}).join(
        dataset.projects, on="project_id", how="left", maintain_order="left"
    )
    everybody = np.ones(len(dataset.queries), dtype=np.bool_)
    popularity = training_projects(dataset)
    warm = popularity > 0
    catalogue = np.ones(warm.size, dtype=np.bool_)
    host = asked["country"].to_list()

    yield Slice(name="full", view="full", queries=everybody, target=catalogue, pool=catalogue)
    of_warm = Slice(name="warm", view="warm", queries=everybody, target=warm, pool=warm)
    yield of_warm
    hosts, entered = _entered(dataset, host)
    yield Slice(
        name="new_pairs", view="new_pairs", queries=hosts >= 0, target=warm & ~entered, pool=warm & ~entered,
        hosts=np.maximum(hosts, 0),
    )  # fmt: skip
    asean = set(reference.countries.filter(pl.col("asean"))["country"])
    yield replace(of_warm, name="asean", queries=_mask(c in asean for c in host))
    yield replace(of_warm, name="vietnam", queries=_mask(c == "VN" for c in host))
    yield Slice(name="cold_full_pool", view="cold_full_pool", queries=everybody, target=~warm, pool=catalogue)
    yield Slice(name="cold_pool", view="cold_pool", queries=everybody, target=~warm, pool=~warm)
    dealt = dataset.projects.join(dataset.train, on="project_id", how="semi")
    known = set(dealt["sector"].drop_nulls())
    cold_sector = _mask(s is not None and s not in known for s in asked["sector"])
    yield replace(of_warm, name="cold_sector", queries=cold_sector)
    third = equal_mass(popularity, 3, among=popularity[pairs[1]][warm[pairs[1]]])
    for i, name in enumerate(("popularity_low", "popularity_mid", "popularity_high")):
        yield Slice(name=name, view=name, queries=everybody, target=warm & (third == i), pool=warm)

    answered = np.unique(pairs[0][warm[pairs[1]]])  # queries with a warm relevant partner
    for family, labels in _query_labels(asked, reference).items():
        having = Counter(labels[q] for q in answered)
        for value, mask in _family(labels, having):
            yield replace(of_warm, name=f"{family}:{value}", queries=mask)
    query, candidate = pairs[:, warm[pairs[1]]]
    for family, column in (("kind", "kind"), ("home", "country")):
        labels = dataset.partners[column].fill_null(UNKNOWN).to_list()
        having = Counter(value for _, value in {(q, labels[c]) for q, c in zip(query, candidate, strict=True)})
        for value, mask in _family(labels, having):
            name = f"{family}:{value}"
            yield Slice(name=name, view=name, queries=everybody, target=warm & mask, pool=warm)


def _mask(flags: Iterable[bool]) -> Bools:
    return np.fromiter(flags, dtype=np.bool_)


def _entered(dataset: Dataset, host: Sequence[str | None]) -> tuple[Ints, Bools]:
    """Row of every query's host, -1 where it is unknown, and who has a training deal there, (hosts, candidates)."""
    rows = {c: i for i, c in enumerate(sorted({c for c in host if c is not None}))}
    number = {c: i for i, c in enumerate(dataset.partners["partner_id"])}
    entered = np.zeros((max(1, len(rows)), len(number)), dtype=np.bool_)
    where = dataset.train.select("project_id", "partner_id").join(
        dataset.projects.select("project_id", "country"), on="project_id"
    )
    for partner, country in where.select("partner_id", "country").unique().iter_rows():
        if country in rows:
            entered[rows[country], number[partner]] = True
    return np.array([rows.get(c, -1) if c is not None else -1 for c in host], dtype=np.int64), entered


def _query_labels(asked: pl.DataFrame, reference: Reference) -> dict[str, list[str]]:
    """Value of every query in each family of query slices."""
    section_of = sections(reference)
    section_of |= {letter: letter for letter in section_of.values()}
    texts = asked.select(pl.concat_str("name", "description", separator=" ", ignore_nulls=True)).to_series()
    return {
        "sector": asked["sector"].fill_null(UNKNOWN).to_list(),
        "sector_section": [section_of.get(code or "", UNKNOWN) for code in asked["isic"]],
        "language": [language(text or "") for text in texts],
    }


def _family(labels: Sequence[str], having: Mapping[str, int]) -> Iterator[tuple[str, Bools]]:
    """Values with at least `ENOUGH` queries and the mask of their members; the rest together; the unknown apart.

    A family of which nothing is known has no slice.
    """
    if set(labels) <= {UNKNOWN}:
        return
    own = sorted(v for v, n in having.items() if n >= ENOUGH and v not in (OTHER, UNKNOWN))
    for value in own:
        yield value, _mask(v == value for v in labels)
    kept = {*own, UNKNOWN}
    for value, mask in ((OTHER, _mask(v not in kept for v in labels)), (UNKNOWN, _mask(v == UNKNOWN for v in labels))):
        if mask.any():
            yield value, mask


def score(
    dataset: Dataset,
    reference: Reference,
    ranking: Ranking,
    *,
    run: str,
    seed: int,
    resamples: int = 1000,
    probabilities: Floats | None = None,
    abstained: str = NO_PROBABILITIES,
    seconds: float | None = None,
    slicing: Slicing | None = None,
) -> Scored:
    """Everything about one run: figures of all slices, lift, audit, calibration.

    `per_query` holds the named slices; families can be told from it by query.

    Args:
        probabilities: aligned with `ranking.places`, NaN where none was given; None when the ranker gives none.
        abstained: why there is none, then.
        slicing: that of the dataset, when it is at hand.

    Raises:
        ValueError: the ranking is not of the dataset's queries and partners, or there are no answers.
    """
    slicing = slicing or Slicing.of(dataset, reference)
    views = _Views(slicing, ranking)
    figures, per_query = {}, {}
    for part in slicing.slices:
        rows, table = views.values(part)
        figures[part.name] = _figures(table, asked=int(part.queries.sum()), seed=seed, resamples=resamples)
        if part.name in SLICES:
            ndcg = table[:, _NDCG].tolist()
            per_query[part.name] = {slicing.queries[q]: v for q, v in zip(rows.tolist(), ndcg, strict=True)}
    if probabilities is None:
        calibration = Calibration(abstained=abstained)
    else:
        calibration = _calibration(views, probabilities, seed=seed, resamples=resamples)
    return Scored(
        run=run, figures=figures, lift=_lift(views), audit=audit(dataset, ranking), per_query=per_query,
        calibration=calibration, seconds=seconds,
    )  # fmt: skip


def compare(
    dataset: Dataset,
    reference: Reference,
    first: Ranking,
    second: Ranking,
    names: tuple[str, str],
    *,
    seed: int,
    resamples: int = 1000,
    slices: Sequence[str] = ("warm", "new_pairs"),
    measures: Sequence[str] = ("nDCG@10", "R@50"),
    slicing: Slicing | None = None,
) -> tuple[Comparison, ...]:
    """First minus second, paired over the queries of each slice; slices without a query are left out.

    The corrected p-values are those of these comparisons alone; `holm_table` corrects over a longer table.
    """
    slicing = slicing or Slicing.of(dataset, reference)
    views = [_Views(slicing, ranking) for ranking in (first, second)]
    made = []
    for part in slicing.slices:
        if part.name not in slices:
            continue
        (rows, one), (_, two) = (v.values(part) for v in views)
        for measure in measures if rows.size else ():
            column = MEASURES.index(measure)
            found = paired(one[:, column], two[:, column], seed=seed, resamples=resamples)
            made.append(
                Comparison(
                    first=names[0], second=names[1], slice=part.name, measure=measure, difference=found.difference,
                    low=found.low, high=found.high, p=found.p, p_corrected=found.p, queries=found.queries,
                )
            )  # fmt: skip
    return holm_table(made)


def holm_table(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons with their p-values corrected by Holm over all of them."""
    corrected = holm([c.p for c in comparisons])
    return tuple(replace(c, p_corrected=p) for c, p in zip(comparisons, corrected, strict=True))


class _Views:
    """Values of a ranking per query; slices of the same view share one computation."""

    def __init__(self, slicing: Slicing, ranking: Ranking) -> None:
        if ranking.queries != slicing.queries or ranking.candidates != slicing.candidates:
            raise ValueError(
                f"a ranking of {len(ranking.queries)} queries over {len(ranking.candidates)} partners is not one of "
                f"the dataset's {len(slicing.queries)} queries over {len(slicing.candidates)} partners"
            )
        self.slicing, self.ranking = slicing, ranking
        self._made: dict[str, tuple[Ints, Floats]] = {}

    def values(self, part: Slice) -> tuple[Ints, Floats]:
        """Queries with an answer in the slice, (n,), and their values, (n, len(MEASURES))."""
        if part.view not in self._made:
            self._made[part.view] = self._make(part)
        rows, table = self._made[part.view]
        inside = part.queries[rows]
        return rows[inside], table[inside]

    def _make(self, part: Slice) -> tuple[Ints, Floats]:
        # Of the view as a whole, not of the slice that happens to come first: its queries may be fewer.
        rows = np.flatnonzero(self.slicing.answers(part.for_all()))
        relevant, allow = self.slicing.masks(part, rows)
        asked = replace(
            self.ranking,
            queries=tuple(self.ranking.queries[r] for r in rows),
            places=self.ranking.places[rows],
            scores=self.ranking.scores[rows],
        )
        judged = judge(asked, relevant, allow)
        return rows, np.stack([values(judged, m) for m in MEASURES], axis=1)


def _figures(table: Floats, *, asked: int, seed: int, resamples: int) -> dict[str, Figure]:
    """Figure of every measure from the values of the queries that have an answer."""
    n = len(table)
    found = intervals(table, seed=seed, resamples=resamples)
    return {
        measure: Figure(
            mean=float(mean), low=float(low), high=float(high), queries=n, left_out=asked - n,
            with_all=float(mean) * n / asked if n else float("nan"),
        )
        for measure, (mean, low, high) in zip(MEASURES, found, strict=True)
    }  # fmt: skip


def _lift(views: _Views) -> dict[str, float]:
    """Mean of each measure on the warm slice over that of a random order; NaN without a query."""
    warm = next(s for s in views.slicing.slices if s.name == "warm")
    rows, table = views.values(warm)
    if not rows.size:
        return dict.fromkeys(MEASURES, float("nan"))
    relevant = views.slicing.answers(warm)[rows]
    pools = np.full(rows.size, warm.pool.sum())
    return {m: float(table[:, i].mean() / chance(relevant, pools, m).mean()) for i, m in enumerate(MEASURES)}


def _calibration(views: _Views, probabilities: Floats, *, seed: int, resamples: int) -> Calibration:
    """Reliability of the pairs among the first 50 of every query, and quality against abstention on the full slice.

    A pair is of a slice by its query and its partner's kind, home or past, never by what came true: candidates
    that the figures leave out because they are right answers of another slice would make every forecast too high.
    Only what was promised is judged: queries announced within the horizon, and as true what came true within it.
    """
    ranking, slicing = views.ranking, views.slicing
    if probabilities.shape != ranking.places.shape:
        raise ValueError(f"probabilities {probabilities.shape} are not aligned with the places {ranking.places.shape}")
    given = ~np.isnan(probabilities[:, :TOP]) & (ranking.places[:, :TOP] >= 0)
    if not given.any():
        return Calibration(abstained=NO_PROBABILITIES)
    promised = np.ones(len(given), dtype=np.bool_) if slicing.promised is None else slicing.promised
    asked, left_out = int(promised.sum()), int((~promised).sum())
    query, at = np.nonzero(given & promised[:, None])
    if not query.size:
        return Calibration(abstained=NONE_PROMISED, queries=asked, left_out=left_out)
    candidate, predicted = ranking.places[query, at].astype(np.int64), probabilities[query, at]
    if predicted.min() < 0 or predicted.max() > 1:
        raise ValueError(f"probabilities lie in [{predicted.min():g}, {predicted.max():g}], not in [0, 1]")
    pairs = slicing.pairs[0] * len(slicing.candidates) + slicing.pairs[1]
    pairs = pairs if slicing.late is None else pairs[~slicing.late]
    hit = np.isin(query * len(slicing.candidates) + candidate, pairs)
    # Both cold slices are about the same pairs.
    masks = {s.name: s.counts(query, candidate) for s in slicing.slices if s.name != "cold_full_pool"}
    rows, table = views.values(slicing.slices[0])
    return Calibration(
        abstained=None,
        slices=reliability(predicted, hit, query.astype(np.int64), masks, seed=seed, resamples=resamples),
        abstention=abstention(probabilities[rows, 0], table[:, _NDCG]),
        queries=asked,
        left_out=left_out,
    )
