"""Projects of the city, and the partners that fit one."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from starlette.responses import Response

from api import exposures, lists, project_writes, schemas, schemas_projects, shapes, writes
from api.answers import record
from api.guard import GuardedRoute
from api.security import json_only
from api.service import Service
from matcher import records

router = APIRouter(prefix="/v1/projects", tags=["projects"], route_class=GuardedRoute)
ProjectId = Annotated[str, Path(max_length=200, examples=["HCMC-001"])]
PartnerId = Annotated[str, Path(max_length=200, examples=["P288437fb"])]

NEW_PROJECT: dict[str, Any] = {
    "example": {
        "value": {
            "name_vi": "Cảng cạn Củ Chi", "name_en": "Cu Chi inland port", "status": "preparing",
            "sector": "ports_logistics", "value_min": "2500000000000", "value_max": "2500000000000",
            "value_currency": "VND", "value_usd_min": 95_000_000, "value_usd_max": 95_000_000, "form": "ppp",
            "source": "https://example.org/decision-12", "source_on": "2026-10-01",
        }
    }
}  # fmt: skip
PROJECT_CHANGE: dict[str, Any] = {
    "example": {"value": {"status": "calling", "source": "https://example.org/call-3", "source_on": "2026-10-01"}}
}


@router.get("", response_model=shapes.ProjectList, responses=lists.TABLE_FORMATS)
async def list_projects(request: Request, params: Annotated[schemas.ProjectListParams, Query()]) -> Response:
    """Projects by id; without `status`, past investments are left out."""
    return await Service.of(request).run(lists.answer, request, "projects", params)


@router.post(
    "", status_code=201, response_model=shapes.ProjectDetail, responses=writes.refusals(409),
    dependencies=[Depends(json_only), Depends(writes.keyed)],
)  # fmt: skip
async def create_project(
    request: Request, body: Annotated[schemas_projects.NewProject, Body(openapi_examples=NEW_PROJECT)]
) -> Response:
    """Add a project, with its source; lists show it at once, matches within seconds."""
    return await Service.of(request).run(project_writes.create, request, body)


@router.get("/{project_id}", response_model=shapes.ProjectDetail)
async def read_project(
    request: Request, project_id: ProjectId, _: Annotated[schemas.RecordParams, Query()]
) -> Response:
    """One project with its source, and the deals known of it."""
    service = Service.of(request)

    def work() -> Response:
        directory = service.directory
        return record(request, project_writes.content_of(directory, directory.get("projects", project_id)))

    return await service.run(work)


@router.patch(
    "/{project_id}", response_model=shapes.ProjectDetail, responses=writes.refusals(409, 412, 428),
    dependencies=[Depends(json_only), Depends(writes.matched)],
)  # fmt: skip
async def change_project(
    request: Request,
    project_id: ProjectId,
    body: Annotated[schemas_projects.ProjectChange, Body(openapi_examples=PROJECT_CHANGE)],
) -> Response:
    """Change a project: a merge patch makes a new version; what was said before stays on record."""
    return await Service.of(request).run(project_writes.change, request, project_id, body)


@router.get("/{project_id}/matches", response_model=shapes.MatchList, responses=lists.TABLE_FORMATS)
async def match_project(
    request: Request, project_id: ProjectId, params: Annotated[schemas.MatchParams, Query()]
) -> Response:
    """Partners that fit the project, best first, with evidence for and against."""
    query = records.Query(project_id=project_id)
    return await exposures.answer(request, lambda: lists.matches(request, query, params))


@router.get("/{project_id}/partners/{partner_id}/explanation")
async def explain_pair(
    request: Request, project_id: ProjectId, partner_id: PartnerId, params: Annotated[schemas.PairParams, Query()]
) -> Response:
    """Evidence of one pair, and what sets the partner apart from the next one or from the one `against`."""
    service = Service.of(request)
    lang = lists.language(request, params.lang)

    def work() -> Response:
        told = service.matchmaker.explain(project_id, partner_id, against=params.against)
        return record(request, told.to_json(lang))

    return await service.run(work)
