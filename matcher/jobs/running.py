"""Jobs by name: work that can be killed and run again until it is complete."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from rapidfuzz import process

from matcher.errors import NotFoundError
from matcher.jobs import Site, fitting, pairs
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.opening import facts, open_encoder, open_store
from matcher.matching.corpus import Corpus
from matcher.store import pairing, tidying

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every job gets: the site, the day it runs for, who runs it, and whether it continues what was begun."""

    site: Site
    day: date
    actor: str
    resume: bool = False
    revision: str | None = None
    progress: Progress | None = None


def embed(asked: Asked) -> dict[str, Any]:
    """Texts of projects and partners that have no vector yet are encoded; what a killed run encoded is kept."""
    with open_store(asked.site) as store:
        tell = asked.progress
        corpus = Corpus.of(
            facts(store, asked.day), open_encoder(asked.site, store), None,
            None if tell is None else lambda done, of: tell("embed", done, of),
        )  # fmt: skip
        return {"projects": corpus.projects.height, "partners": corpus.partners.height}


def fit(asked: Asked) -> dict[str, Any]:
    """A new engine is fitted on the facts and put to use."""
    with open_store(asked.site) as store:
        return fitting.fit(
            asked.site, store, as_of=asked.day, actor=asked.actor, revision=asked.revision, progress=asked.progress
        ).to_json()


def fill_pairs(asked: Asked) -> dict[str, Any]:
    """The lists of missions and countries are made for the engine in use and the facts of the day."""
    with Matchmaker(asked.site, today=lambda: asked.day, progress=asked.progress) as maker:
        return pairs.fill(maker, maker.opened(), resume=asked.resume, progress=asked.progress).to_json()


def tidy(asked: Asked) -> dict[str, Any]:
    """Sessions that ended, kept answers and counts of wrong passwords, all of 30 days ago and more, are deleted."""
    with open_store(asked.site) as store, store.owner(who=asked.actor) as cursor:
        gone = tidying.tidy(cursor)
        store.audit("tidy", actor=asked.actor, details=gone)
        return {"deleted": gone}


JOBS: Mapping[str, Callable[[Asked], dict[str, Any]]] = {
    "embed": embed, "fit": fit, "pairs": fill_pairs, "tidy": tidy,
}  # fmt: skip
"""Name -> job, in the order in which an installation needs them."""


def run(name: str, asked: Asked) -> dict[str, Any]:
    """What a job did.

    Raises:
        NotFoundError: there is no job of that name.
        MatcherError: the job refuses.
    """
    if name not in JOBS:
        near = [found for found, _, _ in process.extract(name, list(JOBS), limit=3)]
        raise NotFoundError(f'There is no job "{name}"; there are {", ".join(JOBS)}.', near)
    return JOBS[name](asked)


def listing(site: Site) -> list[dict[str, Any]]:
    """The jobs: name, what each does, and how far the newest set of lists of pairs is."""
    with open_store(site) as store, store.cursor() as cursor:
        sets = pairing.sets(cursor)
    state = {
        "pairs": None
        if not sets
        else f"{'complete' if sets[0].done_at else 'unfinished'}: {sets[0].engine_id}, revision {sets[0].revision}, "
        f"{sets[0].as_of}"
    }
    return [{"job": n, "does": (job.__doc__ or "").strip(), "state": state.get(n)} for n, job in JOBS.items()]
