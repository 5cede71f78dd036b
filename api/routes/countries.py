"""Pairs for the partners of one country."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from api import exposures, lists, schemas, shapes
from api.guard import GuardedRoute
from api.service import Service
from matcher import records

router = APIRouter(prefix="/v1/countries", tags=["countries"], route_class=GuardedRoute)


@router.get("/{iso2}/matches", response_model=shapes.MatchList, responses=lists.TABLE_FORMATS)
async def match_country(
    request: Request,
    iso2: Annotated[str, Path(max_length=100, examples=["JP"])],
    params: Annotated[schemas.MatchParams, Query()],
) -> Response:
    """Pairs of open projects with partners at home in the country, best first."""
    service = Service.of(request)

    def work() -> exposures.Served:
        country = service.directory.country(iso2, "/iso2")
        return lists.matches(request, records.Query(countries=(country,)), params)

    ready = lists.at_hand(request, records.Query(countries=(iso2.upper(),)), params)
    return await exposures.answer(request, work, ready=ready)
