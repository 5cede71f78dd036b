"""The pipeline of an office: contacts, shortlists, assignments, outcomes and who verified them."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from api import pipeline, schemas, writes
from api import schemas_pipeline as s
from api import shapes_pipeline as shapes
from api.answers import record
from api.guard import GuardedRoute
from api.lists import TABLE_FORMATS
from api.security import json_only
from api.service import Service
from api.words import digits
from matcher.store import pipeline as store
from matcher.store.offices import at
from matcher.store.pipeline_rows import ASSIGNMENT, INTERACTION, OUTCOME, SHORTLIST

router = APIRouter(prefix="/v1", route_class=GuardedRoute)

RecordId = Annotated[int, BeforeValidator(digits), Path(alias="id", ge=1, lt=2**63, examples=[1])]
PartnerId = Annotated[str, Path(max_length=200, examples=["P288437fb"])]
NoParams = Annotated[schemas.RecordParams, Query()]


def _example(**body: Any) -> Any:
    """A body that the description of the API shows and a test sends."""
    return Body(openapi_examples={"example": {"value": body}})


def _creates(shape: type) -> dict[str, Any]:
    return {
        "status_code": 201, "response_model": shape, "responses": writes.refusals(409),
        "dependencies": [Depends(json_only), Depends(writes.keyed)],
    }  # fmt: skip


def _changes(shape: type) -> dict[str, Any]:
    return {
        "response_model": shape,
        "responses": writes.refusals(409, 412, 428),
        "dependencies": [Depends(json_only), Depends(writes.matched)],
    }


def _undoes(shape: type) -> dict[str, Any]:
    return {"response_model": shape, "responses": writes.refusals(409), "dependencies": [Depends(writes.keyed)]}


async def _run(request: Request, work: Callable[..., Response], *args: Any) -> Response:
    return await Service.of(request).run(work, request, *args)


# Contacts


@router.get("/interactions", tags=["pipeline"], response_model=shapes.InteractionList, responses=TABLE_FORMATS)
async def list_interactions(request: Request, params: Annotated[s.InteractionParams, Query()]) -> Response:
    """Contacts of your office, newest first."""
    return await _run(request, pipeline.listed, INTERACTION, params)


@router.post("/interactions", tags=["pipeline"], **_creates(shapes.InteractionDetail))
async def create_interaction(
    request: Request,
    body: Annotated[
        s.NewInteraction,
        _example(partner_id="P288437fb", kind="meeting", held_on="2026-10-01", next_on="2026-12-01", note="Port call"),
    ],
) -> Response:
    """Record a contact with a partner that your office covers."""
    return await _run(request, pipeline.create, INTERACTION, body)


@router.get("/interactions/{id}", tags=["pipeline"], response_model=shapes.InteractionDetail)
async def read_interaction(request: Request, number: RecordId, _: NoParams) -> Response:
    """One contact with its history."""
    return await _run(request, pipeline.read, INTERACTION, number)


@router.patch("/interactions/{id}", tags=["pipeline"], **_changes(shapes.InteractionDetail))
async def change_interaction(
    request: Request,
    number: RecordId,
    body: Annotated[s.InteractionChange, _example(next_on="2026-12-15", note=None)],
) -> Response:
    """Change a contact's record: a merge patch makes a new version."""
    return await _run(request, pipeline.change, INTERACTION, number, body)


@router.post("/interactions/{id}/undo", tags=["pipeline"], **_undoes(shapes.InteractionDetail))
async def undo_interaction(request: Request, number: RecordId, _: NoParams) -> Response:
    """Give back the version before, or withdraw a first version; once more, and the undo is undone."""
    return await _run(request, pipeline.undo, INTERACTION, number)


# Shortlists


@router.get("/shortlists", tags=["pipeline"], response_model=shapes.ShortlistList, responses=TABLE_FORMATS)
async def list_shortlists(request: Request, params: Annotated[s.ShortlistParams, Query()]) -> Response:
    """Partners that your office keeps in view, newest first."""
    return await _run(request, pipeline.listed, SHORTLIST, params)


@router.post("/shortlists", tags=["pipeline"], **_creates(shapes.ShortlistDetail))
async def create_shortlist(
    request: Request,
    body: Annotated[
        s.NewShortlist, _example(partner_id="P288437fb", project_id="HCMC-001", reason="Runs ports of this size")
    ],
) -> Response:
    """Keep a partner in view for a project."""
    return await _run(request, pipeline.create, SHORTLIST, body)


@router.get("/shortlists/{id}", tags=["pipeline"], response_model=shapes.ShortlistDetail)
async def read_shortlist(request: Request, number: RecordId, _: NoParams) -> Response:
    """One shortlist's record with its history."""
    return await _run(request, pipeline.read, SHORTLIST, number)


@router.patch("/shortlists/{id}", tags=["pipeline"], **_changes(shapes.ShortlistDetail))
async def change_shortlist(
    request: Request,
    number: RecordId,
    body: Annotated[s.ShortlistChange, _example(reason="Runs ports of this size, asks for land")],
) -> Response:
    """Change the reason: a merge patch makes a new version."""
    return await _run(request, pipeline.change, SHORTLIST, number, body)


@router.post("/shortlists/{id}/undo", tags=["pipeline"], **_undoes(shapes.ShortlistDetail))
async def undo_shortlist(request: Request, number: RecordId, _: NoParams) -> Response:
    """Give back the version before, or take the pair off the list; once more, and the undo is undone."""
    return await _run(request, pipeline.undo, SHORTLIST, number)


# Assignments


