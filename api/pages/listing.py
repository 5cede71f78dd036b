"""Lists of matches on a page: drawn once for each state of engine, facts and day, with what only the reader may know.

A drawn list is kept in memory, so that a page that was made before costs little more than the same list from the API.
How the reader's office stands with each partner is put in for every request and never kept.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request

from api import present
from api.directory import Directory
from api.guard import caller_of
from api.language import environment
from api.pages.rendering import acts, text_of
from api.schemas import MAX_N, Lang
from api.service import Keeping, Service
from matcher.errors import SourceError, StaleArtefactError
from matcher.records import PARTNER_KINDS, Filters, MatchList, Query, Sort
from matcher.store import offices
from matcher.store.feedback import Item
from matcher.store.offices import UNTOUCHED, Standing
from matcher.text import fold

SHOWN = 20
"""Matches on a page."""
PRINTED = 100
"""Matches of the print view."""
KEPT = 100
"""Drawings that a process keeps, of at most about 1 MB each."""
_CUT, _END = "<!-- standing -->", "<!-- row -->"
"""Where in a drawn row the reader's own standing belongs, and where a row ends."""

_ALL = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnRow:
    """One match as HTML, cut where the reader's standing belongs."""

    rank: int
    project_id: str
    project_name: str
    partner_id: str
    partner_name: str
    country: str | None
    before: Markup
    after: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A drawn list, and what the record of shown lists needs of it (`matcher.store.feedback.Kept`)."""

    key: tuple[object, ...] | None
    """What it was made of and for; None where nobody can tell, so that nothing made of it is kept."""
    engine: str
    as_of: date
    revision: int | None
    query: Query
    filters: Filters
    n: int
    offset: int
    candidates: int
    items: Sequence[Item]
    rows: Sequence[DrawnRow]
    coverage: Mapping[str, float]
    notes: Sequence[Mapping[str, str]]
    ahead: Mapping[str, str] | None
    next: str | None
    abstained: str | None
    """Why no row has a probability, where the reason is the same for all; else each row tells its own."""
    chances: bool
    """Some row has a probability."""
    summary: Markup
    """Of a project's first page: why the first is ahead, what speaks against it, how sure the engine is."""


class Drawings:
    """What a process keeps drawn, lists and parts of pages; threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], Any] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> Any:
        """What is kept under that key; None where nothing is."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[object, ...], made: object) -> None:
        """It is kept; what was asked for longest ago may go."""
        with self._lock:
            self._kept[key] = made
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def found(
    request: Request, query: Query, lang: Lang, *, n: int = SHOWN, cursor: str | None = None, filters: Filters = _ALL,
    opened: int = 0,
) -> tuple[Listing | None, str | None]:  # fmt: skip
    """The list, or why there is none: facts are shown even while the engine is missing.

    Args:
        opened: so many rows, from the first, have their full evidence open, for paper.
    """
    service = Service.of(request)
    kept: Drawings = request.app.state.drawings
    try:
        maker = service.matchmaker
        key: tuple[object, ...] | None = None
        if isinstance(maker, Keeping):
            key = (*maker.stamp(query), query, filters, n, cursor, lang, opened)
            before: Listing | None = kept.get(key)
            if before is not None:
                return before, None
        served = (
            maker.kept(query, n=n, cursor=cursor, lang=lang) if isinstance(maker, Keeping) and filters == _ALL else None
        )
        if served is None:
            made = maker.match(query, n=n, filters=filters, as_of=None, cursor=cursor)
        else:
            from matcher.jobs import rereading  # noqa: PLC0415 - pulls numpy and LightGBM; not for --help

            made = rereading.match_list(served, lang)
    except (SourceError, StaleArtefactError) as reason:
        return None, str(reason)
    drawn = _drawn(service, made, lang, key, opened=opened)
    if key is not None:
        kept.put(key, drawn)
    return drawn, None


def _drawn(
    service: Service, made: MatchList, lang: Lang, key: tuple[object, ...] | None, *, opened: int
) -> Listing:  # fmt: skip
    directory = service.directory
    template = environment(lang).get_template("match_rows.html")
    asked = made.query
    told = present.rows(made, directory, lang)
    abstained = present.abstained(told)
    shown = {
        "show_project": asked.project_id is None, "show_partner": asked.partner_id is None, "opened": opened,
        "odds": abstained is None,
    }  # fmt: skip
    rows = []
    drawn = iter(template.render(rows=told, directory=directory, **shown).split(_END))
    for row in told:
        before, _, after = next(drawn).partition(_CUT)
        m = row.match
        rows.append(
            DrawnRow(
                rank=m.rank, project_id=m.project_id, project_name=row.project_name, partner_id=m.partner_id,
                partner_name=m.partner_name, country=m.partner_country, before=Markup(before), after=Markup(after),  # noqa: S704 - a template's own output
            )
        )  # fmt: skip
    items = [
        (m.rank, m.project_id, m.partner_id, m.score, None if m.probability is None else m.probability.value)
        for m in made.matches
    ]
    return Listing(
        key=key, engine=made.engine, as_of=made.as_of, revision=made.revision, query=asked, filters=made.filters,
        n=made.n, offset=made.offset, candidates=made.candidates, items=items, rows=rows, coverage=made.coverage,
        notes=made.notes, ahead=made.ahead, next=made.next, abstained=abstained,
        chances=any(row.match.probability is not None for row in told), summary=_summary(made, told, lang),
    )  # fmt: skip


