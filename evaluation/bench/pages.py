"""What a page costs the server, against the call of the API that gives its list: the product's own data, one worker.

Told in seconds of processor, which neighbours spoil less than the clock. A project and a partner are asked for once
each, so that both sides ask the engine; lists of missions and countries are asked for again and again, as they are.
Beside its list a page shows who works on each of its partners, and more: `times_all_calls` is against every call that
a program would have to make for the same.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from evaluation.bench import Timing
from evaluation.bench.http import fresh_site, get, group, load, serving
from matcher.jobs import Site, fitting, pairs, setup
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.opening import open_store
from matcher.records import OPEN_STATUSES
from matcher.store import accounts

AIM = 1.5
"""A page may cost this much of its API call. Source: our choice."""
DISTINCT, AGAIN = 40, 400
"""Requests to addresses that are asked for once, and to those that are asked for again."""
POST = "jp-tokyo-embassy"
OFFICES = ("/v1/partners/{each}/offices",)
"""Who works on each partner of the list."""
TIMES = 20
"""How often the further calls are made."""
SHOWN = 20
"""Matches that a page shows, which the API is asked for, too."""


def run(data_dir: Path, seed: int) -> Iterator[Timing]:
    """Pages against their calls; everything is made in a new folder."""
    with fresh_site(data_dir, seed) as site:
        key, projects, partners = _prepare(site)
        with serving(site, workers=1) as port:
            load(port, key, [f"/v1/projects/{p}/matches?n={SHOWN}" for p in projects[-5:]])
            for subject, pages, calls, more in _asked(projects, partners):
                yield _timed(port, key, subject, pages, calls, more)


def _prepare(site: Site) -> tuple[str, list[str], list[str]]:
    """The product with an engine and its lists; a key, open projects, and the partners that most lists show."""
    setup.init(site, actor="bench")
    today = datetime.now(UTC).date()  # noqa: TID251 - entry point; the service answers for this day
    with open_store(site) as store:
        fitting.fit(site, store, as_of=today, actor="bench")
        with store.owner(who="bench") as cursor:
            accounts.add(cursor, "bench", "officer")
            key, _ = accounts.add_key(cursor, "bench", label="bench", scopes=("read",), days=1)
    with Matchmaker(site, today=lambda: today) as maker:
        pairs.fill(maker, maker.opened())
        facts = maker.facts
    projects = facts.projects.filter(pl.col("status").is_in(list(OPEN_STATUSES)))["project_id"].sort().to_list()
    return key, projects, facts.partners["partner_id"].sort().to_list()


def _asked(projects: Sequence[str], partners: Sequence[str]) -> Iterator[tuple[str, list[str], list[str], list[str]]]:
    """Subject, addresses of pages, of the calls that give their lists, and of further calls for what else is there."""
    # Halves, so that neither side finds what the other one's question left in memory.
    one, other = projects[:DISTINCT], projects[DISTINCT : 2 * DISTINCT]
    matches = f"matches?n={SHOWN}"
    yield (
        "a project's page, never asked for before", [f"/projects/{p}" for p in one],
        [f"/v1/projects/{p}/{matches}" for p in other], ["/v1/projects/{project}", *OFFICES],
    )  # fmt: skip
    yield (
        "the same page again", [f"/projects/{p}" for p in one] * (AGAIN // DISTINCT),
        [f"/v1/projects/{p}/{matches}" for p in one], ["/v1/projects/{project}", *OFFICES],
    )  # fmt: skip
    yield (
        "a partner's page, never asked for before", [f"/partners/{p}" for p in partners[:DISTINCT]],
        [f"/v1/partners/{p}/{matches}" for p in partners[DISTINCT : 2 * DISTINCT]], ["/v1/partners/{partner}"],
    )  # fmt: skip
    both = list(zip(projects[:DISTINCT], partners[:DISTINCT], strict=True))
    yield (
        "a pair's page", [f"/projects/{p}/partners/{q}" for p, q in both],
        [f"/v1/projects/{p}/partners/{q}/explanation" for p, q in both],
        ["/v1/projects/{project}", "/v1/partners/{partner}", "/v1/partners/{partner}/offices", "/v1/judgments?n=1"],
    )  # fmt: skip
    again: tuple[tuple[str, str, str, list[str]], ...] = (
        ("a country's page", "/countries/JP", f"/v1/countries/JP/{matches}", ["/v1/missions?covers=JP", *OFFICES]),
        ("a mission's page", f"/missions/{POST}", f"/v1/missions/{POST}/{matches}",
         [f"/v1/missions/{POST}", f"/v1/missions/{POST}/changes?since=2026-11-01", *OFFICES]),
        ("the list of projects", "/projects", "/v1/projects?n=200", []),
        ("the missions", "/missions", "/v1/missions?n=200", []),
        ("the pipeline", "/pipeline", "/v1/assignments?n=200", ["/v1/reminders?n=5", "/v1/outcomes?n=50"]),
        ("contacts", "/pipeline/interactions", "/v1/interactions?n=50", []),
        ("files that were sent", "/imports", "/v1/imports?n=50", []),
    )  # fmt: skip
    for subject, page, call, more in again:
        yield subject, [page] * AGAIN, [call] * AGAIN, more


def _timed(port: int, key: str, subject: str, pages: list[str], calls: list[str], more: list[str]) -> Timing:
    if len(set(pages)) < len(pages):  # what is asked for again has been asked for before
        load(port, key, [*dict.fromkeys(pages), *dict.fromkeys(calls)])
    first, second = (load(port, key, paths, of=group(port)) for paths in (pages, calls))
    one, other = (told["processor_seconds"] / told["requests"] for told in (first, second))
    rest = 0.0
    if more:
        shown = json.loads(get(port, key, calls[0])).get("matches", [])
        names = {"project": "HCMC-034", "partner": "P288437fb"}
        paths = [p.format(**names) for p in more if p not in OFFICES]
        paths += [f"/v1/partners/{m['partner']['id']}/offices" for m in shown] if OFFICES[0] in more else []
        told = load(port, key, paths * TIMES, of=group(port))
        rest = told["processor_seconds"] / TIMES
    ratio = round(other / one, 3) if one else 0.0
    return Timing(
        subject=subject, baseline=f"its list from the API ({calls[0].partition('?')[0]})", ratio=ratio,
        spread=(ratio, ratio), subject_seconds=round(one, 5), baseline_seconds=round(other, 5),
        facts={
            "times_the_list": round(one / other, 2) if other else None,
            "times_all_calls": round(one / (other + rest), 2) if other + rest else None,
            "aim": AIM, "page": first, "call": second,
        },
    )  # fmt: skip
