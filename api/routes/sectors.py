"""Sectors that filters understand: the city's own list and ISIC Rev.4."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import lists, schemas, shapes
from api.guard import GuardedRoute
from api.service import Service

router = APIRouter(prefix="/v1/sectors", tags=["sectors"], route_class=GuardedRoute)


@router.get("", response_model=shapes.SectorList, responses=lists.TABLE_FORMATS)
async def list_sectors(request: Request, params: Annotated[schemas.SectorListParams, Query()]) -> Response:
    """Sectors by code, with how many open projects and partners each holds."""
    return await Service.of(request).run(lists.answer, request, "sectors", params)