@router.get("/assignments", tags=["pipeline"], response_model=shapes.AssignmentList, responses=TABLE_FORMATS)
async def list_assignments(request: Request, params: Annotated[s.AssignmentParams, Query()]) -> Response:
    """Work of your office, newest first; to the city also what it gave to missions."""
    return await _run(request, pipeline.listed, ASSIGNMENT, params)


@router.post("/assignments", tags=["pipeline"], **_creates(shapes.AssignmentDetail))
async def create_assignment(
    request: Request,
    body: Annotated[
        s.NewAssignment,
        _example(partner_id="P288437fb", project_id="HCMC-001", stage="engaged", next_step="Send the land plan"),
    ],
) -> Response:
    """Take up work on a partner, or, as the city, give it to a mission that covers the partner."""
    return await _run(request, pipeline.create, ASSIGNMENT, body)


@router.get("/assignments/{id}", tags=["pipeline"], response_model=shapes.AssignmentDetail)
async def read_assignment(request: Request, number: RecordId, _: NoParams) -> Response:
    """One assignment with the log of its stages."""
    return await _run(request, pipeline.read, ASSIGNMENT, number)


@router.patch("/assignments/{id}", tags=["pipeline"], **_changes(shapes.AssignmentDetail))
async def change_assignment(
    request: Request,
    number: RecordId,
    body: Annotated[s.AssignmentChange, _example(stage="negotiating", value_usd=250_000_000)],
) -> Response:
    """Change stage, status, lead or plan: a merge patch makes a new version."""
    return await _run(request, pipeline.change, ASSIGNMENT, number, body)


@router.post("/assignments/{id}/undo", tags=["pipeline"], **_undoes(shapes.AssignmentDetail))
async def undo_assignment(request: Request, number: RecordId, _: NoParams) -> Response:
    """Give back the version before, or withdraw a first version; once more, and the undo is undone."""
    return await _run(request, pipeline.undo, ASSIGNMENT, number)


# Outcomes


@router.get("/outcomes", tags=["pipeline"], response_model=shapes.OutcomeList, responses=TABLE_FORMATS)
async def list_outcomes(request: Request, params: Annotated[s.OutcomeParams, Query()]) -> Response:
    """Outcomes, newest first: of your office; to officers and analysts of every office, without its notes."""
    return await _run(request, pipeline.listed, OUTCOME, params)


@router.post("/outcomes", tags=["pipeline"], **_creates(shapes.OutcomeDetail))
async def create_outcome(
    request: Request,
    body: Annotated[
        s.NewOutcome,
        _example(
            partner_id="P288437fb", project_id="HCMC-001", result="lost", decided_on="2026-10-01",
            lost_reason="Land price", lost_to_country="SG", source="https://example.org/news",
        ),
    ],
) -> Response:  # fmt: skip
    """Report how it ended between a partner and a project; it counts once another person has verified it."""
    return await _run(request, pipeline.create, OUTCOME, body)


@router.get("/outcomes/{id}", tags=["pipeline"], response_model=shapes.OutcomeDetail)
async def read_outcome(request: Request, number: RecordId, _: NoParams) -> Response:
    """One outcome with its history."""
    return await _run(request, pipeline.read, OUTCOME, number)


@router.patch("/outcomes/{id}", tags=["pipeline"], **_changes(shapes.OutcomeDetail))
async def change_outcome(
    request: Request,
    number: RecordId,
    body: Annotated[s.OutcomeChange, _example(value_usd=180_000_000)],
) -> Response:
    """Change an outcome: a merge patch makes a new version, which somebody has to verify anew."""
    return await _run(request, pipeline.change, OUTCOME, number, body)


@router.post("/outcomes/{id}/undo", tags=["pipeline"], **_undoes(shapes.OutcomeDetail))
async def undo_outcome(request: Request, number: RecordId, _: NoParams) -> Response:
    """Give back the version before, or withdraw a first version; once more, and the undo is undone."""
    return await _run(request, pipeline.undo, OUTCOME, number)


@router.post(
    "/outcomes/{id}/verification", tags=["pipeline"], status_code=201, response_model=shapes.OutcomeDetail,
    responses=writes.refusals(409, 412), dependencies=[Depends(json_only), Depends(writes.keyed)],
)  # fmt: skip
async def verify_outcome(
    request: Request,
    number: RecordId,
    body: Annotated[s.NewVerification, _example(verdict="verified")],
    match: writes.IfMatch = None,
) -> Response:
    """Verify or reject what another person reported; with If-Match only the version that you read."""

    def work(asked: Request) -> Response:
        def fits(known: Any) -> None:
            if match is not None:
                writes.check_match(match, known)

        return pipeline.write(
            asked, body,
            lambda acting, _: writes.created(
                store.verify(acting.cursor, number, body.verdict, body.reason, fits=fits), f"/v1/outcomes/{number}"
            ),
        )  # fmt: skip

    return await _run(request, work)


# Who works on a partner


@router.get("/partners/{partner_id}/offices", tags=["partners"], response_model=shapes.Offices)
async def read_offices(request: Request, partner_id: PartnerId, _: NoParams) -> Response:
    """Whether other offices work on the partner, and which office leads; nothing else of their work."""

    def work(asked: Request) -> Response:
        service = Service.of(asked)
        service.directory.get("partners", partner_id)
        with service.acting(asked) as acting:
            found = at(acting.cursor, partner_id)
        lead = {"known": found.led, "mission_id": found.lead_mission_id}
        return record(asked, {"others": found.others, "lead": lead})

    return await _run(request, work)
