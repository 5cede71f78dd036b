"""All rankers on many data sets: every run made once or taken from the cache, scored alike, shown in one table."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation import blind, checks, datasets, slices
from evaluation.baselines import BASELINES, Baseline, World
from evaluation.datasets import Dataset
from evaluation.results import Check, Comparison, DatasetResult, Report, Scored
from evaluation.runs import Made, Progress, RunCache, digest_of, key, versions
from evaluation.slices import Slicing
from matcher.errors import InputError
from matcher.matching.engine import NamedEncoder
from matcher.measures import Ranking
from matcher.records import Reference

MAX_QUERIES = 1000
"""Queries asked of a full data set: a fixed pseudo-random sample, as the format's own script draws it."""

RANKERS = (blind.ENGINE, *(b.name for b in BASELINES))
"""Names that `--engine` takes."""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where runs are made: the reference tables, the encoder, the seed and the cache.

    Attributes:
        progress: called with (step, done, in all); the step names data set and ranker.
        resamples: of every interval.
    """

    reference: Reference
    encoder: NamedEncoder
    cache: RunCache
    seed: int
    resamples: int = 1000
    progress: Progress | None = None

    def made(self, dataset: Dataset, name: str, make: Callable[[], Made]) -> Made:
        """The run of a ranker: from the cache, or made and kept."""
        called = key(
            dataset=dataset.digest, ranker=name, seed=self.seed, encoder=self.encoder.id,
            reference=digest_of(self.reference), depth=blind.DEPTH,
        )  # fmt: skip
        found = self.cache.get(called)
        if found is None:
            found = make()
            self.cache.put(called, found)
        return found

    def engine(self, dataset: Dataset, *, label: str = "") -> Made:
        """The engine's run, blind."""
        step = self._step(f"{dataset.name} {blind.ENGINE}{label}")
        return self.made(
            dataset, blind.ENGINE,
            lambda: blind.rank(dataset, self.reference, self.encoder, seed=self.seed, progress=step),
        )  # fmt: skip

    def _step(self, what: str) -> Progress | None:
        progress = self.progress
        return None if progress is None else lambda step, done, total: progress(f"{what}: {step}", done, total)

    def runs(self, dataset: Dataset) -> list[Made]:
        """All baselines, then the engine."""
        dataset = blind.askable(dataset)
        world: list[World] = []  # made for the first run that is not in the cache

        def ranked(number: int) -> Made:
            if not world:
                world.append(_world(dataset, self))
            return _ranked(BASELINES[number], world[0], seed=self.seed, depth=blind.DEPTH)

        out = []
        for number, baseline in enumerate(BASELINES):
            if self.progress:
                self.progress(f"{dataset.name} {baseline.name}", number, len(BASELINES) + 1)
            out.append(self.made(dataset, baseline.name, lambda n=number: ranked(n)))  # type: ignore[misc]  # default binds
        return [*out, self.engine(dataset)]


def make(name: str, dataset: Dataset, bench: Bench, *, depth: int) -> Made:
    """A run of the named ranker, made anew.

    Raises:
        InputError: the data set has no query or no partner.
    """
    dataset = blind.askable(dataset)
    if name == blind.ENGINE:
        return blind.rank(
            dataset, bench.reference, bench.encoder, seed=bench.seed, depth=depth, progress=bench.progress
        )
    return _ranked(next(b for b in BASELINES if b.name == name), _world(dataset, bench), seed=bench.seed, depth=depth)


def _world(dataset: Dataset, bench: Bench) -> World:
    step = bench.progress
    told = None if step is None else lambda done, total: step(f"{dataset.name}: encode", done, total)
    return World(dataset, blind.in_force(bench.reference, blind.day_of(dataset)), bench.encoder, progress=told)


def _ranked(baseline: Baseline, world: World, *, seed: int, depth: int) -> Made:
    """A baseline's run; its seconds leave out what all baselines share."""
    started = time.perf_counter()
    scores = baseline.rank(world, seed=seed)
    dataset = world.dataset
    return Made(
        name=baseline.name,
        ranking=Ranking.of_scores(dataset.queries, dataset.partners["partner_id"].to_list(), scores, depth=depth),
        probabilities=None, abstained=slices.NO_PROBABILITIES, seconds=time.perf_counter() - started,
        note=baseline.about,
    )  # fmt: skip


