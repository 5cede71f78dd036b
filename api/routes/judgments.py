"""What people think of a pair."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request
from starlette.responses import Response

from api import feedback_shapes as shapes
from api import pipeline, writes
from api.answers import Listed, flatten, table
from api.filters import cursor_of
from api.guard import GuardedRoute, caller_of
from api.lists import TABLE_FORMATS, split
from api.nearby import unknown
from api.security import json_only
from api.service import Service
from api.shapes import Problem
from matcher.store import feedback_pages
from matcher.store.feedback import HIGHEST, LOWEST

router = APIRouter(prefix="/v1/judgments", tags=["feedback"], route_class=GuardedRoute)

COLUMNS = tuple(shapes.Judgment.model_fields)
GRADES = tuple(str(g) for g in range(LOWEST, HIGHEST + 1))
EXAMPLE = {"project_id": "HCMC-001", "partner_id": "P288437fb", "grade": 2, "reason": "Runs ports of this size"}


@router.get("", response_model=shapes.JudgmentList, responses=TABLE_FORMATS)
async def list_judgments(request: Request, params: Annotated[shapes.JudgmentParams, Query()]) -> Response:
    """Judgments of your office, newest first; analysts see those of all. The newest of each judge on a pair counts."""
    return await Service.of(request).run(_listed, request, params)


@router.post(
    "",
    status_code=201,
    response_model=shapes.Judgment,
    responses={409: {"model": Problem, "description": "The Idempotency-Key was used for another request"}},
    dependencies=[Depends(json_only), Depends(writes.keyed)],
)
async def create_judgment(
    request: Request, body: Annotated[shapes.NewJudgment, Body(openapi_examples={"example": {"value": EXAMPLE}})]
) -> Response:
    """Say how well a partner fits a project, from 0 to 3; what you said of the pair before is superseded."""
    return await Service.of(request).run(_created, request, body)


def _listed(request: Request, params: shapes.JudgmentParams) -> Response:
    asked: dict[str, Any] = {k: split(getattr(params, k)) for k in ("project_id", "partner_id", "judged_by")}
    asked |= {
        "mission_id": split(params.mission_id), "grade": tuple(_grade(g) for g in split(params.grade)),
        "since": params.since, "until": params.until, "history": params.history or None,
    }  # fmt: skip
    asked = {k: v for k, v in asked.items() if v not in (None, ())}
    digest = pipeline.digest_of(["judgments", asked])

    def page(wanted: shapes.JudgmentParams) -> Listed:
        with Service.of(request).acting(request) as acting:
            found = feedback_pages.judgments(
                acting.cursor, filters={k: v for k, v in asked.items() if k != "history"}, n=wanted.n,
                before=pipeline.start_before(wanted.cursor, digest), history=params.history,
            )  # fmt: skip
        following = None if found.next is None else cursor_of(digest, str(found.next))
        content = {"judgments": found.items, "filters": asked, "next": following}
        return content, [flatten(i) for i in found.items]

    return table(request, params, page, name="judgments", columns=COLUMNS)


def _grade(text: str) -> int:
    if text not in GRADES:
        raise unknown(text, "?grade", f"one of {', '.join(GRADES)}", [])
    return int(text)


def _created(request: Request, body: shapes.NewJudgment) -> Response:
    caller = caller_of(request)
    with Service.of(request).acting(request) as acting:

        def work() -> Response:
            made = feedback_pages.add_judgment(
                acting.cursor, **body.model_dump(), judged_by=caller.pseudonym, mission_id=caller.mission_id
            )
            return writes.created(made, f"/v1/judgments?project_id={made['project_id']}")

        return writes.once(request, acting, writes.content_of(body), work)
