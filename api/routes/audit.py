"""Who changed what, when and from where."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import pipeline
from api import schemas_pipeline as s
from api import shapes_pipeline as shapes
from api.answers import Listed, table, to_json
from api.filters import cursor_of
from api.guard import GuardedRoute
from api.lists import TABLE_FORMATS, split
from api.nearby import unknown
from api.service import Service
from matcher.store import trail

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=GuardedRoute)

COLUMNS = ("id", "at", "actor", "account_id", "action", "origin", "request_id", "details", "old", "new")


@router.get("", response_model=shapes.AuditList, responses=TABLE_FORMATS)
async def list_audit(request: Request, params: Annotated[s.AuditParams, Query()]) -> Response:
    """What was changed, newest first: by whom, when, from where, and what stood there before and after."""
    return await Service.of(request).run(_listed, request, params)


def _listed(request: Request, params: s.AuditParams) -> Response:
    filters = {
        "actor": split(params.actor), "action": split(params.action),
        "account_id": tuple(_number(v) for v in split(params.account_id)), "since": params.since,
        "until": params.until,
    }  # fmt: skip
    asked = {k: v for k, v in filters.items() if v not in (None, ())}
    digest = pipeline.digest_of(["audit", asked])

    def page(wanted: s.AuditParams) -> Listed:
        with Service.of(request).acting(request) as acting:
            before = pipeline.start_before(wanted.cursor, digest)
            found = trail.audit(acting.cursor, filters=asked, n=wanted.n, before=before)
        content = {
            "audit": found.items, "total": found.total, "filters": asked,
            "next": None if found.next is None else cursor_of(digest, str(found.next)),
        }  # fmt: skip
        return content, [
            i | {k: None if i[k] is None else to_json(i[k]).decode() for k in ("details", "old", "new")}
            for i in found.items
        ]

    return table(request, params, page, name="audit", columns=COLUMNS)


def _number(text: str) -> int:
    """The number of an account, as `12` or `u12`."""
    digits = text.removeprefix("u")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise unknown(text, "?account_id", "the number of an account, such as 12", [])
    return int(digits)
