"""What every page shares: when a page is asked for, how one is made, errors as pages, and what was just done."""

import re
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from fastapi import Query, Request
from starlette.responses import HTMLResponse

from api.directory import Directory
from api.guard import caller_of
from api.language import DEFAULT, environment, url
from api.pages import telling
from api.pages.helping import HELP
from api.schemas import MAX_CURSOR_CHARS, Lang
from api.service import Service
from matcher.identity import Caller
from matcher.records import Sort

PLAIN_PATHS = ("/v1", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static")

Asked = Annotated[str | None, Query(max_length=500)]
Cursor = Annotated[str | None, Query(max_length=MAX_CURSOR_CHARS)]
PageLang = Annotated[Lang | None, Query()]
PageSort = Annotated[Sort, Query()]

_DONE = re.compile(r"([a-z]{3,20})\.([A-Za-z0-9][A-Za-z0-9._-]{0,99})", re.ASCII)
_CITY = ("officer", "admin")


class Done(NamedTuple):
    """What the reader did on the page before: the kind of record, its identifier, and a key to undo it once."""

    what: str
    id: str
    key: str


def wants_page(request: Request) -> bool:
    """A person with a browser asked, at an address of the page."""
    path = request.url.path
    plain = any(path == p or path.startswith(f"{p}/") for p in PLAIN_PATHS)
    return not plain and "text/html" in request.headers.get("accept", "")


def home_of(caller: Caller) -> str:
    """Where a caller's day begins."""
    if caller.role == "mission":
        return f"/missions/{caller.mission_id}"
    return "/analysis" if caller.role == "analyst" else "/projects"


def acts(caller: Caller | None) -> bool:
    """The caller has a pipeline: an office that works with partners, which analysts do not."""
    return caller is not None and caller.role in ("mission", *_CITY)


def of_city(caller: Caller | None) -> bool:
    """The caller works for the city: projects and imports are theirs to write."""
    return caller is not None and caller.role in _CITY


def render(request: Request, template: str, lang: Lang, status: int = 200, **context: Any) -> HTMLResponse:
    """A page; the other language is one click away at the same place."""
    return answer(text_of(request, template, lang, **context), lang, status)


def answer(page: str | bytes, lang: Lang, status: int = 200) -> HTMLResponse:
    """A page that is drawn already, as it is sent."""
    headers = {"content-language": lang, "cache-control": "private, no-cache"}
    return HTMLResponse(page, status_code=status, headers=headers)


def text_of(request: Request, template: str, lang: Lang, **context: Any) -> str:
    """A template filled with what every page knows of its reader, and with `context`."""
    params = {k: request.query_params.getlist(k) for k in request.query_params if k not in ("lang", "done")}
    switch = {code: url(request.url.path, code, params) for code in ("vi", "en")}
    caller = getattr(request.state, "caller", None)
    records = Service.of(request).opened_directory
    office = "" if caller is None or records is None else records.mission_name(caller.mission_id, lang)
    return (
        environment(lang)
        .get_template(template)
        .render(
            switch=switch, path=request.url.path, here=switch[lang], me=caller, acts=acts(caller),
            of_city=of_city(caller), home=None if caller is None else home_of(caller), done=_done(request), helps=HELP,
            tell=partial(telling.sentence, lang=lang), office=office,
            **context,
        )
    )  # fmt: skip


def _done(request: Request) -> Done | None:
    found = _DONE.fullmatch(request.query_params.get("done", ""))
    return None if found is None else Done(found[1], found[2], uuid.uuid4().hex)


def error(
    request: Request, status: int, detail: str, more: Mapping[str, Any], headers: Mapping[str, str]
) -> HTMLResponse:
    """An error as a page: what was seen, what is expected, the way out."""
    lang = lang_of(request)
    kind, *rest = request.url.path.strip("/").split("/")
    records = Service.of(request).opened_directory
    nearby = []
    for told in more.get("nearby") or ():
        record_id = told.partition(" (")[0]
        nearby.append((record_id, told if records is None or len(rest) != 1 else _named(records, kind, told, lang)))
    page = render(
        request, "error.html", lang, status,
        detail=detail, code=status, kind=kind if len(rest) == 1 else None, nearby=nearby,
    )  # fmt: skip
    page.headers.update(headers)
    return page


def _named(records: Directory, kind: str, told: str, lang: Lang) -> str:
    """The name of a record that is told as 'id (name)', in the language of the page."""
    record_id, _, name = told.removesuffix(")").partition(" (")
    match kind:
        case "projects":
            return records.project_name(record_id, lang)
        case "missions":
            return records.mission_name(record_id, lang) or name
        case "countries":
            return records.country_name(record_id, lang)
        case _:
            return name or told


def lang_of(request: Request) -> Lang:
    """The language that the address asks for; Vietnamese where it asks for none."""
    return "en" if request.query_params.get("lang") == "en" else DEFAULT


def local_path(address: str) -> str | None:
    """The address if it is a path of this site, so that nobody is sent elsewhere."""
    parts = urlsplit(address)
    plain = address.startswith("/") and not address.startswith("//") and "\\" not in address and address.isprintable()
    return address if plain and not parts.scheme and not parts.netloc else None


def is_own_mission(request: Request, mission_id: str) -> bool:
    """The caller is of this mission."""
    return caller_of(request).mission_id == mission_id
