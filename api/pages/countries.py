"""Countries: where partners are at home, and the public matches of one."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import exposures
from api.directory import Directory
from api.guard import GuardedRoute
from api.language import DEFAULT, _
from api.pages import geography, listing
from api.pages.keeping import render_kept
from api.pages.rendering import Asked, Cursor, PageLang, PageSort
from api.schemas import Lang
from api.service import Service
from matcher.errors import NotFoundError
from matcher.records import PARTNER_KINDS
from matcher.records import Query as Question
from matcher.text import fold, nfc

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

LEVELS = {
    "special_relationship": _("quan hệ đặc biệt"),
    "comprehensive_strategic": _("đối tác chiến lược toàn diện"),
    "extensive_strategic": _("đối tác chiến lược sâu rộng"),
    "strategic": _("đối tác chiến lược"),
    "comprehensive": _("đối tác toàn diện"),
    "sectoral_strategic": _("đối tác chiến lược theo lĩnh vực"),
    "eu_comprehensive_strategic": _("đối tác chiến lược toàn diện với Liên minh châu Âu"),
}
TIES = {
    "partnership": _("quan hệ đối tác"),
    "fta": _("thương mại tự do"),
    "bit": _("bảo hộ đầu tư"),
    "dta": _("tránh đánh thuế hai lần"),
    "visa": _("miễn thị thực đơn phương"),
}
TIE_STATES = {
    "in_force": _("đang có hiệu lực"),
    "signed": _("đã ký, chưa rõ hiệu lực"),
    "terminated": _("đã chấm dứt"),
    "current": _("hiện hành"),
    "superseded": _("đã được nâng cấp"),
    "unknown": _("chưa rõ hiệu lực"),
}
_OWN_LEVELS = tuple(LEVELS)[:-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One country in the list: `ties` are the kinds of treaty in force, `level` its own current partnership."""

    code: str
    name: str
    partners: int
    missions: Sequence[Mapping[str, Any]]
    level: str | None
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
            "with_partners": len(counts), "names": (LEVELS, TIES), "directory": directory, "as_of": directory.as_of,
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
        missions = directory.page("missions", q=None, filters={"covers": (code,)}, n=1000, cursor=None).items
        kinds = _kinds(directory, code)
        compiled = sum(n for _kind, n in kinds)
        return {
            "country": directory.countries[code], "name": directory.country_name(code, shown), "missions": missions,
            "kinds": kinds, "compiled": compiled, "ties": _ties_of(directory, code),
            "names": (LEVELS, TIES, TIE_STATES), "seats": geography.seats(directory, missions, shown),
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
        for covered in mission["covers"]:
            missions[covered["country"]].append(mission)
    ties = defaultdict(list)
    for tie in directory.facts.reference.country_ties.iter_rows(named=True):
        ties[tie["country"]].append(tie)
    lines = [
        Line(
            code=code, name=directory.country_name(code, lang), partners=partners.get(code, 0),
            missions=missions[code], level=_level(ties[code]), ties=_in_force(ties[code]),
        )
        for code in sorted({*partners, *missions, *ties} - {"VN"})
    ]  # fmt: skip
    return sorted(lines, key=lambda line: (-line.partners, fold(line.name)))


def _level(ties: Sequence[Mapping[str, Any]]) -> str | None:
    current = [t["level"] for t in ties if t["kind"] == "partnership" and t["status"] == "current"]
    return next((level for level in current if level in _OWN_LEVELS), current[0] if current else None)


def _in_force(ties: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    held = {t["kind"] for t in ties if t["status"] == "in_force"}
    return tuple(kind for kind in TIES if kind in held)


def _ties_of(directory: Directory, code: str) -> list[dict[str, Any]]:
    """The ties of a country by kind, those that count now first, newest first."""
    order, past = list(TIES), ("superseded", "terminated")
    rows = [t for t in directory.facts.reference.country_ties.iter_rows(named=True) if t["country"] == code]
    rows.sort(key=lambda t: str(t["in_force_on"] or t["signed_on"] or ""), reverse=True)
    return sorted(rows, key=lambda t: (t["status"] in past, order.index(t["kind"]) if t["kind"] in order else 9))


def _kinds(directory: Directory, code: str) -> list[tuple[str, int]]:
    """Kind -> number of partners at home in the country, in the usual order of kinds."""
    partners = directory.facts.partners
    count = Counter(partners["kind"].filter(partners["country"] == code).to_list())
    return [(kind, count[kind]) for kind in PARTNER_KINDS if count[kind]]


def _told(directory: Directory, code: str) -> str:
    """What a country is found by: code and names, folded."""
    row = directory.countries.get(code, {})
    return fold(" ".join(str(row.get(k) or "") for k in ("country", "iso3", "name_vi", "name_en", "capital")))
