"""Pages of public facts alone are drawn once for each reading of the facts, and sent with the reader's own frame."""

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.directory import Directory
from api.guard import caller_of
from api.pages.listing import Drawings
from api.pages.rendering import render
from api.schemas import Lang
from api.service import Service

_PARTS = (
    ("title", "<title>", " · "),
    ("body", "<!-- main -->", "<!-- /main -->"),
    ("foot", "<!-- foot -->", "<!-- /foot -->"),
)
"""What a page has of its own, and what stands around it in the frame."""


def render_kept(
    request: Request, template: str, lang: Lang, make: Callable[[Directory], Mapping[str, Any]]
) -> HTMLResponse:
    """A page whose content is the same for every reader of one role, office and right to export; `make` gives it.

    What it shows of the reader may depend on these three only. A page with a form that writes is never kept.
    """
    caller, directory = caller_of(request), Service.of(request).directory
    drawings: Drawings = request.app.state.drawings
    if "done" in request.query_params:
        return render(request, template, lang, **make(directory))
    reader = (caller.role, caller.mission_id, caller.may_export)
    key = (directory.mark, template, request.url.path, request.url.query, lang, reader)
    parts = drawings.get(key)
    if parts is not None:
        return render(request, "kept.html", lang, **parts)
    page = render(request, template, lang, **make(directory))
    text = bytes(page.body).decode()
    parts = {name: Markup(_between(text, before, after)) for name, before, after in _PARTS}  # noqa: S704 - a template's own output
    if 'method="post"' not in parts["body"]:
        drawings.put(key, parts)
    return page


def _between(text: str, before: str, after: str) -> str:
    """What stands between two marks, the first of each."""
    return text.partition(before)[2].partition(after)[0].removeprefix("\n")
