"""The pages: projects, one project with its partners, partners, missions. Plain HTML, no script."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import exposures, lists, present
from api.directory import Directory
from api.guard import GuardedRoute
from api.language import DEFAULT, environment, url
from api.schemas import MAX_CURSOR_CHARS, MAX_N, Lang, Usd
from api.service import Service
from matcher.errors import SourceError, StaleArtefactError
from matcher.jobs.posts import ACCREDITATION_UNKNOWN
from matcher.records import PARTNER_KINDS, Filters, MatchList, Sort
from matcher.records import Query as Question
from matcher.text import fold

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

MATCHES_SHOWN = 20
STATUS_ORDER = ("calling", "approved", "preparing", "proposed", "investor_selected", "under_construction", "operating")
PLAIN_PATHS = ("/v1", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static")

Asked = Annotated[str | None, Query(max_length=500)]
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR_CHARS)]
PageLang = Annotated[Lang | None, Query()]
PageSort = Annotated[Sort, Query()]
Compared = Annotated[str, Query(min_length=1, max_length=200)]


def wants_page(request: Request) -> bool:
    """A person with a browser asked, at an address of the page."""
    path = request.url.path
    plain = any(path == p or path.startswith(f"{p}/") for p in PLAIN_PATHS)
    return not plain and "text/html" in request.headers.get("accept", "")


def render(request: Request, template: str, lang: Lang, status: int = 200, **context: Any) -> HTMLResponse:
    """A page; the other language is one click away at the same place."""
    params = {k: request.query_params.getlist(k) for k in request.query_params if k != "lang"}
    switch = {code: url(request.url.path, code, params) for code in ("vi", "en")}
    text = (
        environment(lang)
        .get_template(template)
        .render(switch=switch, path=request.url.path, caller=getattr(request.state, "caller", None), **context)
    )
    headers = {"content-language": lang, "cache-control": "private, no-cache"}
    return HTMLResponse(text, status_code=status, headers=headers)


def error(
    request: Request, status: int, detail: str, more: Mapping[str, Any], headers: Mapping[str, str]
) -> HTMLResponse:
    """An error as a page: what was seen, what is expected, the way out."""
    lang: Lang = "en" if request.query_params.get("lang") == "en" else DEFAULT
    kind, *rest = request.url.path.strip("/").split("/")
    nearby = [(name.partition(" (")[0], name) for name in more.get("nearby") or []]
    page = render(
        request, "error.html", lang, status,
        detail=detail, code=status, kind=kind if len(rest) == 1 else None, nearby=nearby,
    )  # fmt: skip
    page.headers.update(headers)
    return page


@router.get("/")
async def projects_page(
    request: Request,
    q: Asked = None,
    sector: Asked = None,
    status: Asked = None,
    form: Asked = None,
    lang: PageLang = None,
    value_usd_min: Annotated[Usd | None, Query()] = None,
) -> Response:
    """Projects of the city: those that call for investors first."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        asked = {
            "sector": lists.split([sector]) if sector else (),
            "status": lists.split([status]) if status else (),
            "form": lists.split([form]) if form else (),
            "value_usd_min": value_usd_min,
        }
        words = lists.search_words(q) if q and q.strip() else None
        page = directory.page("projects", q=words, filters=asked, n=10_000, cursor=None)
        items = sorted(page.items, key=_project_order)
        return render(
            request, "projects.html", shown,
            projects=items, total=page.total, coverage=page.coverage,
            options=_project_options(directory, shown), directory=directory, as_of=directory.as_of,
            asked={"q": q or "", "sector": sector or "", "status": status or "", "form": form or ""},
        )  # fmt: skip

    return await service.run(work)


def _project_order(project: Mapping[str, Any]) -> tuple[int, float, str]:
    status = project["status"]
    place = STATUS_ORDER.index(status) if status in STATUS_ORDER else len(STATUS_ORDER)
    return place, -(project["value_usd_max"] or project["value_usd_min"] or 0.0), project["id"]


