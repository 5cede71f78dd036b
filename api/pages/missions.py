"""The missions abroad: the list, and the home of one."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import exposures, lists
from api.guard import GuardedRoute
from api.language import DEFAULT
from api.pages import listing
from api.pages.rendering import Asked, Cursor, PageLang, PageSort, render
from api.schemas import Lang
from api.service import Service
from matcher.jobs.posts import ACCREDITATION_UNKNOWN
from matcher.records import Query as Question
from matcher.text import fold

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


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
        found, failure = listing.found(request, Question(mission_id=mission_id, sort=sort), shown, cursor=cursor)
        partners = directory.partners_by_country()
        page = render(
            request, "mission.html", shown,
            mission=mission, partners=partners, paging=listing.paging(cursor, {}, sort),
            told=found is not None and ACCREDITATION_UNKNOWN in found.notes,
            **listing.context(request, found, failure),
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")
