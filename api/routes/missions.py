"""Representative missions, and the pairs for the countries that one covers."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import exposures, lists, schemas, shapes
from api.answers import record
from api.guard import GuardedRoute, caller_of
from api.permissions import may_hear_changes
from api.service import Service
from matcher import records
from matcher.errors import ForbiddenError

router = APIRouter(prefix="/v1/missions", tags=["missions"], route_class=GuardedRoute)
MissionId = Annotated[str, Path(max_length=200, examples=["ae-embassy"])]


@router.get("", response_model=shapes.MissionList, responses=lists.TABLE_FORMATS)
async def list_missions(request: Request, params: Annotated[schemas.MissionListParams, Query()]) -> Response:
    """Missions by id, with host and accredited countries."""
    return await Service.of(request).run(lists.answer, request, "missions", params)


@router.get("/{mission_id}", response_model=shapes.Mission)
async def read_mission(
    request: Request, mission_id: MissionId, _: Annotated[schemas.RecordParams, Query()]
) -> Response:
    """One mission with the countries it covers and the source of each."""
    service = Service.of(request)
    return await service.run(lambda: record(request, service.directory.get("missions", mission_id)))


@router.get("/{mission_id}/matches", response_model=shapes.MatchList, responses=lists.TABLE_FORMATS)
async def match_mission(
    request: Request, mission_id: MissionId, params: Annotated[schemas.MatchParams, Query()]
) -> Response:
    """Pairs of open projects with partners of the host and accredited countries; `notes` names what is missing."""
    query = records.Query(mission_id=mission_id)
    ready = lists.at_hand(request, query, params)
    return await exposures.answer(request, lambda: lists.matches(request, query, params), ready=ready)


@router.get("/{mission_id}/changes", response_model=shapes.Changes)
async def mission_changes(
    request: Request, mission_id: MissionId, params: Annotated[schemas.ChangesParams, Query()]
) -> Response:
    """What changed on the first page of the mission's pairs since your office last saw it before a day, and why."""
    service, caller = Service.of(request), caller_of(request)
    if not may_hear_changes(caller, mission_id):
        raise ForbiddenError("What changed for a mission is not told to other missions.")

    def work() -> Response:
        from matcher.jobs import changes  # noqa: PLC0415 - pulls numpy and LightGBM; not for --help

        maker = service.matchmaker
        query = records.Query(mission_id=mission_id)
        with service.acting(request) as acting:
            found = changes.since(acting.cursor, maker, query, params.since, office=caller.mission_id)
        return record(request, found.to_json())

    return await service.run(work)
