"""Lists of matches that were shown, read again and made again."""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from api import feedback_shapes as shapes
from api import pipeline
from api.answers import Listed, record, table, to_json
from api.filters import cursor_of
from api.guard import GuardedRoute
from api.lists import TABLE_FORMATS, split
from api.service import Service
from api.words import digits
from matcher.store import feedback_pages
from matcher.store.feedback import CHANNELS

router = APIRouter(prefix="/v1/exposures", tags=["feedback"], route_class=GuardedRoute)
ExposureId = Annotated[int, BeforeValidator(digits), Path(alias="id", ge=1, lt=2**63, examples=[1])]

COLUMNS = tuple(shapes.Exposure.model_fields)


@router.get("", response_model=shapes.ExposureList, responses=TABLE_FORMATS)
async def list_exposures(request: Request, params: Annotated[shapes.ExposureParams, Query()]) -> Response:
    """Lists of matches that were shown to your office, newest first; analysts see those of all."""
    return await Service.of(request).run(_listed, request, params)


@router.get("/{id}", response_model=shapes.ExposureDetail)
async def read_exposure(
    request: Request, number: ExposureId, params: Annotated[shapes.OneExposureParams, Query()]
) -> Response:
    """One list as it was shown; with `reproduce` it is made again, of the same engine and facts, and compared."""
    return await Service.of(request).run(_told, request, number, params.reproduce)


def _listed(request: Request, params: shapes.ExposureParams) -> Response:
    asked: dict[str, Any] = {
        "engine": split(params.engine), "mission_id": split(params.mission_id),
        "channel": pipeline.choice(params.channel, CHANNELS, "?channel"), "since": params.since, "until": params.until,
    }  # fmt: skip
    asked = {k: v for k, v in asked.items() if v not in (None, ())}
    digest = pipeline.digest_of(["exposures", asked])

    def page(wanted: shapes.ExposureParams) -> Listed:
        with Service.of(request).acting(request) as acting:
            before = pipeline.start_before(wanted.cursor, digest)
            found = feedback_pages.exposures(acting.cursor, filters=asked, n=wanted.n, before=before)
        following = None if found.next is None else cursor_of(digest, str(found.next))
        content = {"exposures": found.items, "filters": asked, "next": following}
        return content, [i | {k: to_json(i[k]).decode() for k in ("query", "filters")} for i in found.items]

    return table(request, params, page, name="exposures", columns=COLUMNS)


def _told(request: Request, number: int, again: bool) -> Response:
    service = Service.of(request)
    with service.acting(request) as acting:
        content = feedback_pages.exposure(acting.cursor, number)
    made = None
    if again:
        from matcher.jobs.exposure import reproduce  # noqa: PLC0415 - pulls numpy and LightGBM
        from matcher.jobs.matchmaker import Matchmaker  # noqa: PLC0415

        made = reproduce(number, cast(Matchmaker, service.matchmaker)).to_json()
    return record(request, {**content, "reproduction": made})
