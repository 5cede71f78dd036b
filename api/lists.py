"""What the routes of lists and matches have in common: parameters in, rows out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
from starlette.requests import Request
from starlette.responses import Response

from api.answers import MEDIA, Listed, flatten, made_before, rows, table, wanted_format
from api.directory import Directory
from api.exposures import Served
from api.schemas import Lang, ListParams, MatchParams, MatchRequest, UnsavedPartner, UnsavedProject
from api.service import Keeping, Service
from matcher.errors import InputError
from matcher.jobs import asking, sheets
from matcher.records import FORMS, PARTNER_KINDS, PROJECT_STATUSES, TABLES, Filters, MatchList, Query
from matcher.text import nfc

if TYPE_CHECKING:
    from matcher.jobs.pairs import ServedList

TABLE_FORMATS: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA["csv"]: {}, MEDIA["xlsx"]: {}}, "description": "One page; the same rows in each format"}
}
_PAGING = frozenset(ListParams.model_fields)
_MATCH_FILTERS = frozenset(Filters.__dataclass_fields__)

_COLUMNS: dict[str, tuple[str, ...]] = {
    "projects": (
        "id", "name_vi", "name_en",
        *(c for c in TABLES["projects"].columns if c not in ("project_id", "name_vi", "name_en")),
    ),
    "partners": ("id", *(c for c in TABLES["partners"].columns if c != "partner_id")),
    "missions": (
        "id", "name_vi", "name_en", "type", "country", "city", "status", "confidence", "note", "covers",
        "accreditation_known", "source", "source_on", "licence",
    ),
    "sectors": (
        "id", "scheme", "name_vi", "name_en", "level", "parent", "isic", "green", "open_projects", "partners", "source",
        "source_on", "licence",
    ),
}  # fmt: skip


def split(values: Iterable[str]) -> tuple[str, ...]:
    """Alternatives of one filter: `a,b` and repeated parameters alike, in order, once each."""
    return tuple(dict.fromkeys(part.strip() for value in values for part in value.split(",")))


def answer(request: Request, kind: str, params: ListParams) -> Response:
    """One page of the records of a kind, in the format asked for."""
    directory = Service.of(request).directory
    asked = {k: split(v) if isinstance(v, list) else v for k, v in params.model_dump().items() if k not in _PAGING}
    q = None if params.q is None else search_words(params.q)

    def one(wanted: ListParams) -> Listed:
        page = directory.page(kind, q=q, filters=asked, n=wanted.n, cursor=wanted.cursor)
        content = {
            kind: page.items,
            "total": page.total,
            "filters": {"q": q, **page.filters},
            "coverage": page.coverage,
            "as_of": directory.as_of.isoformat(),
            "next": page.next,
        }
        return content, [flatten(i) | ({"covers": _countries(i)} if kind == "missions" else {}) for i in page.items]

    return table(request, params, one, name=kind, columns=_COLUMNS[kind])


def search_words(q: str) -> str:
    """The normalised words to search for.

    Raises:
        InputError: there is none.
    """
    clean = nfc(q)
    if not clean:
        raise InputError("?q has no visible character", [{"pointer": "?q", "seen": "blank", "expected": "a word"}])
    return clean


def _countries(mission: Mapping[str, Any]) -> str:
    return "|".join(c["country"] for c in mission["covers"])


def filters_of(directory: Directory, asked: Mapping[str, Any], *, mark: str) -> Filters:
    """The filters of a question about matches, checked against the tables.

    Args:
        asked: field -> values, flag or amount.
        mark: what precedes a field's name in an error's pointer: `?` or `/filters/`.

    Raises:
        InputError: a value is unknown; names those nearby.
    """
    values: dict[str, Any] = {
        k: split(v) if isinstance(v, (list, tuple)) else v for k, v in asked.items() if k in _MATCH_FILTERS
    }
    values["country"] = tuple(directory.country(c, f"{mark}country") for c in values.get("country") or ())
    values["sector"] = tuple(directory.sector(s, f"{mark}sector") for s in values.get("sector") or ())
    values["region"] = tuple(directory.region(r, f"{mark}region") for r in values.get("region") or ())
    for name, known in (("kind", PARTNER_KINDS), ("form", FORMS), ("status", PROJECT_STATUSES)):
        values[name] = tuple(directory.choice(v, set(known), f"{mark}{name}") for v in values.get(name) or ())
    return Filters(**values)


def find(request: Request, query: Query, params: MatchParams) -> MatchList:
    """The matches for a query."""
    service = Service.of(request)
    filters = filters_of(service.directory, params.model_dump(), mark="?")
    asked = replace(query, sort=params.sort)
    return service.matchmaker.match(asked, n=params.n, filters=filters, as_of=params.as_of, cursor=params.cursor)


def matches(request: Request, query: Query, params: MatchParams) -> Served:
    """The matches for a query, in the format asked for; the list goes on record before it is sent."""
    service = Service.of(request)
    lang = language(request, params.lang)
    kept = _kept(request, query, params, lang)
    if kept is not None:
        return Served(response=made_before(request, kept.body, kept.next), found=kept, lang=lang)
    found = find(request, query, params)
    response = rows(
        request, found.to_json(lang), wanted=wanted_format(request, params.format), name="matches",
        csv=lambda: sheets.to_csv(sheets.rows(found, lang)).encode(),
        xlsx=lambda: sheets.to_xlsx(found, lang, asked_of(service.directory, query, lang)),
    )  # fmt: skip
    return Served(response=response, found=found, lang=lang)


def at_hand(request: Request, query: Query, params: MatchParams) -> Served | None:
    """The same list where it lies ready in memory, so that no worker has to be waited for."""
    maker, lang = Service.of(request).opened_matchmaker, language(request, params.lang)
    if not isinstance(maker, Keeping) or not _plain(request, params):
        return None
    found = maker.at_hand(query, n=params.n, cursor=params.cursor, lang=lang)
    return (
        None if found is None else Served(response=made_before(request, found.body, found.next), found=found, lang=lang)
    )


def _kept(request: Request, query: Query, params: MatchParams, lang: Lang) -> "ServedList | None":
    """A page of today's list without filters, made before; None where the engine has to answer."""
    maker = Service.of(request).matchmaker
    if not isinstance(maker, Keeping) or not _plain(request, params):
        return None
    return maker.kept(query, n=params.n, cursor=params.cursor, lang=lang)