def _summary(made: MatchList, rows: Sequence[present.Row], lang: Lang) -> Markup:
    """What a first-time reader should know of a project's list; nothing of other lists and further pages."""
    if made.query.project_id is None or not rows or rows[0].match.rank != 1:
        return Markup()
    template = environment(lang).get_template("first.html")
    text = template.render(first=rows[0], ahead=made.ahead, candidates=made.candidates)
    return Markup(text)  # noqa: S704 - a template's own output


def standings(request: Request, partner_ids: Sequence[str]) -> Mapping[str, Standing]:
    """How the reader's office stands with these partners; of callers without a pipeline nothing."""
    if not partner_ids or not acts(caller_of(request)):
        return {}
    with Service.of(request).acting(request) as acting:
        return offices.standing(acting.cursor, partner_ids)


def touched(
    request: Request, directory: Directory, listing: Listing | None, lang: Lang, *, paper: str | None = None,
    known: Mapping[str, Standing] | None = None,
) -> dict[str, str]:  # fmt: skip
    """What stands in a list's holes: of partners whom some office works with, how the reader's office stands with them.

    Args:
        paper: the list is printed, so that nothing can be done from it.
        known: how it stands, where the caller has asked already.
    """
    rows = () if listing is None else listing.rows
    known = standings(request, [row.partner_id for row in rows]) if known is None else known
    chosen = [(i, row) for i, row in enumerate(rows) if known.get(row.partner_id, UNTOUCHED) != UNTOUCHED]
    if not chosen:
        return {}
    text = text_of(
        request, "standings.html", lang, touched=[(row, known[row.partner_id]) for _, row in chosen],
        covered=covered(request, directory), directory=directory, paper=paper,
    )  # fmt: skip
    cells = text.split("<!-- cell -->")
    return {f"standing {i}": cell for (i, _), cell in zip(chosen, cells, strict=False)}


def covered(request: Request, directory: Directory) -> frozenset[str] | None:
    """The countries whose partners the reader's office may work on; None: all of them."""
    mission_id = caller_of(request).mission_id
    if mission_id is None:
        return None
    if mission_id not in directory.shelves["missions"].names:
        return frozenset()
    return frozenset(c["country"] for c in directory.get("missions", mission_id)["covers"])


def context(request: Request, directory: Directory, listing: Listing | None, failure: str | None) -> dict[str, Any]:
    """What the template `matches.html` needs of a list."""
    return {
        "found": listing,
        "failure": failure,
        "rows": () if listing is None else listing.rows,
        "untouched": UNTOUCHED if acts(caller_of(request)) else None,
        "directory": directory,
        "covered": covered(request, directory),
        "as_of": directory.as_of if listing is None else listing.as_of,
    }


Options = dict[str, list[tuple[str, str, int]]]
"""Filter -> (value, name, number of records) of the values that occur."""


def partner_options(request: Request, directory: Directory, lang: Lang) -> Options:
    """What filters of partners offer: the same on every page of one reading of the facts."""
    drawings: Drawings = request.app.state.drawings
    key = (directory.mark, "partner options", lang)
    kept: Options | None = drawings.get(key)
    if kept is None:
        kept = _counted_options(directory, lang)
        drawings.put(key, kept)
    return kept


def _counted_options(directory: Directory, lang: Lang) -> Options:
    """Home countries and the city's sectors by name, kinds in their usual order."""
    sectors = {s["id"]: s["partners"] for s in directory.shelves["sectors"].frame.iter_rows(named=True)}
    named = ((s, directory.sector_name(s, lang), sectors.get(s, 0)) for s in directory.city_sectors)
    kind_name = environment(lang).filters["kind"]
    kinds = dict(directory.facts.partners["kind"].drop_nulls().value_counts().iter_rows())
    countries = [(c, directory.country_name(c, lang), n) for c, n in directory.partners_by_country().items()]
    return {
        "country": sorted(countries, key=lambda o: fold(o[1])),
        "kind": [(k, str(kind_name(k)), kinds[k]) for k in PARTNER_KINDS if k in kinds],
        "sector": sorted(named, key=lambda o: fold(o[1])),
    }


def paging(cursor: str | None, asked: Mapping[str, str], sort: Sort = "partner") -> dict[str, Any]:
    """What the links to the next page and to the same rows as a file carry on: the filters and the order."""
    filters = {k: v for k, v in asked.items() if v}
    first = filters | ({} if sort == "partner" else {"sort": sort})
    query = urlencode([*first.items(), ("n", MAX_N)]) + "&"
    return {"cursor": cursor, "filters": filters, "first": first, "sort": sort, "query": query}
