"""Our own deals, year by year: what was public at the end of a year ranks everybody for the projects of the next one.

`matcher.split` states the rule. Of its labels those count whose project lies in Viet Nam, whose year is one of `YEARS`
and whose partner could have been listed on the day.
"""

import hashlib
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from evaluation.runs import Made, Progress, digest_of, key
from matcher.matching.corpus import Corpus
from matcher.matching.describe import Names, mask
from matcher.matching.engine import Engine, NamedEncoder
from matcher.matching.fusion import RANK_CONSTANT
from matcher.matching.retrieve import LexicalIndex
from matcher.matching.sides import positive
from matcher.matching.simple import SIMPLE
from matcher.matching.snapshot import Snapshot
from matcher.measures import Ranking
from matcher.records import Facts
from matcher.split import listed_from, rolling_origins

Floats = npt.NDArray[np.float64]
Known = Callable[[date], Facts]
"""What was public on a day."""

YEARS = range(2015, 2026)
HOST = "VN"

ENGINE = "engine"
PROFILE = "profile_dense"
"""The baseline to beat: the project's text near the partner's profile, both less the mean of their kind."""


OUTCOMES = (
    "label",
    "record read from its deal",
    "known before",
    "before the first year",
    "after the last year",
    "undated",
    "elsewhere",
)
"""What becomes of a pair with a positive deal; every pair is in one class."""