def _plain(request: Request, params: MatchParams) -> bool:
    """Nothing but a page, as JSON, is asked for."""
    asked = params.model_fields_set - {"n", "cursor", "lang", "format"}
    return wanted_format(request, params.format) == "json" and not any(
        getattr(params, name) != type(params).model_fields[name].get_default(call_default_factory=True)
        for name in asked
    )


def asked_of(directory: Directory, query: Query, lang: Lang) -> str:
    """What was asked, in the names of the records."""
    if query.project_id is not None:
        return f"{directory.shelves['projects'].names.get(query.project_id, '')} ({query.project_id})"
    if query.partner_id is not None:
        return f"{directory.shelves['partners'].names.get(query.partner_id, '')} ({query.partner_id})"
    if query.mission_id is not None:
        return f"{directory.shelves['missions'].names.get(query.mission_id, '')} ({query.mission_id})"
    names = [directory.countries[c][f"name_{lang}"] for c in query.countries or ()]
    return query.text or ", ".join(names)


def language(request: Request, asked: Lang | None) -> Lang:
    """`lang=` when given, else the first of Vietnamese and English in Accept-Language, else English."""
    if asked is not None:
        return asked
    best: tuple[float, Lang] = (0.0, "en")
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, param = part.strip().lower().partition(";")
        quality = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", param)
        weight = 1.0 if not param else float(quality[1]) if quality else 0.0
        code = tag.partition("-")[0]
        if code in ("vi", "en") and weight > best[0]:
            best = (weight, cast(Lang, code))
    return best[1]


# What belongs to a record


def deals(
    directory: Directory, *, project_id: str | None = None, partner_id: str | None = None
) -> list[dict[str, Any]]:
    """Deals of a project or a partner, latest first, undated last."""
    key, value = ("project_id", project_id) if project_id is not None else ("partner_id", partner_id)
    frame = directory.facts.deals.filter(pl.col(key) == value).sort(
        "closed_on", "deal_id", descending=[True, False], nulls_last=True
    )
    projects = {
        r["project_id"]: {"vi": r["name_vi"], "en": r["name_en"]}
        for r in directory.facts.projects.filter(pl.col("project_id").is_in(frame["project_id"].to_list())).iter_rows(
            named=True
        )
    }
    return [
        {
            **{k: r[k] for k in ("deal_id", "project_id")},
            "project_name": projects.get(r["project_id"]),
            "partner_id": r["partner_id"],
            "partner_name": directory.shelves["partners"].names.get(r["partner_id"]),
            **{k: r[k] for k in ("role", "status", "closed_on", "closed_precision", "value_usd")},
            **{k: r[k] for k in ("source", "source_on", "licence")},
        }
        for r in frame.iter_rows(named=True)
    ]


