"""What has lain too long."""

from datetime import date
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from api import pipeline
from api import schemas_pipeline as s
from api import shapes_pipeline as shapes
from api.answers import Listed, flatten, table
from api.filters import cursor_of, foreign, start_after
from api.guard import GuardedRoute
from api.lists import TABLE_FORMATS
from api.service import Service
from matcher.store import reminders

_PLACE = TypeAdapter(tuple[int, date | None, int, str, str])
"""Number of the kind, since when, identifier, partner and project: the order of the list."""

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

    def page(wanted: s.ReminderParams) -> Listed:
        with Service.of(request).acting(request) as acting:
            day = wanted.as_of or reminders.today(acting.cursor)
            # The day is part of the search: a cursor of yesterday would skip what became due since.
            digest = pipeline.digest_of(["reminders", kinds, day])
            after = None if wanted.cursor is None else _place(wanted.cursor, digest)
            items, total, place = reminders.due(acting.cursor, as_of=day, kinds=kinds, n=wanted.n, after=after)
        content = {
            "reminders": items, "total": total, "filters": {"kind": kinds}, "as_of": day,
            "next": None if place is None else cursor_of(digest, orjson.dumps(place).decode()),
        }  # fmt: skip
        return content, [flatten(i) for i in items]

    return table(request, params, page, name="reminders", columns=COLUMNS)


def _place(cursor: str, digest: str) -> list[Any]:
    """Where the page before ended.

    Raises:
        InputError: the cursor is damaged or was given for another search.
    """
    try:
        return list(_PLACE.validate_json(start_after(cursor, digest)))
    except ValidationError:
        raise foreign(cursor) from None
