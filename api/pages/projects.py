"""The city's projects: the list with filters, and one project with its facts and ranked partners."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import exposures, lists, present
from api.directory import Directory
from api.guard import GuardedRoute
from api.language import DEFAULT, environment, url
from api.pages import forms, listing
from api.pages.keeping import render_kept
from api.pages.listing import Options
from api.pages.rendering import Asked, Cursor, PageLang, PageSort
from api.pictures import maps
from api.schemas import MAX_N, Lang
from api.service import Service
from matcher.errors import SourceError, StaleArtefactError
from matcher.records import Query as Question
from matcher.text import fold

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

STATUS_ORDER = ("calling", "approved", "preparing", "proposed", "investor_selected", "under_construction", "operating")
MILLION = 1e6
MOST_MILLIONS = 1e9

Paper = Annotated[Literal["1", "short"] | None, Query(alias="print")]
"""The page as a document: `1` with the full evidence of the first rows, `short` without."""


@router.get("/projects")
async def projects_page(
    request: Request,
    q: Asked = None,
    sector: Asked = None,
    status: Asked = None,
    form: Asked = None,
    country: Asked = None,
    green: Asked = None,
    value_min: Asked = None,
    value_max: Asked = None,
    paper: Paper = None,
    lang: PageLang = None,
) -> Response:
    """Projects of the city: those that call for investors first; values are asked for in millions of US dollars."""
    shown: Lang = lang or DEFAULT

    def content(directory: Directory) -> dict[str, Any]:
        typed = {"value_min": value_min or "", "value_max": value_max or ""}
        amounts = {name: _millions(text, shown) for name, text in typed.items()}
        wrong = {name for name, text in typed.items() if text.strip() and amounts[name] is None}
        given = {"sector": sector, "status": status, "form": form, "country": country}
        asked: dict[str, Any] = {k: lists.split([v]) if v else () for k, v in given.items()}
        asked |= {"green": True if green == "true" else None}
        asked |= {f"value_usd_{name[-3:]}": amount for name, amount in amounts.items()}
        words = lists.search_words(q) if q and q.strip() else None
        page = directory.page("projects", q=words, filters=asked, n=10_000, cursor=None)
        chosen = {"q": q or "", **{k: v or "" for k, v in given.items()}, "green": "true" if asked["green"] else ""}
        file = {**chosen, **{k: f"{v:.0f}" for k, v in asked.items() if k.startswith("value_usd") and v}, "n": MAX_N}
        return {
            "projects": sorted(page.items, key=_project_order), "total": page.total, "coverage": page.coverage,
            "options": _project_options(directory, shown), "directory": directory, "as_of": directory.as_of,
            "asked": chosen | typed, "wrong": wrong, "paper": paper,
            "fresh": {p["id"]: present.freshness(p, directory.as_of) for p in page.items},
            "places": {p["id"]: maps.place_names(p["place"], shown) for p in page.items},
            "here_printed": url("/projects", shown, {**chosen, **typed, "print": "1"}),
            "file": {f: url("/v1/projects", DEFAULT, {**file, "format": f}) for f in ("xlsx", "csv")}, "most": MAX_N,
        }  # fmt: skip

    return await Service.of(request).run(render_kept, request, "projects.html", shown, content)


def _millions(text: str, lang: Lang) -> float | None:
    """US dollars of an amount in millions as readers of `lang` write it; None where it is no such amount."""
    try:
        amount = float(forms.number_of(text, lang))
    except ValueError:
        return None
    return amount * MILLION if 0 < amount < MOST_MILLIONS else None


def _project_order(project: Mapping[str, Any]) -> tuple[int, float, str]:
    status = project["status"]
    place = STATUS_ORDER.index(status) if status in STATUS_ORDER else len(STATUS_ORDER)
    return place, -(project["value_usd_max"] or project["value_usd_min"] or 0.0), project["id"]


def _project_options(directory: Directory, lang: Lang) -> Options:
    env = environment(lang)
    frame = directory.present_projects()
    order = {s: i for i, s in enumerate(STATUS_ORDER)}
    found: Options = {}
    for field in ("sector", "status", "form", "country"):
        counted = [(r[field], r["count"]) for r in frame[field].drop_nulls().value_counts().iter_rows(named=True)]
        match field:
            case "sector":
                named = [(v, directory.sector_name(v, lang), n) for v, n in counted]
            case "country":
                named = [(v, directory.country_name(v, lang), n) for v, n in counted]
            case _:
                named = [(v, str(env.filters[field](v)), n) for v, n in counted]
        if field == "status":
            found[field] = sorted(named, key=lambda o: (order.get(o[0], 99), o[0]))
        else:
            found[field] = sorted(named, key=lambda o: fold(o[1]))
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
    paper: Paper = None,
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
        making, found, failure = _is_new(service, project_id), None, None
        if not making:
            found, failure = listing.found(
                request, question, shown, cursor=cursor, filters=filters, opened=listing.SHOWN if paper == "1" else 0,
                n=listing.PRINTED if paper else listing.SHOWN,
            )  # fmt: skip
        here = f"/projects/{project_id}"

        def content(_: Directory) -> dict[str, Any]:
            return {
                "project": project, "deals": lists.deals(directory, project_id=project_id),
                "missing": present.missing_facts(project), "weak": present.weak_points(project, directory.as_of),
                "fresh": present.freshness(project, directory.as_of), "places": maps.places_of(project["place"]),
                "asked": given, "paging": listing.paging(cursor, given, sort),
                "options": listing.partner_options(request, directory, shown),
                "filtered": _named(directory, given, shown), "paper": paper, "making": making,
                "opened": listing.SHOWN,
                "printed": {p: url(here, shown, {**given, "sort": sort, "print": p}) for p in ("short", "1")},
                **listing.context(request, directory, found, failure),
            }  # fmt: skip

        page = render_kept(
            request, "project.html", shown, content, directory=directory, of=None if found is None else found.key,
            holes=listing.touched(request, directory, found, shown, paper=paper),
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")


def _is_new(service: Service, project_id: str) -> bool:
    """The project was written a moment ago, and the engine has yet to take it in; the page does not wait for that."""
    maker = service.matchmaker
    try:
        behind = maker.revision < maker.store.revision()
        return behind and project_id not in set(maker.facts.projects["project_id"])
    except (SourceError, StaleArtefactError):  # no engine: the list tells so
        return False


def _named(directory: Directory, given: Mapping[str, str], lang: Lang) -> Sequence[str]:
    """The filters in words, for the head of a printed list."""
    names = {
        "country": lambda v: directory.country_name(v.upper(), lang), "kind": environment(lang).filters["kind"],
        "sector": lambda v: directory.sector_name(v, lang),
    }  # fmt: skip
    return [str(names[k](v)) for k, v in given.items() if v]
