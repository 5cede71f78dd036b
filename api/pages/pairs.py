"""One project with one partner: the full evidence, and what sets partners apart."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api import present
from api.guard import GuardedRoute
from api.language import DEFAULT, url
from api.pages.rendering import Asked, PageLang, render
from api.schemas import Lang
from api.service import Service

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

Compared = Annotated[str, Query(min_length=1, max_length=200)]


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
