"""Partners, and the projects that fit one."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import exposures, lists, schemas, shapes
from api.answers import record
from api.guard import GuardedRoute
from api.routes.projects import PartnerId
from api.service import Service
from matcher import records

router = APIRouter(prefix="/v1/partners", tags=["partners"], route_class=GuardedRoute)


@router.get("", response_model=shapes.PartnerList, responses=lists.TABLE_FORMATS)
async def list_partners(request: Request, params: Annotated[schemas.PartnerListParams, Query()]) -> Response:
    """Partners by id."""
    return await Service.of(request).run(lists.answer, request, "partners", params)


@router.get("/{partner_id}", response_model=shapes.PartnerDetail)
async def read_partner(
    request: Request, partner_id: PartnerId, _: Annotated[schemas.RecordParams, Query()]
) -> Response:
    """One partner with its source, its deals and the countries where it works."""
    service = Service.of(request)

    def work() -> Response:
        directory = service.directory
        item = directory.get("partners", partner_id)
        more = {
            "deals": lists.deals(directory, partner_id=partner_id),
            "footprint": lists.footprint(directory, partner_id),
        }
        return record(request, item | more)

    return await service.run(work)


@router.get("/{partner_id}/matches", response_model=shapes.MatchList, responses=lists.TABLE_FORMATS)
async def match_partner(
    request: Request, partner_id: PartnerId, params: Annotated[schemas.MatchParams, Query()]
) -> Response:
    """Open projects that fit the partner, best first, with evidence for and against."""
    query = records.Query(partner_id=partner_id)
    return await exposures.answer(request, lambda: lists.matches(request, query, params))
