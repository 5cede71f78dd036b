"""The one order of the steps: fit on facts, keep as an immutable artefact, open on facts, match."""

import importlib.metadata
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from matcher.errors import ConflictError, InputError, SourceError, StaleArtefactError
from matcher.matching import describe, manifest, rank
from matcher.matching.calibrate import Calibrator
from matcher.matching.catalogue import Catalogue
from matcher.matching.corpus import CENTRES, Corpus, Encodes
from matcher.matching.features import FEATURES, NAMES, compute
from matcher.matching.manifest import Manifest
from matcher.matching.pairs import Block
from matcher.matching.rank import BoostedRanker, Group, LinearRanker
from matcher.matching.retrieve import LexicalIndex
from matcher.matching.sides import History, positive
from matcher.measures import interval, per_query
from matcher.records import Facts
from matcher.split import Origin, rolling_origins

Progress = Callable[[str, int, int], None]
"""Called with (step, done, in all)."""

Floats = npt.NDArray[np.float64]

HARD, RANDOM = 200, 100
"""Negatives per training query: the best by the linear model, and a random sample of the rest."""

MAX_QUERIES = 2000
"""Latest labelled queries that a fit uses; time grows with them times the partners."""

MAX_HELD = 300
"""Latest held-out queries; only these keep the features of every partner in memory (queries x partners x 4 bytes
x features), the others keep a sample."""

HELD_SHARE = 0.3
"""Share of labelled queries, the latest ones, on which the inner split decides and calibrates."""

MEASURES = ("nDCG@10", "R@50", "RR")