def _project_options(directory: Directory, lang: Lang) -> dict[str, list[tuple[str, str, int]]]:
    """Filter -> (value, name, number of projects) of the values that occur."""
    env = environment(lang)
    frame = directory.present_projects()
    found: dict[str, list[tuple[str, str, int]]] = {}
    for field in ("sector", "status", "form"):
        counted = [(r[field], r["count"]) for r in frame[field].drop_nulls().value_counts().iter_rows(named=True)]
        match field:
            case "sector":
                named = [(v, directory.sector_name(v, lang), n) for v, n in counted]
                found[field] = sorted(named, key=lambda o: fold(o[1]))
            case "status":
                order = {s: i for i, s in enumerate(STATUS_ORDER)}
                named = [(v, str(env.filters["status"](v)), n) for v, n in counted]
                found[field] = sorted(named, key=lambda o: (order.get(o[0], 99), o[0]))
            case _:
                found[field] = sorted(
                    ((v, str(env.filters["form"](v)), n) for v, n in counted), key=lambda o: fold(o[1])
                )
    return found


def _found(
    service: Service, question: Question, cursor: str | None, filters: Filters | None = None
) -> tuple[MatchList | None, str | None]:
    """The matches, or why there are none: facts are shown even while the engine is missing."""
    try:
        found = service.matchmaker.match(
            question, n=MATCHES_SHOWN, filters=filters or Filters(), as_of=None, cursor=cursor
        )
    except (SourceError, StaleArtefactError) as reason:
        return None, str(reason)
    return found, None


def _match_context(directory: Directory, found: MatchList | None, failure: str | None, lang: Lang) -> dict[str, Any]:
    return {
        "found": found,
        "failure": failure,
        "rows": [] if found is None else present.rows(found, directory, lang),
        "directory": directory,
        "as_of": directory.as_of if found is None else found.as_of,
    }


def _paging(cursor: str | None, asked: Mapping[str, str], sort: Sort) -> dict[str, Any]:
    """What the links to the next page and to the same rows as a file carry on: the filters and the order."""
    filters = {k: v for k, v in asked.items() if v}
    first = filters | ({} if sort == "partner" else {"sort": sort})
    query = urlencode([*first.items(), ("n", MAX_N)]) + "&"
    return {"cursor": cursor, "filters": filters, "first": first, "sort": sort, "query": query}


