"""From past deals to a ranker: what was known on a day, whom the projects after it dealt with, and what to make of it.

Every ranker is tried on the latest queries, of which nothing was seen when it was fitted, and the one that is usual for
so many deals stays unless another is better by more than chance: few labels change little. What was chosen is then
fitted again on everything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from matcher.matching import rank
from matcher.matching.calibrate import FADING, Trial
from matcher.matching.corpus import Corpus
from matcher.matching.features import FEATURES, NAMES, compute
from matcher.matching.kernel import STRENGTHS, Kernel
from matcher.matching.pairs import Block
from matcher.matching.rank import BoostedRanker, Group, LinearRanker
from matcher.matching.retrieve import LexicalIndex
from matcher.matching.sides import positive
from matcher.matching.snapshot import Snapshot
from matcher.matching.trials import trials
from matcher.matching.windows import Window, spread
from matcher.measures import Ranking, intervals, judge, values
from matcher.split import rolling_origins

Progress = Callable[[str, int, int], None]
"""Called with (step, done, in all)."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

YEARS = 2
"""Calendar years after an origin whose deals are its labels."""

PER_ORIGIN = 250
MAX_QUERIES = 2000
"""Queries of one origin, evenly spread, and of all, the latest: time grows with them times the partners."""

MAX_HELD = 300
"""Held-out queries, evenly spread; only these keep the features of every partner in memory."""

HARD, RANDOM = 60, 90
"""Wrong candidates per training query: the best by experience and profile, and a random sample of the rest."""

MIN_HELD, SOME_HELD = 60, 20
"""Held-out queries that are aimed at, and those below which nothing is chosen."""

MANY, USUAL_SHARE = 150, 0.5
"""Queries to learn from, from which on fused past deals and half of the tree are the rule that others must beat.

With fewer the documented linear model is the base."""

FUSED = 2.5
"""Weight of `fused` where past deals are many."""

LONG, LONGEST = 6, 12
"""Years that held-out queries may reach back to be as many as aimed at, and to be enough."""

KERNEL_QUERIES = 300
"""Queries that the kernel is learned from."""

MEASURES = ("nDCG@10", "R@50", "RR")

Metrics = dict[str, dict[str, tuple[float, float, float]]]

_KERNEL_COLUMNS = ("experience", "coinvestors", "namesakes")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One labelled query: a project on a day, its candidates, and which of them it dealt with later.

    Attributes:
        place: number of the origin, 0 the oldest.
        rows: partner rows of the candidates, ascending.
        closed: partner row -> the day its deal on the project counts from.
    """

    project: str
    row: int
    place: int
    as_of: date
    snapshot: Snapshot
    rows: Ints
    closed: Mapping[int, date]

    @property
    def query(self) -> str:
        """Project and the year after the origin."""
        return f"{self.project}@{self.as_of.year + 1}"

    def labels(self, until: date) -> Ints:
        """1 for a candidate whose deal counts by a day, shape (n_candidates,)."""
        return np.array([self.closed.get(int(r), date.max) <= until for r in self.rows], dtype=np.int64)

    def window(self, until: date) -> Window:
        """The query as the kernel learns from it."""
        found = self.rows[self.labels(until) == 1]
        return Window(snapshot=self.snapshot, labels={self.row: found} if found.size else {})


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a fit ends with.

    Attributes:
        judge: the chosen ranker as fitted without the held-out queries, which `held` are, with all candidates.
        queries, labels: how many there were to learn from.
        trials: what probabilities are learned from; none where nothing was held out.
    """

    ranker: LinearRanker | BoostedRanker
    kernel: Kernel
    judge: rank.Ranker
    note: str
    held: Sequence[Group]
    metrics: Metrics
    queries: int
    labels: int
    trials: Sequence[Trial] = ()


def documented() -> LinearRanker:
    """The documented linear model."""
    return LinearRanker(weights=np.array([f.weight for f in FEATURES]), neutral=np.array([f.neutral for f in FEATURES]))


def by_experience() -> LinearRanker:
    """Experience first; a twentieth of the documented weights orders those who have none."""
    model = documented()
    return replace(model, weights=model.weights / 20 + np.array([float(n == "experience") for n in NAMES]))


def by_history() -> LinearRanker:
    """The documented linear model and the places that simple rankers of past projects give."""
    model = documented()
    return replace(model, weights=model.weights + FUSED * np.array([float(n == "fused") for n in NAMES]))