class NamedEncoder(Encodes, Protocol):
    """An encoder that says which model its vectors are of."""

    @property
    def id(self) -> str:
        """Model, revision and prefix."""
        ...


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A fitted engine. Opening it on facts gives a `Catalogue`, which answers queries."""

    manifest: Manifest
    ranker: LinearRanker | BoostedRanker
    calibrator: Calibrator
    centres: Mapping[str, npt.NDArray[np.float32]]

    @classmethod
    def fit(
        cls, facts: Facts, encoder: NamedEncoder, *, seed: int, out: Path, revision: str | None = None,
        progress: Progress | None = None,
    ) -> "Engine":  # fmt: skip
        """Fits on facts and writes the artefact into the empty folder `out`.

        Every label is a dated deal; every statistic behind it is older than the label's year. Which share of the
        tree is used is decided on the latest labels, on which it was not fitted.

        Raises:
            InputError: there are no partners or no projects to fit on.
            ConflictError: there is something in `out`.
        """
        if facts.partners.is_empty() or facts.projects.is_empty():
            raise InputError(
                f"There are {facts.projects.height} projects and {facts.partners.height} partners on "
                f"{facts.as_of.isoformat()}; load some of each with `matcher init` or `matcher import`."
            )
        if out.exists() and any(out.iterdir()):
            raise ConflictError(f"{out} is not empty; an engine is never written over, give another folder.")
        facts = _public(facts)
        corpus = Corpus.of(facts, encoder, None, _step(progress, "encode"))
        linear = LinearRanker(
            weights=np.array([f.weight for f in FEATURES]), neutral=np.array([f.neutral for f in FEATURES])
        )
        origins = rolling_origins(positive(facts.deals), until=facts.as_of)
        groups, split = _groups(corpus, origins, linear, seed, progress)
        ranker, judge, note, held, metrics = _learn(groups, split, linear, seed)
        scores = np.concatenate([judge.score(g.x) for g in held]) if held else np.zeros(0)
        labels = np.concatenate([g.y for g in held]) if held else np.zeros(0, dtype=np.int64)
        calibrator = Calibrator.fit(scores, labels)
        out.mkdir(parents=True, exist_ok=True)
        saved = rank.save(ranker, out)
        np.savez(out / "centres.npz", **{c: corpus.centres[c] for c in CENTRES})  # type: ignore[arg-type]  # stub lacks **arrays
        counts = {
            "projects": facts.projects.height,
            "partners": facts.partners.height,
            "deals": facts.deals.height,
            "positive_deals": positive(facts.deals).height,
            "labelled_queries": len(groups),
            "held_queries": len(held),
            "labels": int(sum(g.y.sum() for g in groups)),
        }
        content: dict[str, Any] = {
            "as_of": facts.as_of,
            "features": NAMES,
            "encoder": encoder.id,
            "describe": describe.VERSION,
            "seed": seed,
            "ranker": saved,
            "ranker_note": note,
            "calibration": calibrator.to_json(),
            "metrics": metrics,
            "counts": counts,
            "versions": _versions(),
            "revision": revision,
            "files": {f.name: manifest.digest(f) for f in sorted(out.iterdir())},
        }
        described = Manifest(engine=manifest.identifier(facts.as_of, content), **content)
        (out / manifest.MANIFEST).write_text(described.model_dump_json(indent=1) + "\n", encoding="utf-8")
        return cls(manifest=described, ranker=ranker, calibrator=calibrator, centres=corpus.centres)

    @classmethod
    def load(cls, folder: Path) -> "Engine":
        """The engine of an artefact folder.

        Raises:
            SourceError: the artefact is missing or damaged.
            StaleArtefactError: its features or profile texts are not those of this program.
        """
        described = manifest.read(folder)
        if described.features != NAMES:
            odd = sorted(set(described.features) ^ set(NAMES)) or ["their order"]
            raise StaleArtefactError(
                f"The engine {described.engine} was fitted with other features ({', '.join(odd[:5])} differ); "
                "refit with `matcher fit`."
            )
        if described.describe != describe.VERSION:
            raise StaleArtefactError(
                f"The engine {described.engine} was fitted on profile texts of version {described.describe}, "
                f"this program writes {describe.VERSION}; refit with `matcher fit`."
            )
        try:
            with np.load(folder / "centres.npz", allow_pickle=False) as stored:
                centres = {c: stored[c] for c in CENTRES}
        except (OSError, ValueError, KeyError) as error:
            raise SourceError(f"{folder / 'centres.npz'} is damaged ({error}); refit with `matcher fit`.") from error
        return cls(
            manifest=described, ranker=rank.load(folder, described.ranker),
            calibrator=Calibrator.from_json(described.calibration), centres=centres,
        )  # fmt: skip

    def open(self, facts: Facts, encoder: NamedEncoder, *, progress: Progress | None = None) -> Catalogue:
        """Describes, encodes and indexes the facts with this engine's stored means.

        Raises:
            StaleArtefactError: the encoder is not the one the engine was fitted with.
        """
        if encoder.id != self.manifest.encoder:
            raise StaleArtefactError(
                f"The engine {self.manifest.engine} was fitted with the encoder {self.manifest.encoder}, "
                f"the encoder in use is {encoder.id}; refit with `matcher fit` or set MATCHER_ENCODER back."
            )
        step = _step(progress, "encode")
        facts = _public(facts)
        corpus = Corpus.of(facts, encoder, self.centres, step)
        texts = corpus.partner_texts(facts.as_of)
        return Catalogue(
            engine=self.manifest.engine, corpus=corpus, ranker=self.ranker, calibrator=self.calibrator,
            snapshot=corpus.snapshot(facts.as_of, step), lexical=LexicalIndex(texts), partner_texts=texts,
        )  # fmt: skip


def _step(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(name, done, total)


def _public(facts: Facts) -> Facts:
    """The facts without deals and footprints that count only from a day after `as_of`."""
    later = pl.col("counts_from") > facts.as_of
    return replace(
        facts, **{t: getattr(facts, t).filter(~later.fill_null(False)) for t in ("deals", "footprint")}
    )  # fmt: skip


def _versions() -> dict[str, str]:
    names = ("matcher", "numpy", "polars", "lightgbm", "scikit-learn", "sentence-transformers", "torch")
    return {"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in names}}


def _groups(
    corpus: Corpus, origins: Sequence[Origin], linear: LinearRanker, seed: int, progress: Progress | None
) -> tuple[list[Group], int]:
    """Labelled queries with features as known at their origin, oldest first, and where the held-out part starts.

    A query of the held-out part has every candidate, an earlier one its positives and a sample of the others.
    """
    facts, snapshot = corpus.facts, corpus.snapshot(corpus.facts.as_of)
    projects = snapshot.projects
    entered = _entered(facts)
    wanted = [(o, p) for o in origins for p in o.labels if p in projects.row_of][-MAX_QUERIES:]
    held_from = _held_from([o.as_of.year for o, _ in wanted])
    out: list[Group] = []
    split = 0
    for origin, queries in groupby(enumerate(wanted), key=lambda item: item[1][0]):
        partners = corpus.partner_side(origin.as_of)
        history = History.of(facts.deals, projects, partners, origin.as_of)
        known = snapshot.at(history, partners)
        lexical = LexicalIndex(corpus.partner_texts(origin.as_of))
        everybody: list[str] = partners.frame["partner_id"].to_list()
        # Who is in our tables only because of a later deal has a record written from it, which would betray the answer.
        unheard = [partners.row_of[q] for q, since in entered.items() if since > origin.as_of]
        listed = np.setdiff1d(np.arange(len(everybody)), unheard)
        for place, (_, project) in queries:
            row = projects.row_of[project]
            # Who is known to be in already is neither a right nor a wrong answer.
            rows = np.setdiff1d(listed, history.partner[history.project == row])
            ids = [everybody[r] for r in rows]
            block = Block(project=row, rows=rows, snapshot=known, lexical=lexical.scores(corpus.words(row)))
            y = np.array([i in origin.labels[project] for i in ids], dtype=np.int64)
            if y.any():
                # 32 bits are ample for features and halve the memory.
                x = compute(block).astype(np.float32)
                group = Group(query=f"{project}@{origin.as_of.year + 1}", x=x, y=y, candidates=ids)
                split += place < held_from
                out.append(group if place >= held_from else _sampled(group, linear, seed))
            if progress:
                progress("features", place + 1, len(wanted))
    return out, split


def _held_from(years: Sequence[int]) -> int:
    """Where the held-out part of queries in order of year starts: the latest share, whole years, at most so many."""
    n = len(years)
    start = n - min(round(n * HELD_SHARE), MAX_HELD)
    back = ahead = start
    while 0 < back < n and years[back] == years[back - 1]:
        back -= 1
    if n - back <= 2 * MAX_HELD:
        return back
    # A year of so many queries would make everything held out: the next one starts it, or the year is cut.
    while ahead < n and years[ahead] == years[ahead - 1]:
        ahead += 1
    return ahead if ahead < n else n - MAX_HELD


def _entered(facts: Facts) -> dict[str, date]:
    """Partners whose own record was read from one of their deals -> the first day such a deal counts from.

    Before that day nobody would have listed them; a partner with a source of its own is not in the result.
    """
    told = facts.partners.select("partner_id", pl.col("source").str.split(" ; ").alias("told"))
    pages = facts.deals.select("partner_id", "counts_from", pl.concat_list("source", "source_2").alias("pages"))
    both = told.join(pages, on="partner_id").filter(
        pl.col("told").list.set_intersection("pages").list.drop_nulls().list.len() > 0
    )
    first = both.drop_nulls("counts_from").group_by("partner_id").agg(pl.col("counts_from").min())
    return dict(first.iter_rows())


def _sampled(group: Group, linear: LinearRanker, seed: int) -> Group:
    """The group with its positives, the hardest negatives and a random sample of the rest."""
    rng = np.random.default_rng([seed, *group.query.encode()])
    negatives = np.flatnonzero(group.y == 0)
    order = negatives[np.argsort(-linear.score(group.x[negatives]), kind="stable")]
    rest = order[HARD:]
    drawn = rng.choice(rest, size=min(RANDOM, rest.size), replace=False) if rest.size else rest
    rows = np.sort(np.concatenate([np.flatnonzero(group.y == 1), order[:HARD], drawn]))
    return Group(
        query=group.query, x=group.x[rows], y=group.y[rows], candidates=[group.candidates[int(r)] for r in rows]
    )


def _measure(groups: Sequence[Group], ranker: rank.Ranker, measure: str) -> dict[str, float]:
    qrels = {g.query: {g.candidates[int(i)]: 1 for i in np.flatnonzero(g.y)} for g in groups}
    run = {}
    for g in groups:
        scores = ranker.score(g.x)
        order = np.lexsort((np.arange(scores.size), -scores))[:1000]
        run[g.query] = {g.candidates[int(i)]: float(scores[i]) for i in order}
    return per_query(qrels, run, measure)


def _learn(
    groups: Sequence[Group], split: int, linear: LinearRanker, seed: int
) -> tuple[
    LinearRanker | BoostedRanker,
    rank.Ranker,
    str,
    Sequence[Group],
    dict[str, dict[str, tuple[float, float, float]]],
]:
    """The ranker, one that never saw the held-out groups, why, those groups, and the measures on them."""
    held = list(groups[split:])
    metrics = {"linear": {m: interval(_measure(held, linear, m), seed=seed) for m in MEASURES}} if held else {}
    if len(groups) < rank.MIN_QUERIES or split == 0:
        why = f"{rank.MIN_QUERIES} needed for a tree"
        if len(groups) >= rank.MIN_QUERIES:
            why = "all of one year, so that no earlier ones are left to fit a tree on"
        return linear, linear, f"linear model alone: {len(groups)} labelled queries, {why}", held, metrics
    monotone = [1 if f.monotone else 0 for f in FEATURES]
    inner = rank.fit_tree(groups[:split], linear, monotone=monotone, seed=seed)
    trial = {s: BoostedRanker(linear=linear, booster=inner, share=s) for s in rank.SHARES}
    ndcg = {s: _measure(held, trial[s], "nDCG@10") for s in rank.SHARES}
    share = _choose(ndcg)
    metrics["chosen"] = {m: interval(_measure(held, trial[share], m), seed=seed) for m in MEASURES}
    for s in rank.SHARES:
        metrics[f"tree_share_{s:g}"] = {"nDCG@10": interval(ndcg[s], seed=seed)}
    everything = [*groups[:split], *(_sampled(g, linear, seed) for g in held)]
    full = rank.fit_tree(everything, linear, monotone=monotone, seed=seed)
    note = f"linear model plus {share:g} of LambdaMART, chosen on the {len(held)} latest of {len(groups)} queries"
    return BoostedRanker(linear=linear, booster=full, share=share), trial[share], note, held, metrics


def _choose(ndcg: Mapping[float, Mapping[str, float]]) -> float:
    """The share with the best mean; the linear model stays unless it is beaten by more than a standard error."""
    base = np.array(list(ndcg[0.0].values()))
    best, gain = 0.0, 0.0
    for share, values in ndcg.items():
        difference = np.array(list(values.values())) - base
        error = float(difference.std(ddof=1) / np.sqrt(difference.size)) if difference.size > 1 else np.inf
        if difference.mean() > max(gain, error):
            best, gain = share, float(difference.mean())
    return best
