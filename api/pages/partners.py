"""Partners: found by name and by meaning, and one with its facts, who works on it and the projects that fit it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import exposures, lists, present
from api.directory import Directory
from api.guard import GuardedRoute
from api.language import DEFAULT
from api.pages import geography, listing
from api.pages.keeping import render_kept
from api.pages.rendering import Asked, Cursor, PageLang, PageSort, render, text_of
from api.schemas import Lang
from api.service import Service
from matcher.errors import SourceError, StaleArtefactError
from matcher.matching.labels import ROLE_NAMES
from matcher.records import MatchList
from matcher.records import Query as Question
from matcher.store.offices import Standing
from matcher.store.pipeline_rows import ASSIGNMENT, INTERACTION
from matcher.store.pipeline_rows import page as page_of
from matcher.text import fold

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

SHOWN = 25
"""Partners on a page of those found by name."""
BY_MEANING = 10
OWN_RECORDS = 5
"""Contacts and pieces of work that the page of a partner shows; the pipeline has the rest."""
COVERED = ("country", "kind", "sector", "ticket_usd_min", "description")

PageNumber = Annotated[int, Query(ge=1, le=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecords:
    """What the reader's office has on record about a partner, newest first, and how many there are of each."""

    contacts: Sequence[Mapping[str, Any]]
    contacts_total: int
    work: Sequence[Mapping[str, Any]]
    work_total: int


@router.get("/partners")
async def partners_page(
    request: Request, q: Asked = None, country: Asked = None, kind: Asked = None, sector: Asked = None,
    page: PageNumber = 1, lang: PageLang = None,
) -> Response:  # fmt: skip
    """Partners whose names and facts hold the words, and those whose business means the same in any language."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> exposures.Served:
        directory = service.directory
        asked = {"q": (q or "").strip(), "country": country or "", "kind": kind or "", "sector": sector or ""}
        filters = {k: (asked[k],) for k in ("country", "kind", "sector") if asked[k]}
        words = lists.search_words(asked["q"]) if asked["q"] else None
        named = directory.page("partners", q=words, filters=filters, n=10_000, cursor=None)
        items = _best_names_first(named.items, words)[(page - 1) * SHOWN : page * SHOWN]
        alike, failure = (None, None) if words is None or page > 1 else _by_meaning(service, directory, words, filters)
        rows = [] if alike is None else present.rows(alike, directory, shown)
        ids = [i["id"] for i in items] + [row.match.partner_id for row in rows]
        made = render(
            request, "partners.html", shown,
            items=items, total=named.total, coverage={k: named.coverage[k] for k in COVERED if k in named.coverage},
            page=page, pages=-(-named.total // SHOWN), asked=asked,
            options=listing.partner_options(request, directory, shown),
            business=lambda item: _business(directory, item, shown),
            alike=rows, failure=failure, found=alike,
            standings=listing.standings(request, ids), directory=directory, as_of=directory.as_of,
            local_lang=lambda item: _local_language(directory, item),
        )  # fmt: skip
        return exposures.Served(response=made, found=alike, lang=shown)

    return await exposures.answer(request, work, channel="page")


def _by_meaning(
    service: Service, directory: Directory, words: str, filters: Mapping[str, Sequence[str]]
) -> tuple[MatchList | None, str | None]:
    """Partners for the words as a free text, or why there are none."""
    checked = lists.filters_of(directory, filters, mark="?")
    try:
        return service.matchmaker.match(
            Question(text=words), n=BY_MEANING, filters=checked, as_of=None, cursor=None
        ), None
    except (SourceError, StaleArtefactError) as reason:
        return None, str(reason)


def _best_names_first(items: Sequence[dict[str, Any]], words: str | None) -> Sequence[dict[str, Any]]:
    """Names that begin with the words, names that hold them, then those where another fact does; each by name."""
    sought = fold(words or "")

    def place(item: Mapping[str, Any]) -> tuple[int, str, str]:
        names = [fold(n) for n in (item["name"], item["name_local"]) if n]
        held = 1 if any(all(w in n for w in sought.split()) for n in names) else 2
        return 0 if any(n.startswith(sought) for n in names) else held, fold(item["name"]), item["id"]

    return sorted(items, key=place)


def _business(directory: Directory, partner: Mapping[str, Any], lang: Lang) -> str:
    """What a partner does, as its division of ISIC is called; in English its source's own word says it."""
    codes = partner["isic"] or ()
    return directory.sector_name(codes[0], lang) if codes and lang != "en" else ""


