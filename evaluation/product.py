"""How good are matches on our own data? Every year from 2015 to 2025 is ranked with what was public before it began.

Queries are of many years and so are their candidates: whoever could have been listed when the year began. A partner
that is warm in one year may be cold in an earlier one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from evaluation import slices
from evaluation.audit import DEPTH, UNKNOWN, audit
from evaluation.datasets import Dataset
from evaluation.origins import BASELINES, ENGINE, HOST, PROFILE, RUNS, YEARS, Cache, Known, Origin, Split, run, split
from evaluation.results import MEASURES, Audit, DatasetResult, Report, Scored
from evaluation.runs import Made, Progress
from evaluation.slices import ENOUGH, NO_PROBABILITIES, OTHER, Slice, Slicing, language
from matcher.config import Settings
from matcher.errors import InputError
from matcher.jobs import opening
from matcher.matching.engine import NamedEncoder
from matcher.matching.retrieve import sections
from matcher.measures import Ranking, chance, judge, values
from matcher.records import Reference

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NAME = "product"
TITLE = "Our own data"
CITY = "Ho Chi Minh City"
MAIN = "full"
"""The slice that counts: every partner that could have been listed. Few have a deal before, and fewer find another."""

NOTES = (
    "Split: at 31 December of the year before, the engine is fitted on what was public by then and ranks every partner "
    "that could have been listed, for every project in Viet Nam on which a partner's first dated deal closed in the "
    "year. Partners known to be in a project already are neither right nor wrong answers.",
    "A project is asked as its record reads today where it was not public yet; names of those who took part by the "
    "end of the year are masked. Partners' own facts (sector, activities, size) are of today in every year.",
    "Slices other than warm and cold_pool have every partner that could have been listed as candidates; those by kind "
    f"and home are about the right partners. A value has a slice of its own from {ENOUGH} queries on.",
    f"{PROFILE}, profile_bm25 and profile_rrf compare the project's text with what the partner says of itself; "
    "dense_profile and bm25_profile with the texts of its past projects.",
)


def report(settings: Settings, *, until: date, cache: Cache | None = None, progress: Progress | None = None) -> Report:
    """The evaluation on the facts of the store of the settings, with its encoder and its cached vectors.

    Raises:
        SourceError: there is no encoder.
        InputError: no deal gives a label.
    """
    site = settings.site()
    with opening.open_store(site) as store:
        encoder = opening.open_encoder(site, store)
        return measure(
            lambda day: opening.facts(store, day), encoder, until=until, seed=settings.seed, cache=cache,
            progress=progress,
        )  # fmt: skip


def measure(
    known: Known, encoder: NamedEncoder, *, until: date, seed: int, cache: Cache | None = None, resamples: int = 1000,
    progress: Progress | None = None,
) -> Report:  # fmt: skip
    """Engine and baselines at every origin, scored over the queries of all years together.

    Raises:
        InputError: no deal gives a label.
    """
    reference = known(until).reference
    found = split(known, until=until)
    if not found.origins:
        raise InputError(
            f"No project in {HOST} has a dated deal of {YEARS.start} to {YEARS.stop - 1} with a partner that could "
            "have been listed; there is nothing to ask. Load the facts with `matcher init` or `matcher import`."
        )
    made: dict[str, list[Made]] = {name: [] for name in RUNS}
    for number, origin in enumerate(found.origins):
        step = _step(progress, origin.year)
        for name, one in run(origin, encoder, seed=seed, cache=cache, progress=step).items():
            made[name].append(one)
        if progress:
            progress("years ranked", number + 1, len(found.origins))
    asked = Asked.of(found, reference)
    whole = {name: asked.joined(parts) for name, parts in made.items()}
    runs = tuple(asked.scored(whole[name], made[name], seed=seed, resamples=resamples) for name in RUNS)
    compared = slices.compare(
        asked.dataset, reference, whole[ENGINE], whole[PROFILE], (ENGINE, PROFILE), seed=seed, resamples=resamples,
        slices=(MAIN,), measures=("R@50", "nDCG@10"), slicing=asked.slicing,
    )  # fmt: skip
    medians = "; ".join(f"{s.run} {s.note.removeprefix(MEDIAN)}" for s in runs if s.run in (ENGINE, PROFILE, "random"))
    result = DatasetResult(
        name=NAME, about=asked.dataset.about, counts=asked.counts, runs=runs, comparisons=compared,
        warnings=tuple(_warnings(found, asked)),
    )  # fmt: skip
    configuration = {
        "as_of": until.isoformat(), "encoder": encoder.id, "years": f"{YEARS.start}-{YEARS.stop - 1}",
        "host": HOST, "baselines": ", ".join(BASELINES),
        "labels": {str(year): n for year, n in found.labels.items()}, "pairs": dict(found.outcomes),
    }  # fmt: skip
    return Report(
        title=TITLE, datasets=(result,), configuration=configuration, seed=seed, resamples=resamples,
        made_on=until.isoformat(), notes=(*NOTES, f"{MEDIAN}{medians}."),
    )  # fmt: skip


def _step(progress: Progress | None, year: int) -> Progress | None:
    return None if progress is None else lambda step, done, total: progress(f"{year}: {step}", done, total)


def _warnings(found: Split, asked: "Asked") -> Iterator[str]:
    answered = len(asked.dataset.queries)
    yield (
        f"{found.outcomes['label']} labels in {answered} queries: all of them deals in Viet Nam that reached the press"
    )
    left = {reason: n for reason, n in found.outcomes.items() if n and reason != "label"}
    if left:
        yield f"Pairs with a deal that are no labels: {', '.join(f'{n} {reason}' for reason, n in left.items())}"
    if lost := sum(found.lost.values()):
        by_year = ", ".join(f"{year}: {n}" for year, n in found.lost.items())
        yield (
            f"{lost} labels are left out because nobody would have listed the partner: its record was read from a "
            f"deal of its own that was still to come ({by_year})"
        )
    if empty := [str(year) for year, n in found.labels.items() if not n]:
        yield f"Years without a label: {', '.join(empty)}"


MEDIAN = "Median rank of a right partner: "


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The queries of all years over one catalogue.

    Attributes:
        dataset: queries, answers and pool, for what reads a data set; it has no deals, for these depend on the year.
        year: number of the origin of every query, (n_queries,).
        listed: who could have been listed at each origin, (n_origins, n_candidates).
        popularity: projects with a deal known at each origin, (n_origins, n_candidates).
    """

    found: Split
    dataset: Dataset
    reference: Reference
    year: Ints
    listed: Bools
    popularity: Ints

    @classmethod
    def of(cls, found: Split, reference: Reference) -> "Asked":
        """The queries of a split."""
        number = {q: i for i, q in enumerate(found.partners["partner_id"])}
        listed = np.zeros((len(found.origins), len(number)), dtype=np.bool_)
        popularity = np.zeros(listed.shape, dtype=np.int64)
        of_query: dict[str, tuple[int, Origin, str]] = {}
        for i, origin in enumerate(found.origins):
            listed[i, [number[q] for q in origin.candidates]] = True
            for partner, n in origin.popularity.items():
                popularity[i, number[partner]] = n
            of_query |= {query: (i, origin, project) for query, project in origin.queries.items()}
        queries = tuple(sorted(of_query))
        records = pl.concat(
            [o.asked.with_columns(query=pl.format("{}@{}", "project_id", o.year)) for o in found.origins]
        )
        records = records.with_columns(project_id="query").drop("query").sort("project_id")
        dataset = Dataset(
            name=NAME,
            about={
                "title": TITLE, "main_slice": MAIN, "split_on": f"{YEARS.start - 1}-12-31",
                "horizon": f"{YEARS.start}-01-01..{YEARS.stop - 1}-12-31",
            },
            projects=records, partners=found.partners,
            deals=pl.DataFrame(schema={"project_id": pl.String, "partner_id": pl.String}), queries=queries,
            qrels={query: of_query[query][1].labels[of_query[query][2]] for query in queries}, split_on=None,
            undated="drop", digest="",
        )  # fmt: skip
        return cls(
            found=found, dataset=dataset, reference=reference, listed=listed, popularity=popularity,
            year=np.array([of_query[q][0] for q in queries], dtype=np.int64),
        )  # fmt: skip

    @property
    def candidates(self) -> tuple[str, ...]:
        """Everybody, ascending."""
        return tuple(self.found.partners["partner_id"])

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many of everything."""
        named = {s.name: s for s in self.slicing.slices}
        answered = {name: int((self.slicing.answers(named[name]) > 0).sum()) for name in ("warm", "cold_pool")}
        last = self.found.origins[-1]
        return {
            "projects": len({project for o in self.found.origins for project in o.labels}),
            "partners": len(self.candidates), "deals": sum(self.found.outcomes.values()),
            "queries": len(self.dataset.queries), "qrels": self.slicing.pairs.shape[1],
            "warm_queries": answered["warm"], "cold_queries": answered["cold_pool"],
            "warm_partners": len(last.popularity), "labels_left_out": sum(self.found.lost.values()),
        }  # fmt: skip

    def joined(self, parts: Sequence[Made]) -> Ranking:
        """The lists of all years over the whole catalogue."""
        number = {q: i for i, q in enumerate(self.candidates)}
        depth = max(part.ranking.places.shape[1] for part in parts)
        places = np.full((len(self.dataset.queries), depth), -1, dtype=np.int32)
        scores = np.full(places.shape, np.nan)
        for rows, part in self._parts(parts):
            own = np.array([*(number[q] for q in part.ranking.candidates), -1], dtype=np.int32)  # -1 stays -1
            width = part.ranking.places.shape[1]
            places[rows, :width], scores[rows, :width] = own[part.ranking.places], part.ranking.scores
        return Ranking(queries=self.dataset.queries, candidates=self.candidates, places=places, scores=scores)

    def _parts(self, parts: Sequence[Made]) -> Iterator[tuple[Ints, Made]]:
        """Every year's run with the rows of its queries."""
        row = {q: i for i, q in enumerate(self.dataset.queries)}
        for part in parts:
            yield np.array([row[q] for q in part.ranking.queries], dtype=np.int64), part

    def _probabilities(self, parts: Sequence[Made], shape: tuple[int, ...]) -> tuple[Floats | None, str]:
        """Aligned with the joined places, None where no year has any; then why the last year has none."""
        out = np.full(shape, np.nan)
        for rows, part in self._parts(parts):
            if part.probabilities is not None:
                out[rows, : part.probabilities.shape[1]] = part.probabilities
        return (None if np.isnan(out).all() else out), parts[-1].abstained or NO_PROBABILITIES

    def scored(self, ranking: Ranking, parts: Sequence[Made], *, seed: int, resamples: int) -> Scored:
        """Figures of all slices, lift, audit, calibration and, as the note, the median rank."""
        probabilities, abstained = self._probabilities(parts, ranking.places.shape)
        found = slices.score(
            self.dataset, self.reference, ranking, run=parts[0].name, seed=seed, resamples=resamples,
            probabilities=probabilities, abstained=abstained, seconds=sum(part.seconds for part in parts),
            slicing=self.slicing,
        )  # fmt: skip
        note = MEDIAN + median_rank(self.ranks(ranking), seed=seed, resamples=resamples)
        return replace(found, lift=self._lift(ranking), audit=self._audit(ranking), note=note)

    def ranks(self, ranking: Ranking) -> list[Ints]:
        """Places of the right partners of every query, from 1; one that is not in the list is not there."""
        query, candidate = self.slicing.pairs
        return [
            np.flatnonzero(np.isin(ranking.places[q], candidate[query == q])).astype(np.int64) + 1
            for q in range(len(ranking.queries))
        ]

    def _lift(self, ranking: Ranking) -> dict[str, float]:
        """Mean of each measure on the slice that counts over that of a random order of the same candidates."""
        part = self.slicing.slices[0]
        judged = judge(ranking, *self.slicing.masks(part, np.arange(len(ranking.queries))))
        pools = (ranking.places >= 0).sum(axis=1)
        return {m: float(values(judged, m).mean() / chance(judged.relevant, pools, m).mean()) for m in MEASURES}

    def _audit(self, ranking: Ranking) -> Audit:
        """The audit with popularity and long tail as of every query's year; its pool is everybody ever listed."""
        places = ranking.places[:, :DEPTH]
        query, at = np.nonzero(places >= 0)
        origin, shown = self.year[query], places[query, at]
        tail = np.zeros(self.listed.shape, dtype=np.bool_)
        for i, (listed, popular) in enumerate(zip(self.listed, self.popularity, strict=True)):
            rows = np.flatnonzero(listed)
            tail[i, rows[np.argsort(popular[rows], kind="stable")[: rows.size // 2]]] = True
        return replace(
            audit(self.dataset, ranking), popularity=float(self.popularity[origin, shown].mean()),
            long_tail=float(tail[origin, shown].mean()),
        )  # fmt: skip

    @cached_property
    def slicing(self) -> Slicing:
        """All slices, the one that counts first."""
        row, number = ({x: i for i, x in enumerate(names)} for names in (self.dataset.queries, self.candidates))
        qrels = self.dataset.qrels or {}
        pairs = [(row[q], number[c]) for q in self.dataset.queries for c in sorted(qrels[q])]
        found = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return Slicing(
            queries=self.dataset.queries, candidates=self.candidates, pairs=found, slices=tuple(self._slices(found))
        )

    def _slices(self, pairs: Ints) -> Iterator[Slice]:
        everybody = np.ones(len(self.dataset.queries), dtype=np.bool_)
        warm = self.listed & (self.popularity > 0)
        cold = self.listed & ~warm

        def part(name: str, target: Bools, pool: Bools) -> Slice:
            return Slice(name=name, view=name, queries=everybody, target=target, pool=pool, hosts=self.year)

        full = part(MAIN, self.listed, self.listed)
        yield full
        yield part("warm", warm, warm)
        yield part("cold_full_pool", cold, self.listed)
        yield part("cold_pool", cold, cold)
        for family, labels in query_labels(self.dataset.projects, self.reference).items():
            for value, mask in _values(labels, Counter(labels)):
                yield replace(full, name=f"{family}:{value}", queries=mask)
        query, candidate = pairs
        for family, column in (("kind", "kind"), ("home", "country")):
            labels = self.dataset.partners[column].fill_null(UNKNOWN).to_list()
            having = Counter(value for _, value in {(q, labels[c]) for q, c in zip(query, candidate, strict=True)})
            for value, mask in _values(labels, having):
                yield part(f"{family}:{value}", self.listed & mask, self.listed)


def query_labels(projects: pl.DataFrame, reference: Reference) -> dict[str, list[str]]:
    """Value of every query in each family: the city or elsewhere, the ISIC section of its first code, the language.

    The language is that of the name in the source: a Vietnamese name that is marked as translated is not.
    """
    section_of = sections(reference)
    section_of |= {letter: letter for letter in section_of.values()}
    return {
        "city": [UNKNOWN if c is None else c if c == CITY else "elsewhere" for c in projects["city"]],
        "sector_section": [
            section_of.get(codes[0] if codes[0].isalpha() else codes[0][:2], UNKNOWN) if codes else UNKNOWN
            for codes in projects["isic"].to_list()
        ],
        "language": [
            language(vi if vi and (status != "translated" or not en) else en or "")
            for vi, status, en in projects.select("name_vi", "name_vi_status", "name_en").iter_rows()
        ],
    }


def _values(labels: Sequence[str], having: Mapping[str, int]) -> Iterator[tuple[str, Bools]]:
    """Values that enough queries have, with the mask of their members; the rest together where they are enough.

    A family of one value is no slice: it says what the whole says.
    """
    own = sorted(value for value, n in having.items() if n >= ENOUGH and value != OTHER)
    every = np.array(labels, dtype=object)
    masks = {value: np.asarray(every == value, dtype=np.bool_) for value in own}
    if sum(n for value, n in having.items() if value not in own) >= ENOUGH:
        masks[OTHER] = np.asarray(~np.isin(every, own), dtype=np.bool_)
    yield from ((value, mask) for value, mask in masks.items() if not mask.all())


def median_rank(ranks: Sequence[Ints], *, seed: int, resamples: int) -> str:
    """Median over all right partners with its 95 % interval, queries resampled: '57 (31-96)'; '-' without any."""
    ranks = [own for own in ranks if own.size]
    if not ranks:
        return "-"
    rng = np.random.default_rng(seed)
    drawn = [
        float(np.median(np.concatenate([ranks[i] for i in rng.integers(len(ranks), size=len(ranks))])))
        for _ in range(resamples)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{np.median(np.concatenate(ranks)):.0f} ({low:.0f}-{high:.0f})"
