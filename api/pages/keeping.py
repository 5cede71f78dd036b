"""Pages are drawn once for each state of what they tell; each reader gets his own frame and what only he may know.

What only the reader may know stands in holes, which a template marks with comments:
`<!-- hole NAME -->what stands there else<!-- /hole -->`. Values are escaped, so no record can make such a mark.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.directory import Directory
from api.guard import caller_of
from api.pages.listing import Drawings
from api.pages.rendering import answer, text_of
from api.schemas import Lang
from api.service import Service

_HOLE = re.compile(r"<!-- hole ([a-z0-9 ]+) -->(.*?)<!-- /hole -->", re.DOTALL)
_FORM = 'method="post"'
_SENDS = 'form="shortlist"'
"""A button of a list sends the form that the frame holds, which carries the reader's own token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """A page without its frame, as it is sent; of `body` every third piece from the second is a hole's name."""

    title: Markup
    body: tuple[bytes, ...]
    foot: bytes
    sends: bool


def render_kept(
    request: Request, template: str, lang: Lang, make: Callable[[Directory], Mapping[str, Any]], *,
    directory: Directory | None = None, of: tuple[object, ...] | None = (), holes: Mapping[str, str] | None = None,
) -> HTMLResponse:  # fmt: skip
    """A page whose content is the same for every reader of one role, office and right to export; `make` gives it.

    What it shows of the reader may depend on these three only, but for its holes. A page with a form of its own that
    writes is never kept.

    Args:
        directory: the records where the caller has them already.
        of: what the content is made of beside the facts; None: it is not kept.
        holes: what stands in holes for this reader, as HTML; the others stay as they were drawn.
    """
    caller = caller_of(request)
    drawings: Drawings = request.app.state.drawings
    directory = directory or Service.of(request).directory
    reader = (caller.role, caller.mission_id, caller.may_export)
    asked = urlencode([(k, v) for k, v in request.query_params.multi_items() if k != "done"])
    key = (directory.mark, of, template, request.url.path, asked, lang, reader)
    drawn: _Drawn | None = None if of is None else drawings.get(key)
    if drawn is None:
        page = text_of(request, template, lang, **make(directory))
        body = _between(page, "main")
        drawn = _Drawn(
            title=Markup(_title(page)), body=tuple(piece.encode() for piece in _HOLE.split(body)),  # noqa: S704 - a template's own output
            foot=_between(page, "foot").encode(), sends=_SENDS in body,
        )  # fmt: skip
        if of is not None and _FORM not in body:
            drawings.put(key, drawn)
    return answer(_joined(request, lang, drawn, holes or {}), lang)


def _joined(request: Request, lang: Lang, drawn: _Drawn, holes: Mapping[str, str]) -> bytes:
    """The page in the frame of its reader."""
    frame = text_of(request, "kept.html", lang, title=drawn.title, sends=drawn.sends)
    before, rest = frame.split("<!-- main -->")
    middle, after = rest.split("<!-- foot -->")
    pieces = [before.encode()]
    for at, piece in enumerate(drawn.body):
        match at % 3:
            case 1:
                filled = holes.get(piece.decode())
            case 2 if filled is not None:
                pieces.append(filled.encode())
            case _:
                pieces.append(piece)
    return b"".join([*pieces, middle.encode(), drawn.foot, after.encode()])


def _title(page: str) -> str:
    """A page's own title, without the name of the site that the frame adds."""
    return page.partition("<title>")[2].partition("</title>")[0].rpartition(" · ")[0]


def _between(page: str, mark: str) -> str:
    """What stands between two marks, the first of each."""
    return page.partition(f"<!-- {mark} -->")[2].partition(f"<!-- /{mark} -->")[0].removeprefix("\n")