def cases(corpus: Corpus) -> list[Case]:
    """The labelled queries of the latest origins, oldest first."""
    facts = corpus.facts
    origins = rolling_origins(positive(facts.deals), until=facts.as_of, years=YEARS)
    snapshot = corpus.snapshot(facts.as_of)
    projects, everybody = snapshot.projects.row_of, snapshot.partners.row_of
    out: list[Case] = []
    for place in range(len(origins) - 1, -1, -1):
        origin = origins[place]
        asked = spread([p for p in origin.labels if p in projects], PER_ORIGIN)
        if len(out) + len(asked) > MAX_QUERIES:
            break
        known, listed = corpus.known_on(snapshot, origin.as_of)
        for project in asked:
            row = projects[project]
            # Who is known to be in already is neither a right nor a wrong answer.
            rows = np.setdiff1d(listed, known.involved(row))
            wanted = {everybody[q] for q in origin.labels[project] if q in everybody}
            days = {r: d for r, d in corpus.closed.get(project, {}).items() if r in wanted}
            case = Case(
                project=project, row=row, place=place, as_of=origin.as_of, snapshot=known, rows=rows, closed=days
            )
            if case.labels(facts.as_of).any():
                out.append(case)
    return out[::-1]


def held_out(found: Sequence[Case], until: date) -> tuple[date | None, list[Case], list[Case]]:
    """The day after which queries are held out, those before it and those after it, each project once.

    The latest two years where they have enough queries, else more.
    """
    for least, longest in ((MIN_HELD, LONG), (SOME_HELD, LONGEST)):
        for back in range(YEARS, min(longest, until.year - 1) + 1):
            day = date(until.year - back, 12, 31)
            earlier = [c for c in found if c.as_of < day and c.labels(day).any()]
            later: dict[str, Case] = {}
            for case in found:
                if case.as_of >= day:
                    later.setdefault(case.project, case)
            if len(later) >= least and len(earlier) >= rank.MIN_QUERIES:
                return day, earlier, spread(list(later.values()), MAX_HELD)
    return None, list(found), []


def learn(corpus: Corpus, *, seed: int, progress: Progress | None = None) -> Learned:
    """Learns what the past deals allow."""
    until = corpus.facts.as_of
    found = cases(corpus)
    day, earlier, later = held_out(found, until)
    linear = documented()
    if progress:
        progress("fit", 0, 2)
    if day is None:
        kernel = Kernel.fit([c.window(until) for c in found], strength=STRENGTHS[0], limit=KERNEL_QUERIES)
        note = f"linear model alone: {len(found)} labelled queries, of which too few lie before or in the latest years"
        return Learned(
            ranker=linear, kernel=kernel, judge=linear, note=note, held=(), metrics={}, queries=len(found),
            labels=sum(int(c.labels(until).sum()) for c in found),
        )  # fmt: skip
    strength, kernel = _kernel(earlier, later, day, until)
    make = _Maker(corpus=corpus, seed=seed, progress=progress, total=len(earlier) + len(later))
    before = [make.group(c, kernel, day, sampled=True) for c in earlier]
    held = [make.group(c, kernel, until, sampled=False) for c in later]
    weights = _fading(earlier)
    metrics: Metrics = {}
    trial = {"linear": linear, "history": by_history(), "experience": by_experience()}
    tried = {name: _figures(held, ranker, seed) for name, ranker in trial.items()}
    metrics.update({name: told for name, (told, _) in tried.items()})
    many = len(before) >= MANY
    # Where deals are few, what experts wrote down is worth more than what a handful of queries prefer.
    base = _choose({name: ndcg for name, (_, ndcg) in tried.items()}, first="history") if many else "linear"
    tree = rank.fit_tree(before, trial[base], monotone=_MONOTONE, seed=seed, weights=weights)
    shares = {s: BoostedRanker(linear=trial[base], booster=tree, share=s) for s in rank.SHARES}
    told = {f"{base}_tree_{s:g}": _figures(held, shares[s], seed) for s in rank.SHARES}
    metrics.update({name: figures for name, (figures, _) in told.items()})
    first = USUAL_SHARE if many else 0.0
    share = rank.SHARES[[*told].index(_choose({n: v for n, (_, v) in told.items()}, first=f"{base}_tree_{first:g}"))]
    metrics["chosen"] = metrics[f"{base}_tree_{share:g}"]
    if progress:
        progress("fit", 1, 2)
    last = Kernel.fit([c.window(until) for c in found], strength=strength, limit=KERNEL_QUERIES)
    everything = [make.again(g, c, last, until) for g, c in zip([*before, *held], [*earlier, *later], strict=True)]
    known = {(c.project, c.place) for c in [*earlier, *later]}
    rest = [c for c in found if (c.project, c.place) not in known]
    everything += [make.group(c, last, until, sampled=True) for c in rest]
    weights = _fading([*earlier, *later, *rest])
    booster = rank.fit_tree(everything, trial[base], monotone=_MONOTONE, seed=seed, weights=weights)
    note = (
        f"{_TOLD[base]} plus {share:g} of LambdaMART, chosen on {len(held)} queries after {day.isoformat()}, of "
        f"{len(found)} labelled queries in all"
    )
    return Learned(
        ranker=BoostedRanker(linear=trial[base], booster=booster, share=share), kernel=last, judge=shares[share],
        note=note, held=held, metrics=metrics, queries=len(found),
        labels=sum(int(c.labels(until).sum()) for c in found),
        trials=trials(corpus, shares[share], kernel, after=day),
    )  # fmt: skip


