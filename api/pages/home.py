"""Where a reader's day begins, and the page that shows every component of the design."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.guard import GuardedRoute, caller_of
from api.language import DEFAULT, url
from api.pages.forms import gone_on
from api.pages.helping import FOR_ANALYSTS
from api.pages.rendering import PageLang, home_of, render

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)


@router.get("/")
async def home_page(request: Request, lang: PageLang = None) -> Response:
    """To the projects, the own mission, or the evaluation: whatever the reader works with."""
    return gone_on(url(home_of(caller_of(request)), lang or DEFAULT))


@router.get("/design")
async def design_page(request: Request, lang: PageLang = None) -> Response:
    """Every token and component once, so that pages are built of them and of nothing else."""
    return render(request, "design.html", lang or DEFAULT)


@router.get("/help")
async def help_page(request: Request, lang: PageLang = None) -> Response:
    """Every figure explained."""
    return render(request, "help.html", lang or DEFAULT, analysts=FOR_ANALYSTS)
