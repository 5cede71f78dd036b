"""Countries: where partners are at home, and the public matches of one."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import exposures
from api.directory import Directory
from api.guard import GuardedRoute
from api.language import DEFAULT
from api.pages import geography, listing, treaties
from api.pages.keeping import render_kept
from api.pages.rendering import Asked, Cursor, PageLang, PageSort
from api.schemas import Lang
from api.service import Service
from matcher.errors import NotFoundError
from matcher.jobs.posts import PERMANENT
from matcher.records import PARTNER_KINDS
from matcher.records import Query as Question
from matcher.text import fold, nfc

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

_TYPES = ("embassy", "economic_cultural_office", "consulate_general", "consulate", "other", PERMANENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One country in the list: `ties` are the kinds of treaty in force, `level` its own current partnership.

    `union`: there is a partnership with the European Union, of which it is a member.
    """

    code: str
    name: str
    partners: int
    missions: Sequence[Mapping[str, Any]]
    level: str | None
    union: bool
    ties: Sequence[str]


@router.get("/countries")
async def countries_page(request: Request, q: Asked = None, lang: PageLang = None) -> Response:
    """Countries with partners, missions or ties, those with most partners first."""
    shown: Lang = lang or DEFAULT

    def content(directory: Directory) -> dict[str, Any]:
        lines = _lines(directory, shown)
        counts: dict[str, float | None] = {line.code: float(line.partners) for line in lines if line.partners}
        words = fold(nfc(q or "")).split()
        return {
            "lines": [line for line in lines if all(w in _told(directory, line.code) for w in words)],
            "total": len(lines), "q": q or "", "unplaced": directory.facts.partners["country"].null_count(),
            "shades": geography.shaded(directory, counts, shown), "partners": directory.facts.partners.height,
            "with_partners": len(counts), "names": (treaties.LEVELS, treaties.TIES), "directory": directory,
            "as_of": directory.as_of,
        }  # fmt: skip

    return await Service.of(request).run(render_kept, request, "countries.html", shown, content)


@router.get("/countries/{iso2}")
async def country_page(
    request: Request, iso2: str, cursor: Cursor = None, sort: PageSort = "partner", lang: PageLang = None
) -> Response:
    """One country: what is known of it, the missions that cover it, and the pairs with its partners."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> exposures.Served:
        directory = service.directory
        code = _known(directory, iso2)
        found, failure = listing.found(request, Question(countries=(code,), sort=sort), shown, cursor=cursor)
        page = render_kept(
            request, "country.html", shown, lambda _: content(directory, code, found, failure), directory=directory,
            of=None if found is None else found.key, holes=listing.touched(request, directory, found, shown),
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    def content(directory: Directory, code: str, found: listing.Listing | None, failure: str | None) -> dict[str, Any]:
        found_posts = directory.page("missions", q=None, filters={"covers": (code,)}, n=1000, cursor=None).items
        posts = embassies_first(found_posts, code)
        missions = [m for m in posts if m["type"] != PERMANENT]
        kinds = _kinds(directory, code)
        compiled = sum(n for _kind, n in kinds)
        return {
            "country": directory.countries[code], "name": directory.country_name(code, shown), "missions": missions,
            "kinds": kinds, "compiled": compiled, "ties": _ties_of(directory, code),
            "organisations": [m for m in posts if m["type"] == PERMANENT], "names": (treaties.TIES, treaties.STATES),
            "seats": geography.seats(directory, missions, shown), "capitals_km": geography.capitals_km(directory, code),
            "shades": geography.shaded(directory, {code: float(compiled)}, shown),
            "paging": listing.paging(cursor, {}, sort), **listing.context(request, directory, found, failure),
        }  # fmt: skip

    return await exposures.answer(request, work, channel="page")


def _known(directory: Directory, code: str) -> str:
    """A country's code in capitals.

    Raises:
        NotFoundError: there is none; names those nearby.
    """
    if code.upper() in directory.countries:
        return code.upper()
    near = directory.countries_near(code[:100])
    hint = f" Nearby: {'; '.join(near)}." if near else ""
    raise NotFoundError(f'No country has the code "{code[:100]}".{hint}', near)


def _lines(directory: Directory, lang: Lang) -> list[Line]:
    partners = directory.partners_by_country()
    missions = defaultdict(list)
    for mission in directory.page("missions", q=None, filters={}, n=10_000, cursor=None).items:
        for covered in mission["covers"] if mission["type"] != PERMANENT else ():
            missions[covered["country"]].append(mission)
    ties = defaultdict(list)
    for tie in directory.facts.reference.country_ties.iter_rows(named=True):
        ties[tie["country"]].append(tie)
    lines = [
        Line(
            code=code, name=directory.country_name(code, lang), partners=partners.get(code, 0),
            missions=embassies_first(missions[code], code), level=held[0], union=held[1],
            ties=treaties.in_force(ties[code]),
        )
        for code in sorted({*partners, *missions, *ties} - {"VN"})
        for held in (treaties.level(ties[code]),)
    ]  # fmt: skip
    return sorted(lines, key=lambda line: (-line.partners, fold(line.name)))


def embassies_first(missions: Iterable[Mapping[str, Any]], country: str) -> list[Mapping[str, Any]]:
    """Posts seated in the country before those accredited from elsewhere; embassies, then consulates."""
    return sorted(
        missions,
        key=lambda m: (m["country"] != country, _TYPES.index(m["type"]) if m["type"] in _TYPES else 9, m["id"]),
    )


def _ties_of(directory: Directory, code: str) -> list[treaties.Tie]:
    """The ties of a country in words."""
    rows = directory.facts.reference.country_ties.iter_rows(named=True)
    return treaties.told([t for t in rows if t["country"] == code])


def _kinds(directory: Directory, code: str) -> list[tuple[str, int]]:
    """Kind -> number of partners at home in the country, in the usual order of kinds."""
    partners = directory.facts.partners
    count = Counter(partners["kind"].filter(partners["country"] == code).to_list())
    return [(kind, count[kind]) for kind in PARTNER_KINDS if count[kind]]


def _told(directory: Directory, code: str) -> str:
    """What a country is found by: code and names, folded."""
    row = directory.countries.get(code, {})
    return fold(" ".join(str(row.get(k) or "") for k in ("country", "iso3", "name_vi", "name_en", "capital")))
