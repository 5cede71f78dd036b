"""Partners: one with its facts, where it works, its deals and the projects that fit it."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import exposures, lists, present
from api.guard import GuardedRoute
from api.language import DEFAULT
from api.pages import listing
from api.pages.rendering import Cursor, PageLang, PageSort, render
from api.schemas import Lang
from api.service import Service
from matcher.records import Query as Question

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


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
        found, failure = listing.found(request, Question(partner_id=partner_id, sort=sort), shown, cursor=cursor)
        home = directory.countries.get(partner["country"] or "", {})
        page = render(
            request, "partner.html", shown,
            partner=partner, local_lang=present.local_language(partner["name_local"], home.get("languages")),
            paging=listing.paging(cursor, {}, sort), deals=lists.deals(directory, partner_id=partner_id),
            places=lists.footprint(directory, partner_id),
            **listing.context(request, found, failure),
        )  # fmt: skip
        return exposures.Served(response=page, found=found, lang=shown)

    return await exposures.answer(request, work, channel="page")