_MONOTONE = [1 if f.monotone else 0 for f in FEATURES]
_TOLD = {"linear": "linear model", "history": "linear model and fused rankers", "experience": "experience first"}


def _kernel(earlier: Sequence[Case], later: Sequence[Case], day: date, until: date) -> tuple[float, Kernel]:
    """How strongly the kernel is drawn to its prior, by the likelihood of the held-out labels; and the kernel."""
    windows = [c.window(day) for c in earlier]
    judged = [c.window(until) for c in later]
    trial = [Kernel.fit(windows, strength=s, limit=KERNEL_QUERIES) for s in STRENGTHS]
    best = max(trial, key=lambda kernel: kernel.likelihood(judged))
    return best.strength, best


@dataclass(kw_only=True)
class _Maker:
    """Features of cases, counted for the one who waits."""

    corpus: Corpus
    seed: int
    progress: Progress | None
    total: int
    done: int = 0

    def __post_init__(self) -> None:
        self.lexical = LexicalIndex(self.corpus.partner_texts)

    def group(self, case: Case, kernel: Kernel, until: date, *, sampled: bool) -> Group:
        words = self.lexical.scores(self.corpus.words(case.row))
        block = Block(project=case.row, rows=case.rows, snapshot=case.snapshot, lexical=words, kernel=kernel)
        # 32 bits are ample for features and halve the memory.
        x = compute(block).astype(np.float32)
        group = Group(query=case.query, x=x, y=case.labels(until), candidates=case.rows)
        self.done += 1
        if self.progress:
            self.progress("features", self.done, max(self.total, self.done))
        return self._sampled(group) if sampled else group

    def again(self, group: Group, case: Case, kernel: Kernel, until: date) -> Group:
        """The same candidates, those of a held-out query sampled, under another kernel and labels up to a day."""
        block = Block(
            project=case.row, rows=np.asarray(group.candidates), snapshot=case.snapshot,
            lexical=np.zeros(0, dtype=np.float32), kernel=kernel,
        )  # fmt: skip
        x = group.x.copy()
        for name in _KERNEL_COLUMNS:
            x[:, NAMES.index(name)] = FEATURES[NAMES.index(name)].compute(block)
        until_then = np.array([case.closed.get(int(r), date.max) <= until for r in group.candidates], dtype=np.int64)
        return self._sampled(replace(group, x=x, y=until_then))

    def _sampled(self, group: Group) -> Group:
        """The group with its positives, the hardest negatives and a random sample of the rest."""
        rng = np.random.default_rng([self.seed, *group.query.encode()])
        negatives = np.flatnonzero(group.y == 0)
        near = by_experience().score(group.x[negatives]) + 0.3 * documented().score(group.x[negatives])
        order = negatives[np.argsort(-near, kind="stable")]
        rest = order[HARD:]
        drawn = rng.choice(rest, size=min(RANDOM, rest.size), replace=False) if rest.size else rest
        rows = np.sort(np.concatenate([np.flatnonzero(group.y == 1), order[:HARD], drawn]))
        return Group(query=group.query, x=group.x[rows], y=group.y[rows], candidates=np.asarray(group.candidates)[rows])


def _fading(found: Sequence[Case]) -> Floats:
    """Weight of each query by the age of its origin."""
    years = np.array([c.as_of.year for c in found])
    return np.asarray(FADING ** (years.max(initial=0) - years), dtype=np.float64)


def _figures(
    held: Sequence[Group], ranker: rank.Ranker, seed: int
) -> tuple[dict[str, tuple[float, float, float]], Floats]:
    """Measures with their intervals, and nDCG@10 per query."""
    n = 1 + max(int(np.max(g.candidates)) for g in held)
    scores, relevant = np.full((len(held), n), np.nan), np.zeros((len(held), n), dtype=bool)
    for i, group in enumerate(held):
        scores[i, group.candidates] = ranker.score(group.x)
        relevant[i, group.candidates] = group.y == 1
    ranking = Ranking.of_scores([f"{i:06d}" for i in range(len(held))], [f"{i:09d}" for i in range(n)], scores)
    judged = judge(ranking, relevant)
    table = np.column_stack([values(judged, m) for m in MEASURES])
    found = intervals(table, seed=seed)
    told = {m: (float(a), float(b), float(c)) for m, (a, b, c) in zip(MEASURES, found, strict=True)}
    return told, table[:, 0]


def _choose(figures: Mapping[str, Floats], *, first: str) -> str:
    """The name with the best mean over queries; the first stays unless it is beaten by more than a standard error."""
    best, gain = first, 0.0
    for name, found in figures.items():
        difference = found - figures[first]
        error = float(difference.std(ddof=1) / np.sqrt(difference.size)) if difference.size > 1 else np.inf
        if difference.mean() > max(gain, error):
            best, gain = name, float(difference.mean())
    return best
