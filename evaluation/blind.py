"""The engine on a data set it has never seen: fitted on its training deals alone, every partner ranked per query.

Beside the data set only the encoder and the tables of classifications, languages, places and dated country facts are
read; of the latter those in force on the day of the split. The product's own projects, partners and deals are not.
"""

import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from evaluation import datasets
from evaluation.datasets import Dataset
from evaluation.runs import Made, Progress
from matcher.errors import InputError
from matcher.ingest.tables import read_table
from matcher.matching.engine import Engine, NamedEncoder
from matcher.measures import Ranking
from matcher.records import REFERENCE_TABLES, Reference

ENGINE = "engine"
DEPTH = 1000


def read_reference(folder: Path) -> Reference:
    """Classifications, places and glossary from the reference tables in a folder.

    Raises:
        SourceError: a table is missing or damaged.
    """
    return Reference(**{name: read_table(name, folder) for name in REFERENCE_TABLES})


def in_force(reference: Reference, day: date) -> Reference:
    """The reference with those ties between countries that were in force on a day for certain."""
    begun = datasets.last_day("in_force_on", "in_force_precision")
    known = (begun <= day) & (pl.col("ended_on").is_null() | (pl.col("ended_on") > day))
    return replace(reference, country_ties=reference.country_ties.filter(known.fill_null(False)))


def day_of(dataset: Dataset) -> date:
    """The day up to which everything may be known: the split, else the latest announcement, else the first of all."""
    latest = dataset.projects["announced_on"].max()
    return dataset.split_on or (latest if isinstance(latest, date) else date.min)


def askable(dataset: Dataset) -> Dataset:
    """The data set with every project asked where it has neither a split nor a list of queries.

    Raises:
        InputError: there is nothing to ask or nobody to rank.
    """
    if dataset.partners.is_empty():
        raise InputError(f"{dataset.name} has no partners, so that there is nobody to rank.")
    if dataset.queries:
        return dataset
    if dataset.split_on is None:
        return replace(dataset, queries=tuple(dataset.projects["project_id"].to_list()))
    raise InputError(
        f"{dataset.name} has no query: there is no queries.csv and no project is announced after {dataset.split_on}."
    )


def rank(
    dataset: Dataset, reference: Reference, encoder: NamedEncoder, *, seed: int, depth: int = DEPTH,
    progress: Progress | None = None,
) -> Made:  # fmt: skip
    """Fits the engine on the training part and ranks every partner for every query.

    Args:
        depth: places kept per query.

    Raises:
        InputError: the data set has no query or no partner.
    """
    started = time.perf_counter()
    dataset, day = askable(dataset), day_of(dataset)
    known = in_force(reference, day)
    everything = datasets.facts(dataset, known, with_queries=True, as_of=day)
    train = datasets.facts(dataset, known, with_queries=False, as_of=day)
    if train.projects.is_empty():  # nothing but queries: their texts are all there is to learn what a text looks like
        train = everything
    if not train.deals.is_empty():
        # Who has no training deal is listed because of an answer; as a wrong candidate he would teach that new ones
        # fail.
        train = replace(train, partners=train.partners.join(train.deals, on="partner_id", how="semi"))
    with tempfile.TemporaryDirectory(prefix="blind-") as room:
        engine = Engine.fit(train, encoder, seed=seed, out=Path(room) / "engine", progress=progress)
    catalogue = engine.open(everything, encoder)
    scores = np.full((len(dataset.queries), dataset.partners.height), np.nan)
    for i, query in enumerate(dataset.queries):
        ids, scores[i] = catalogue.rank_all(query)
        if progress:
            progress("rank", i + 1, len(dataset.queries))
    ranking = Ranking.of_scores(dataset.queries, tuple(ids), scores, depth=depth)
    # From all scores, for a short list need not hold all who share in a chance.
    chances = np.take_along_axis(engine.calibrator.values(scores), np.maximum(ranking.places, 0), axis=1)
    probabilities = np.where(ranking.places >= 0, chances, np.nan)
    reason = engine.calibrator.reason()
    return Made(
        name=ENGINE, ranking=ranking, probabilities=None if reason else probabilities,
        abstained=None if reason is None else reason["en"], seconds=time.perf_counter() - started,
        note=engine.manifest.ranker_note,
    )  # fmt: skip