def footprint(directory: Directory, partner_id: str) -> list[dict[str, Any]]:
    """Countries where a partner works, Vietnam first, then by code."""
    frame = directory.facts.footprint.filter(pl.col("partner_id") == partner_id)
    keys = ("country", "what", "relation", "evidence", "on", "on_precision", "source", "source_on", "licence")
    found = [{k: r[k] for k in keys} for r in frame.iter_rows(named=True)]
    return sorted(found, key=lambda r: (r["country"] != "VN", r["country"], r["what"] or ""))


# Something that is not in the database


def unsaved(directory: Directory, asked: MatchRequest) -> tuple[Query, Filters]:
    """The query for free text or an unsaved record.

    Raises:
        InputError: not exactly one of the three is given, a text is empty or too long, a code is unknown.
    """
    given = [k for k in ("text", "project", "partner") if getattr(asked, k) is not None]
    if len(given) != 1:
        expected = "exactly one of text, project, partner"
        seen = ", ".join(given) or "none of them"
        raise InputError(
            f"The body has {seen}; expected {expected}.", [{"pointer": "", "seen": seen, "expected": expected}]
        )
    filters = filters_of(directory, asked.filters.model_dump(), mark="/filters/")
    if asked.project is not None:
        return Query(draft_project=_draft_project(directory, asked.project), sort=asked.sort), filters
    if asked.partner is not None:
        return Query(draft_partner=_draft_partner(directory, asked.partner), sort=asked.sort), filters
    return Query(text=_written(asked.text or "", "/text"), sort=asked.sort), filters


def _draft_project(directory: Directory, project: UnsavedProject) -> dict[str, Any]:
    """The columns of `TABLES["projects"]` that are given."""
    draft: dict[str, Any] = {"name_vi": _written(project.name, "/project/name")}
    if project.description is not None:
        draft["description"] = _written(project.description, "/project/description")
    if project.sector is not None:
        sector = directory.sector(project.sector, "/project/sector")
        draft["sector"] = sector
        draft["isic"] = list(directory.city_sectors[sector]["isic"]) if sector in directory.city_sectors else [sector]
    if project.isic:
        draft["isic"] = [directory.isic_code(c, f"/project/isic/{i}") for i, c in enumerate(project.isic)]
    if project.country is not None:
        draft["country"] = directory.country(project.country, "/project/country")
    if project.value_usd is not None:
        draft["value_usd_min"] = draft["value_usd_max"] = float(project.value_usd)
    if project.form is not None:
        draft["form"] = directory.choice(project.form, set(FORMS), "/project/form")
    return draft


def _draft_partner(directory: Directory, partner: UnsavedPartner) -> dict[str, Any]:
    """The columns of `TABLES["partners"]` that are given; a sector that is no code is read as words."""
    draft: dict[str, Any] = {"name": _written(partner.name, "/partner/name")}
    if partner.kind is not None:
        draft["kind"] = directory.choice(partner.kind, set(PARTNER_KINDS), "/partner/kind")
    if partner.sector is not None:
        sector = _written(partner.sector, "/partner/sector")
        draft["sector"] = directory.sector_name(sector, "en")
        if sector in directory.city_sectors:
            draft["isic"] = list(directory.city_sectors[sector]["isic"])
        elif sector in directory.isic:
            draft["isic"] = [sector]
    if partner.country is not None:
        draft["country"] = directory.country(partner.country, "/partner/country")
    if partner.description is not None:
        draft["description"] = _written(partner.description, "/partner/description")
    return draft


def _written(text: str, pointer: str) -> str:
    """The normalised text.

    Raises:
        InputError: it is empty or too long.
    """
    try:
        return asking.free_text(text)
    except InputError as error:
        errors = [{**e, "pointer": pointer} for e in error.errors]
        raise InputError(f"{pointer}: {error}", errors) from None
