"""What retrieval saves where partners are very many, and what it loses of the best by full scoring."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation.bench import Timing, against, synthetic
from evaluation.blind import read_reference
from matcher import config
from matcher.matching.catalogue import Catalogue
from matcher.matching.learn import by_experience, by_history, documented
from matcher.matching.retrieve import top
from matcher.records import Query, Reference

PARTNERS, DEALS = 100_000, 20_000
PROJECTS = 10
DEPTHS = (50, 200)
SHOWN = 10

RANKERS = {"linear": documented, "history": by_history, "experience": by_experience}


def run(_data_dir: Path, seed: int) -> Iterator[Timing]:
    """On made facts of the size of the largest public sets times ten."""
    reference = read_reference(config.load().reference_dir)
    yield from measured(reference, partners=PARTNERS, deals=DEALS, projects=PROJECTS, seed=seed)


def measured(reference: Reference, *, partners: int, deals: int, projects: int, seed: int) -> Iterator[Timing]:
    """Lists with retrieval against full scoring of everybody, and recall, for each of `RANKERS`."""
    facts = synthetic.facts(reference, deals=deals, partners=partners, seed=seed)
    for name, ranker in RANKERS.items():
        catalogue = synthetic.catalogue(facts, ranker())
        rows = np.linspace(0, facts.projects.height - 1, projects).astype(int)
        asked = catalogue.projects.frame["project_id"].gather(rows.tolist()).to_list()
        everybody = np.ones(partners, dtype=bool)

        def found(catalogue: Catalogue = catalogue, asked: list[str] = asked) -> None:
            for project in asked:
                catalogue.match(Query(project_id=project), n=SHOWN)

        def scored(
            catalogue: Catalogue = catalogue, asked: list[str] = asked, everybody: np.ndarray = everybody
        ) -> None:
            for project in asked:
                top(catalogue.rank_all(project)[1], everybody, SHOWN)

        lost = {f"recall@{d}": [round(v, 4) for v in recall(catalogue, asked, d)] for d in DEPTHS}
        one = against(
            (f"lists of {SHOWN} explained partners out of those retrieved, {name}", found),
            ("features and scores of everybody", scored),
        )
        yield replace(one, facts={"partners": partners, "deals": deals, "projects": projects, **lost})


def recall(catalogue: Catalogue, projects: list[str], depth: int) -> tuple[float, float]:
    """Share of the first `depth` of full scoring that is retrieved: mean and least over projects."""
    everybody = np.ones(catalogue.partners.frame.height, dtype=bool)
    shares = []
    for project in projects:
        best = top(catalogue.rank_all(project)[1], everybody, depth)
        shares.append(float(np.isin(best, catalogue.candidates(project)).mean()))
    return float(np.mean(shares)), min(shares)
