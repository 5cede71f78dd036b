"""What has lain too long."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import pipeline
from api import schemas_pipeline as s
from api import shapes_pipeline as shapes
from api.answers import Listed, flatten, table
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

    def page(wanted: s.ReminderParams) -> Listed:
        with Service.of(request).acting(request) as acting:
            due = pipeline.due(acting, asked, as_of=wanted.as_of, n=wanted.n, cursor=wanted.cursor)
        content = {
            "reminders": due.items, "total": due.total, "filters": {"kind": due.kinds}, "as_of": due.as_of,
            "next": due.next,
        }  # fmt: skip
        return content, [flatten(i) for i in due.items]

    return table(request, params, page, name="reminders", columns=COLUMNS)
