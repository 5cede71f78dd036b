"""Projects of the city, and the partners that fit one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import exposures, lists, schemas, shapes
from api.answers import record
from api.guard import GuardedRoute
from api.service import Service
from matcher import records

router = APIRouter(prefix="/v1/projects", tags=["projects"], route_class=GuardedRoute)
ProjectId = Annotated[str, Path(max_length=200, examples=["HCMC-001"])]
PartnerId = Annotated[str, Path(max_length=200, examples=["P288437fb"])]


@router.get("", response_model=shapes.ProjectList, responses=lists.TABLE_FORMATS)
async def list_projects(request: Request, params: Annotated[schemas.ProjectListParams, Query()]) -> Response:
    """Projects by id; without `status`, past investments are left out."""
    return await Service.of(request).run(lists.answer, request, "projects", params)


@router.get("/{project_id}", response_model=shapes.ProjectDetail)
async def read_project(
    request: Request, project_id: ProjectId, _: Annotated[schemas.RecordParams, Query()]
) -> Response:
    """One project with its source, and the deals known of it."""
    service = Service.of(request)

    def work() -> Response:
        directory = service.directory
        item = directory.get("projects", project_id)
        return record(request, item | {"deals": lists.deals(directory, project_id=project_id)})

    return await service.run(work)


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
