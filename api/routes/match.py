"""Matches for something that is not in the database."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request
from starlette.responses import Response

from api import exposures, lists, schemas, shapes
from api.answers import record
from api.guard import GuardedRoute
from api.security import json_only
from api.service import Service

router = APIRouter(prefix="/v1/match", tags=["matches"], route_class=GuardedRoute)

EXAMPLES = {
    "text": {
        "summary": "Free text, in any language",
        "value": {"text": "cảng container nước sâu, kho lạnh và logistics", "n": 5, "filters": {"country": ["JP"]}},
    },
    "project": {
        "summary": "A project that is not in the database",
        "value": {
            "project": {
                "name": "Nhà máy xử lý nước thải phía Nam",
                "description": "Wastewater treatment plant, 300,000 m3 a day, build-operate-transfer",
                "isic": ["37"],
                "country": "VN",
                "value_usd": 250_000_000,
                "form": "ppp",
            },
            "n": 5,
        },
    },
    "partner": {
        "summary": "A partner that is not in the database",
        "value": {
            "partner": {
                "name": "Example Water Holdings",
                "kind": "company",
                "country": "SG",
                "description": "Designs, builds and operates water and wastewater plants in South-East Asia",
            },
            "n": 5,
        },
    },
}


@router.post("", response_model=shapes.MatchList, dependencies=[Depends(json_only)])
async def match_unsaved(
    request: Request, asked: Annotated[schemas.MatchRequest, Body(openapi_examples=EXAMPLES)]
) -> Response:
    """Matches for free text, an unsaved project or an unsaved partner, of which no record is made."""
    service = Service.of(request)

    def work() -> exposures.Served:
        query, filters = lists.unsaved(service.directory, asked)
        found = service.matchmaker.match(query, n=asked.n, filters=filters, as_of=asked.as_of, cursor=asked.cursor)
        lang = lists.language(request, asked.lang)
        return exposures.Served(response=record(request, found.to_json(lang)), found=found, lang=lang)

    return await exposures.answer(request, work)
