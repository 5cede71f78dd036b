"""Engines that have been fitted."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import schemas
from api.answers import record
from api.guard import GuardedRoute
from api.service import Service

router = APIRouter(prefix="/v1/engines", tags=["engines"], route_class=GuardedRoute)


@router.get("")
async def list_engines(request: Request, _: Annotated[schemas.EngineListParams, Query()]) -> Response:
    """Manifests of the fitted engines, the one in use first: features, encoder, data day, seed, measures."""
    service = Service.of(request)
    return await service.run(lambda: record(request, {"engines": list(service.matchmaker.engines()), "next": None}))
