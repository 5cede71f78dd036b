"""The city's projects: the list with filters, and one project with its facts and ranked partners."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import exposures, lists, present
from api.directory import Directory
from api.guard import GuardedRoute
from api.language import DEFAULT, environment
from api.pages import listing
from api.pages.rendering import Asked, Cursor, PageLang, PageSort, render
from api.schemas import Lang, Usd
from api.service import Service
from matcher.records import PARTNER_KINDS
from matcher.records import Query as Question
from matcher.text import fold

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

STATUS_ORDER = ("calling", "approved", "preparing", "proposed", "investor_selected", "under_construction", "operating")


@router.get("/projects")
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
        question = Question(project_id=project_id, sort=sort)
        found, failure = listing.found(request, question, shown, cursor=cursor, filters=filters)
        page = render(
            request, "project.html", shown,
            project=project, deals=lists.deals(directory, project_id=project_id),
            missing=present.missing_facts(project), weak=present.weak_points(project, directory.as_of),
            asked=given, paging=listing.paging(cursor, given, sort), options=_partner_options(directory, shown),
            **listing.context(request, found, failure),
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
