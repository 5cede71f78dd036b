"""What has lain too long."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import pipeline
from api import schemas_pipeline as s
from api import shapes_pipeline as shapes
from api.filters import cursor_of, start_after
from api.guard import GuardedRoute
from api.lists import TABLE_FORMATS
from api.service import Service
from matcher.store import reminders

router = APIRouter(prefix="/v1/reminders", tags=["pipeline"], route_class=GuardedRoute)

COLUMNS = (
    "kind", "why", "id", "mission_id", "partner_id", "partner_name", "project_id", "project_name_vi",
    "project_name_en", "since", "days",
)  # fmt: skip


@router.get("", response_model=shapes.ReminderList, responses=TABLE_FORMATS)
async def list_reminders(request: Request, params: Annotated[s.ReminderParams, Query()]) -> Response:
    """Stale contacts, outcomes that wait for verification, stale facts: of your own pipeline, longest waiting first."""
    return await Service.of(request).run(_listed, request, params)


def _listed(request: Request, params: s.ReminderParams) -> Response:
    asked = pipeline.choice(params.kind, reminders.REMINDERS, "?kind")
    kinds = tuple(k for k in reminders.REMINDERS if k in asked or not asked)
    with Service.of(request).acting(request) as acting:
        day = params.as_of or reminders.today(acting.cursor)
        # The day is part of the search: a cursor of yesterday would skip what became due since.
        digest = pipeline.digest_of(["reminders", kinds, day])
        after: list[Any] | None = None
        if params.cursor is not None:
            after = orjson.loads(start_after(params.cursor, digest))
        items, total, place = reminders.due(acting.cursor, as_of=day, kinds=kinds, n=params.n, after=after)
    content = {
        "reminders": items, "total": total, "filters": {"kind": kinds}, "as_of": day,
        "next": None if place is None else cursor_of(digest, orjson.dumps(place).decode()),
    }  # fmt: skip
    return pipeline.table(request, content, "reminders", params, COLUMNS)