class Cache(Protocol):
    """Runs by the hash of what they were made of."""

    def get(self, key: str) -> Made | None: ...  # noqa: D102 - described above

    def put(self, key: str, made: Made) -> None: ...  # noqa: D102 - described above


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The projects that found a partner in a year, and what was public at the end of the year before.

    Attributes:
        facts: as of that day, without partners that nobody could have listed and without undated projects.
        asked: records of the projects asked; whoever took part in one by the end of the year is masked in its text.
        labels: project -> partners whose first dated deal on it closed in the year.
    """

    year: int
    facts: Facts
    asked: pl.DataFrame
    labels: Mapping[str, frozenset[str]]

    @property
    def queries(self) -> dict[str, str]:
        """Query -> project, queries ascending."""
        return dict(sorted((f"{project}@{self.year}", project) for project in self.labels))

    @cached_property
    def opened(self) -> Facts:
        """The facts with the projects asked."""
        others = self.facts.projects.join(self.asked, on="project_id", how="anti")
        return replace(self.facts, projects=pl.concat([others, self.asked]).sort("project_id"))

    @cached_property
    def candidates(self) -> tuple[str, ...]:
        """Everybody who could have been listed, ascending."""
        return tuple(self.facts.partners["partner_id"].sort())

    @cached_property
    def involved(self) -> Mapping[str, frozenset[str]]:
        """Project -> partners known to be in already: neither right nor wrong answers."""
        deals = positive(self.facts.deals).filter(pl.col("project_id").is_in(list(self.labels)))
        pairs = deals.group_by("project_id").agg("partner_id").iter_rows()
        return {project: frozenset(partners) for project, partners in pairs}

    @cached_property
    def popularity(self) -> Mapping[str, int]:
        """Partner -> number of projects that it had a positive deal on by then, those with one or more."""
        deals = positive(self.facts.deals)
        return dict(deals.group_by("partner_id").agg(pl.col("project_id").n_unique()).sort("partner_id").iter_rows())

    @cached_property
    def digest(self) -> str:
        """A hash of everything that a run at this origin is made of, but for its seed and its encoder."""
        found = hashlib.sha256(digest_of(self.facts.reference).encode())
        for table in ("projects", "partners", "deals", "footprint"):
            found.update(f"\0{table}\0{getattr(self.facts, table).write_json()}".encode())
        found.update(f"\0{self.facts.as_of}\0{self.asked.write_json()}\0{sorted(self.queries)}".encode())
        return found.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Split:
    """Every origin that has labels.

    Attributes:
        partners: the pool on the last day, in identifier order.
        outcomes: of `OUTCOMES` -> number of (project, partner) pairs with a positive deal.
        lost: year -> labels whose partner's record was read from the deal.
        until: the last day whose deals may be labels.
    """

    origins: tuple[Origin, ...]
    partners: pl.DataFrame
    outcomes: Mapping[str, int]
    lost: Mapping[int, int]
    until: date

    @property
    def labels(self) -> dict[int, int]:
        """Year -> number of labels, every year of `YEARS`."""
        found = {o.year: sum(map(len, o.labels.values())) for o in self.origins}
        return {year: found.get(year, 0) for year in YEARS}


def split(known: Known, *, until: date) -> Split:
    """The origins of `YEARS`, oldest first, and what became of every other pair.

    Args:
        known: what was public on a day.
        until: the last day whose deals may be labels.
    """
    now = known(until)
    hosted = now.projects.filter(pl.col("country") == HOST)["project_id"].to_list()
    deals = positive(now.deals).filter(pl.col("counts_from") <= until)
    here = deals.filter(pl.col("project_id").is_in(hosted))
    entered = listed_from(now.partners, now.deals)
    outcome = dict.fromkeys(deals.select("project_id", "partner_id").iter_rows(), "elsewhere")
    outcome |= dict.fromkeys(here.select("project_id", "partner_id").iter_rows(), "undated")
    dated = here.filter(pl.col("closed_on").is_not_null())
    outcome |= dict.fromkeys(dated.select("project_id", "partner_id").iter_rows(), "known before")
    origins = []
    lost: Counter[int] = Counter()
    for origin in rolling_origins(here, until=until):
        year = origin.as_of.year + 1
        kept: dict[str, frozenset[str]] = {}
        for project, partners in origin.labels.items():
            unheard = {q for q in partners if entered.get(q, origin.as_of) > origin.as_of}
            for partner in partners:
                outcome[project, partner] = _outcome(year, unheard=partner in unheard)
            lost[year] += len(unheard)
            if partners - unheard:
                kept[project] = partners - unheard
        if kept and year in YEARS:
            origins.append(_origin(known(origin.as_of), now, year, kept, entered))
    counted = Counter(outcome.values())
    return Split(
        origins=tuple(origins), partners=now.partners.sort("partner_id"), outcomes={o: counted[o] for o in OUTCOMES},
        lost={year: lost[year] for year in YEARS if lost[year]}, until=until,
    )  # fmt: skip


def _outcome(year: int, *, unheard: bool) -> str:
    if year < YEARS.start:
        return "before the first year"
    if year >= YEARS.stop:
        return "after the last year"
    return "record read from its deal" if unheard else "label"


def _origin(
    known: Facts, now: Facts, year: int, labels: Mapping[str, frozenset[str]], entered: Mapping[str, date]
) -> Origin:
    """The origin of a year, of what was public on its day and what is known now."""
    day = known.as_of
    unheard = [q for q, since in entered.items() if since > day]
    deals, footprint = (
        frame.filter((pl.col("counts_from") <= day) & ~pl.col("partner_id").is_in(unheard))
        for frame in (known.deals, known.footprint)
    )
    # A project without any date is served whatever the day; only its deals tell when it was there for certain.
    undated = pl.col("announced_on").is_null() & pl.col("source_on").is_null()
    dealt = pl.col("project_id").is_in(deals["project_id"].unique().to_list())
    facts = replace(
        known, projects=known.projects.filter(~undated | dealt), deals=deals, footprint=footprint,
        partners=known.partners.filter(~pl.col("partner_id").is_in(unheard)),
    )  # fmt: skip
    return Origin(year=year, facts=facts, asked=_asked(facts, now, date(year, 12, 31), labels), labels=labels)


def _asked(facts: Facts, now: Facts, last: date, labels: Mapping[str, frozenset[str]]) -> pl.DataFrame:
    """Records of the projects asked: as known at the origin, else as known now; participants masked."""
    wanted = pl.col("project_id").is_in(list(labels))
    public = facts.projects.filter(wanted)
    later = now.projects.filter(wanted).join(public, on="project_id", how="anti")
    names = dict(now.partners.select("partner_id", "name").iter_rows())
    took_part = {project: set(partners) for project, partners in labels.items()}
    for project, partner in (
        now.deals.filter(wanted & (pl.col("counts_from") <= last)).select("project_id", "partner_id").iter_rows()
    ):
        took_part[project].add(partner)
    words = Names.of(facts.partners["name"].to_list(), facts.reference)
    rows = [
        {
            **row,
            **{
                column: row[column]
                and mask(row[column], [names[q] for q in sorted(took_part[row["project_id"]])], words)
                for column in ("name_vi", "name_en", "description")
            },
        }
        for row in pl.concat([public, later]).sort("project_id").iter_rows(named=True)
    ]
    return pl.DataFrame(rows, schema=now.projects.schema)


@dataclass(frozen=True, kw_only=True)
class World:
    """What baselines read at an origin.

    Attributes:
        lexical: BM25 of the partners' profile texts.
        words: project row -> its texts, for search by words.
        seed: of the random order.
    """

    snapshot: Snapshot
    lexical: LexicalIndex
    words: Callable[[int], str]
    seed: int

    @classmethod
    def of(cls, origin: Origin, encoder: NamedEncoder, *, seed: int) -> "World":
        """The origin as arrays; means of texts are those of its facts, without the projects asked."""
        day = origin.facts.as_of
        known = origin.opened if origin.facts.projects.is_empty() else origin.facts
        corpus = Corpus.of(origin.opened, encoder, Corpus.of(known, encoder, None).centres)
        return cls(
            snapshot=corpus.snapshot(day),
            lexical=LexicalIndex(corpus.partner_texts),
            words=corpus.words,
            seed=seed,
        )


Baseline = Callable[[World, int], Floats]
"""World, row of the project -> scores of all partners."""


def random_order(world: World, row: int) -> Floats:
    """A random order, another one for every query."""
    known = world.snapshot
    query = f"{known.projects.records[row]['project_id']}@{known.history.as_of.year + 1}"
    return np.random.default_rng([world.seed, *query.encode()]).random(known.n_partners)


def profile_dense(world: World, row: int) -> Floats:
    """Cosine of the project's text vector with the partner's profile vector, both centred."""
    known = world.snapshot
    return np.asarray(known.partners.vectors @ known.projects.vectors[row], dtype=np.float64)


def profile_bm25(world: World, row: int) -> Floats:
    """BM25 of the project's words in the partner's profile text."""
    return np.asarray(world.lexical.scores(world.words(row)), dtype=np.float64)


def profile_rrf(world: World, row: int) -> Floats:
    """Reciprocal ranks of `profile_dense` and `profile_bm25`, added."""
    total = np.zeros(world.snapshot.n_partners)
    for channel in (profile_dense, profile_bm25):
        order = np.argsort(-channel(world, row), kind="stable")
        total[order] += 1.0 / (RANK_CONSTANT + 1 + np.arange(order.size))
    return total


def division(world: World, row: int) -> Floats:
    """The partner works in an ISIC division of the project; the weight of the best one."""
    known = world.snapshot
    return np.asarray((known.partners.divisions * known.projects.divisions[row]).max(axis=1, initial=0.0))


def _simple(name: str) -> Baseline:
    return lambda world, row: SIMPLE[name](world.snapshot, row)


BASELINES: Mapping[str, Baseline] = {
    "random": random_order,
    **{name: _simple(name) for name in SIMPLE},
    "division": division,
    "profile_bm25": profile_bm25,
    PROFILE: profile_dense,
    "profile_rrf": profile_rrf,
}
RUNS = (*BASELINES, ENGINE)
"""In the order of tables."""


def run(
    origin: Origin, encoder: NamedEncoder, *, seed: int, cache: Cache | None = None, progress: Progress | None = None
) -> dict[str, Made]:
    """Everybody ranked by the engine and by every baseline, for every query of the origin."""
    keys = {name: key(origin=origin.digest, ranker=name, seed=seed, encoder=encoder.id) for name in RUNS}
    found = {name: None if cache is None else cache.get(keys[name]) for name in RUNS}
    missing = [name for name in BASELINES if found[name] is None]
    if missing:
        world = World.of(origin, encoder, seed=seed)
        found |= {name: _baseline(origin, world, name) for name in missing}
    if found[ENGINE] is None:
        found[ENGINE] = _engine(origin, encoder, seed, progress)
        missing.append(ENGINE)
    made = {name: one for name, one in found.items() if one is not None}
    if cache is not None:
        for name in missing:
            cache.put(keys[name], made[name])
    return made


def _baseline(origin: Origin, world: World, name: str) -> Made:
    started = time.perf_counter()
    rows = world.snapshot.projects.row_of
    scores = [BASELINES[name](world, rows[project]) for project in origin.queries.values()]
    ranking = _ranking(origin, world.snapshot.partners.frame["partner_id"].to_list(), scores)
    return _made(name, ranking, seconds=time.perf_counter() - started)


def _engine(origin: Origin, encoder: NamedEncoder, seed: int, progress: Progress | None) -> Made:
    """The engine that would have served then: fitted on what was public, opened with the projects asked."""
    started = time.perf_counter()
    known = origin.opened if origin.facts.projects.is_empty() else origin.facts
    with tempfile.TemporaryDirectory(prefix="origin-") as room:
        engine = Engine.fit(known, encoder, seed=seed, out=Path(room) / "engine", progress=progress)
        catalogue = engine.open(origin.opened, encoder)
        ranked = [catalogue.rank_all(project) for project in origin.queries.values()]
    ranking = _ranking(origin, ranked[0][0], [scores for _, scores in ranked])
    reason = catalogue.calibrator.reason()
    probabilities = None
    if reason is None:
        probabilities = catalogue.calibrator.values(ranking.scores)
    return replace(
        _made(ENGINE, ranking, seconds=time.perf_counter() - started),
        probabilities=probabilities, abstained=None if reason is None else reason["en"],
    )  # fmt: skip


def _made(name: str, ranking: Ranking, *, seconds: float) -> Made:
    return Made(name=name, ranking=ranking, probabilities=None, abstained=None, seconds=seconds, note="")


def _ranking(origin: Origin, ids: Sequence[str], scores: Sequence[Floats]) -> Ranking:
    """The whole lists without those who are in already."""
    if tuple(ids) != origin.candidates:
        raise ValueError(f"{len(ids)} partners were ranked, not the {len(origin.candidates)} that could be listed")
    table = np.array(scores, dtype=np.float64)
    number = {q: i for i, q in enumerate(ids)}
    for at, project in enumerate(origin.queries.values()):
        table[at, [number[q] for q in origin.involved.get(project, ()) if q in number]] = np.nan
    return Ranking.of_scores(tuple(origin.queries), origin.candidates, table, depth=None)