def _activities(directory: Directory, partner: Mapping[str, Any], lang: Lang) -> list[str]:
    """The activities on record by name."""
    names = {r["tag"]: r[f"name_{lang}"] for r in directory.facts.reference.activity_tags.iter_rows(named=True)}
    return [names.get(tag) or tag for tag in partner["activities"] or ()]


@dataclass(frozen=True, slots=True, kw_only=True)
class What:
    """What a partner does in a place: its role in a deal, and a text, which may be the source's own in English."""

    role: str | None
    text: str
    of_source: bool


def _vietnamese(directory: Directory) -> dict[str, str]:
    """What our tables call in Vietnamese what they have in English, folded."""
    reference = directory.facts.reference
    return {"port terminals": "Cảng biển"} | {
        fold(r["name_en"]): r["name_vi"]
        for table in (reference.activity_tags, reference.city_sectors) for r in table.iter_rows(named=True)
    }  # fmt: skip


def _what(named: Mapping[str, str], written: str | None, lang: Lang) -> What:
    """A note on a place in the reader's language where our tables (`_vietnamese`) have the very words."""
    before, colon, after = (written or "").partition(": ")
    role = before.replace(" ", "_") if colon else None
    if role not in ROLE_NAMES:
        role, after = None, written or ""
    if lang == "en":
        return What(role=role, text=after, of_source=False)
    known = named.get(fold(after))
    return What(role=role, text=known or after, of_source=known is None and bool(after))


def _local_language(directory: Directory, partner: Mapping[str, Any]) -> str | None:
    home = directory.countries.get(partner["country"] or "", {})
    return present.local_language(partner["name_local"], home.get("languages"))


@router.get("/partners/{partner_id}")
async def partner_page(
    request: Request, partner_id: str, cursor: Cursor = None, sort: PageSort = "partner", lang: PageLang = None
) -> Response:
    """One partner: facts with source, who works on it, where it works, its deals, ranked projects."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> exposures.Served:
        directory = service.directory
        partner = directory.get("partners", partner_id)
        found, failure = listing.found(request, Question(partner_id=partner_id, sort=sort), shown, cursor=cursor)

        def content(_: Directory) -> dict[str, Any]:
            places, named = lists.footprint(directory, partner_id), _vietnamese(directory)
            return {
                "partner": partner, "local_lang": _local_language(directory, partner),
                "paging": listing.paging(cursor, {}, sort), "deals": lists.deals(directory, partner_id=partner_id),
                "places": [
                    (p, _what(named, p["what"], shown), present.freshness(p, directory.as_of) != "confirmed")
                    for p in places
                ],
                "business": _business(directory, partner, shown), "activities": _activities(directory, partner, shown),
                "footprint": _footprint(directory, partner, places, shown),
                **listing.context(request, directory, found, failure),
            }  # fmt: skip

        known = listing.standings(request, [partner_id])
        standing = known.get(partner_id)
        offices = text_of(
            request, "partner_offices.html", shown, partner=partner, directory=directory, standing=standing,
            own=_own_records(request, partner_id, standing),
        )  # fmt: skip
        page = render_kept(
            request, "partner.html", shown, content, directory=directory, of=None if found is None else found.key,
            holes={**listing.touched(request, directory, found, shown, known=known), "offices": offices},
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")


def _footprint(
    directory: Directory, partner: Mapping[str, Any], places: Sequence[Mapping[str, Any]], lang: Lang
) -> Any:
    """Countries where a partner is recorded, shaded by the number of records; home is marked; None without any."""
    home = partner["country"]
    count: Counter[str] = Counter(p["country"] for p in places if p["country"] and p["country"] != home)
    numbers = {c: float(n) for c, n in count.items()}
    return geography.shaded(directory, numbers, lang, home=home) if count or home else None


def _own_records(request: Request, partner_id: str, standing: Standing | None) -> OwnRecords | None:
    """Contacts and work of the reader's office; None for callers without a pipeline, or with nothing on record."""
    if standing is None:
        return None
    with Service.of(request).acting(request) as acting:
        of_partner = {"partner_id": (partner_id,)}
        contacts = page_of(acting.cursor, INTERACTION, filters=of_partner, n=OWN_RECORDS)
        work = page_of(acting.cursor, ASSIGNMENT, filters=of_partner, n=OWN_RECORDS)
    return OwnRecords(contacts=contacts.items, contacts_total=contacts.total, work=work.items, work_total=work.total)