def measure(dataset: Dataset, bench: Bench, *, with_checks: bool = True) -> DatasetResult:
    """Everything about all rankers on a blind data set; one without partners or answers gets a result without runs."""
    told = tuple(warnings(dataset, bench.reference))
    if not dataset.qrels or dataset.partners.is_empty():
        why = "There are no answers to score against." if not dataset.qrels else "There are no partners to rank."
        return DatasetResult(
            name=dataset.name, about=dataset.about, counts=counts(dataset), runs=(), warnings=(*told, why)
        )
    slicing = Slicing.of(dataset, bench.reference)
    made = bench.runs(dataset)
    scored = [_scored(dataset, m, bench, slicing) for m in made]
    compared = _compared(dataset, made, bench, slicing)
    done = _checks(dataset, scored[-1], bench, slicing) if with_checks else (checks.across_the_split(dataset),)
    return DatasetResult(
        name=dataset.name, about=dataset.about, counts=counts(dataset), runs=tuple(scored), comparisons=compared,
        checks=tuple(done), warnings=told,
    )  # fmt: skip


def _scored(dataset: Dataset, made: Made, bench: Bench, slicing: Slicing) -> Scored:
    found = slices.score(
        dataset, bench.reference, made.ranking, run=made.name, seed=bench.seed, resamples=bench.resamples,
        probabilities=made.probabilities, abstained=made.abstained or slices.NO_PROBABILITIES, seconds=made.seconds,
        slicing=slicing,
    )  # fmt: skip
    return replace(found, note=made.note)


def _compared(dataset: Dataset, made: Sequence[Made], bench: Bench, slicing: Slicing) -> tuple[Comparison, ...]:
    """The engine against every baseline, corrected together."""
    engine = made[-1]
    found: list[Comparison] = []
    for other in made[:-1]:
        found += slices.compare(
            dataset, bench.reference, engine.ranking, other.ranking, (engine.name, other.name), seed=bench.seed,
            resamples=bench.resamples, slicing=slicing,
        )  # fmt: skip
    return slices.holm_table(found)


def _checks(dataset: Dataset, engine: Scored, bench: Bench, slicing: Slicing) -> list[Check]:
    permuted = bench.engine(checks.relabelled(dataset, seed=bench.seed), label=" relabelled")
    unnamed = bench.engine(checks.masked_names(dataset), label=" without names")
    return [
        checks.at_chance(_scored(dataset, permuted, bench, slicing), checks.chance(dataset, seed=bench.seed)),
        checks.unnamed(engine, _scored(dataset, unnamed, bench, slicing)),
        checks.across_the_split(dataset),
    ]


def counts(dataset: Dataset) -> dict[str, int]:
    """Sizes of a data set."""
    train, qrels = dataset.train, dataset.qrels or {}
    warm = set(train["partner_id"])
    return {
        "projects": dataset.projects.height, "partners": dataset.partners.height, "train_deals": train.height,
        "queries": len(dataset.queries), "warm_queries": sum(1 for found in qrels.values() if found & warm),
        "warm_partners": len(warm), "cold_partners": dataset.partners.height - len(warm),
        "qrels": sum(map(len, qrels.values())),
    }  # fmt: skip


def warnings(dataset: Dataset, reference: Reference) -> list[str]:
    """What a reader must know of the data: rows that are odd, columns that are missing."""
    out = [f"{sentence}: {count}" for sentence, count in dataset.warnings.items()]
    out += [f"{sentence}: {count}" for sentence, count in datasets.unknown_codes(dataset, reference).items()]
    if dataset.missing:
        out.append(f"Not given: {', '.join(dataset.missing)}")
    return out


def report(folders: Sequence[Path], bench: Bench, *, made_on: str, max_queries: int, with_checks: bool) -> Report:
    """The benchmark over several data sets.

    Raises:
        InputError: one of them does not follow the format, or two have the same name.
    """
    # All are read before the first is ranked: what is refused is refused at once.
    read = [datasets.blind(datasets.read(f), max_queries=max_queries) for f in folders]
    names = [d.name for d in read]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InputError(f"Two data sets are called {twice[0]}; give each a name of its own in dataset.toml.")
    found = [measure(d, bench, with_checks=with_checks) for d in read]
    return Report(
        title="Benchmark", datasets=tuple(found), configuration=configuration(bench, max_queries=max_queries),
        seed=bench.seed, resamples=bench.resamples, made_on=made_on,
    )  # fmt: skip


def configuration(bench: Bench, **more: Any) -> Mapping[str, Any]:
    """What reproduces a report."""
    return {"encoder": bench.encoder.id, "depth": blind.DEPTH, "seed": bench.seed, "versions": versions(), **more}
