"""Whether the process answers, and whether it can do its work."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import shapes
from api.answers import MEDIA, to_json
from api.guard import GuardedRoute
from api.service import BusyError, Service
from matcher.errors import MatcherError

router = APIRouter(tags=["operation"], route_class=GuardedRoute)


@router.get("/healthz", response_model=shapes.Health)
async def healthz() -> Response:
    """The process answers; nothing else is looked at."""
    return Response(to_json({"status": "ok"}), media_type=MEDIA["json"], headers={"cache-control": "no-store"})


@router.get("/readyz", response_model=shapes.Readiness, responses={503: {"model": shapes.Readiness}})
async def readyz(request: Request) -> Response:
    """Database, engine artefact and text model answer, each asked just now; 503 names what does not."""
    service = Service.of(request)

    def work() -> dict[str, str]:
        return dict(service.matchmaker.check())  # opens the matchmaker in the pool, too

    try:
        checks = await service.run(work)
    except BusyError as error:
        checks = {"load": str(error)}
    except MatcherError as error:
        checks = {"start": str(error)}
    ready = all(state == "ok" for state in checks.values())
    return Response(
        to_json({"status": "ready" if ready else "not ready", "checks": checks}),
        status_code=200 if ready else 503,
        media_type=MEDIA["json"],
        headers={"cache-control": "no-store"} | ({} if ready else {"retry-after": "5"}),
    )