@router.get("/projects/{project_id}")
async def project_page(
    request: Request,
    project_id: str,
    country: Asked = None,
    kind: Asked = None,
    sector: Asked = None,
    cursor: Cursor = None,
    sort: PageSort = "partner",
    lang: PageLang = None,
) -> Response:
    """One project: facts with source, weak points, ranked partners with evidence."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> exposures.Served:
        directory = service.directory
        project = directory.get("projects", project_id)
        given = {"country": country or "", "kind": kind or "", "sector": sector or ""}
        filters = lists.filters_of(directory, {k: (v,) for k, v in given.items() if v}, mark="?")
        found, failure = _found(service, Question(project_id=project_id, sort=sort), cursor, filters)
        page = render(
            request, "project.html", shown,
            project=project, deals=lists.deals(directory, project_id=project_id),
            missing=present.missing_facts(project), weak=present.weak_points(project, directory.as_of),
            asked=given, paging=_paging(cursor, given, sort), options=_partner_options(directory, shown),
            **_match_context(directory, found, failure, shown),
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")


def _partner_options(directory: Directory, lang: Lang) -> dict[str, list[tuple[str, str, int]]]:
    frame = directory.facts.partners
    env = environment(lang)
    count = {f: dict(frame[f].drop_nulls().value_counts().iter_rows()) for f in ("country", "kind")}
    countries = [(c, directory.country_name(c, lang), n) for c, n in count["country"].items()]
    kinds = [(k, str(env.filters["kind"](k)), count["kind"].get(k, 0)) for k in PARTNER_KINDS if k in count["kind"]]
    return {
        "country": sorted(countries, key=lambda o: fold(o[1])),
        "kind": kinds,
        "sector": [(s, directory.sector_name(s, lang), 0) for s in sorted(directory.city_sectors)],
    }


@router.get("/projects/{project_id}/compare")
async def compare_page(project_id: str, first: Compared, second: Compared, lang: PageLang = None) -> Response:
    """To the page of the first partner, compared with the second; a form cannot write into a path."""
    path = f"/projects/{quote(project_id, safe='')}/partners/{quote(first, safe='')}"
    return RedirectResponse(url(path, lang or DEFAULT, {"against": second}), status_code=303)


@router.get("/projects/{project_id}/partners/{partner_id}")
async def pair_page(
    request: Request, project_id: str, partner_id: str, against: Asked = None, lang: PageLang = None
) -> Response:
    """One pair: the full evidence, and what sets it apart from the next candidate or from the one `against`."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        project, partner = directory.get("projects", project_id), directory.get("partners", partner_id)
        explained = service.matchmaker.explain(project_id, partner_id, against=against or None)
        return render(
            request, "pair.html", shown,
            project=project, partner=partner, directory=directory, as_of=explained.match.as_of,
            **present.explanation(explained, directory, shown),
        )  # fmt: skip

    return await service.run(work)


@router.get("/partners/{partner_id}")
async def partner_page(
    request: Request, partner_id: str, cursor: Cursor = None, sort: PageSort = "partner", lang: PageLang = None
) -> Response:
    """One partner: facts with source, where it works, its deals, ranked projects."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> exposures.Served:
        directory = service.directory
        partner = directory.get("partners", partner_id)
        found, failure = _found(service, Question(partner_id=partner_id, sort=sort), cursor)
        home = directory.countries.get(partner["country"] or "", {})
        page = render(
            request, "partner.html", shown,
            partner=partner, local_lang=present.local_language(partner["name_local"], home.get("languages")),
            paging=_paging(cursor, {}, sort), deals=lists.deals(directory, partner_id=partner_id),
            places=lists.footprint(directory, partner_id),
            **_match_context(directory, found, failure, shown),
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")


@router.get("/missions")
async def missions_page(request: Request, q: Asked = None, lang: PageLang = None) -> Response:
    """The missions abroad with the countries each covers."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> Response:
        directory = service.directory
        words = lists.search_words(q) if q and q.strip() else None
        page = directory.page("missions", q=words, filters={}, n=10_000, cursor=None)
        items = sorted(
            page.items, key=lambda m: (fold(directory.country_name(m["country"], shown)), m["type"], m["id"])
        )
        known = sum(1 for m in page.items if m["accreditation_known"])
        return render(
            request, "missions.html", shown,
            missions=items, total=page.total, known=known, directory=directory, as_of=directory.as_of, q=q or "",
        )  # fmt: skip

    return await service.run(work)


@router.get("/missions/{mission_id}")
async def mission_page(
    request: Request, mission_id: str, cursor: Cursor = None, sort: PageSort = "partner", lang: PageLang = None
) -> Response:
    """One mission: the countries it covers and the pairs for them; what is missing is named."""
    service = Service.of(request)
    shown: Lang = lang or DEFAULT

    def work() -> exposures.Served:
        directory = service.directory
        mission = directory.get("missions", mission_id)
        found, failure = _found(service, Question(mission_id=mission_id, sort=sort), cursor)
        partners = directory.partners_by_country()
        page = render(
            request, "mission.html", shown,
            mission=mission, partners=partners, paging=_paging(cursor, {}, sort),
            told=found is not None and ACCREDITATION_UNKNOWN in found.notes,
            **_match_context(directory, found, failure, shown),
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")
