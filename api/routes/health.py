"""Whether the process answers, and whether it can do its work."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import observing, shapes
from api.answers import MEDIA, to_json
from api.guard import GuardedRoute, admit, caller_of, from_here
from api.service import BusyError, Service
from matcher.errors import ForbiddenError, MatcherError

router = APIRouter(tags=["operation"], route_class=GuardedRoute)


@router.get("/healthz", response_model=shapes.Health)
async def healthz() -> Response:
    """The process answers; nothing else is looked at."""
    return Response(to_json({"status": "ok"}), media_type=MEDIA["json"], headers={"cache-control": "no-store"})


@router.get("/readyz", response_model=shapes.Readiness, responses={503: {"model": shapes.Readiness}})
async def readyz(request: Request) -> Response:
    """Database, schema, engine artefact and text model answer, each asked just now; 503 names what does not.

    A process that was told to end is not ready.
    """
    service = Service.of(request)

    def work() -> dict[str, str]:
        checks = dict(service.matchmaker.check())  # opens the matchmaker in the pool, too
        try:
            service.desk.check()
            checks["schema"] = "ok"
        except MatcherError as error:
            checks["schema"] = str(error)
        return checks

    try:
        checks = await service.run(work)
    except BusyError as error:
        checks = {"load": str(error)}
    except MatcherError as error:
        checks = {"start": str(error)}
    if service.closing:
        checks["start"] = "The service is closing."
    ready = all(state == "ok" for state in checks.values())
    if not from_here(request):  # the cause names hosts and folders
        checks = {name: "ok" if state == "ok" else "failed" for name, state in checks.items()}
    return Response(
        to_json({"status": "ready" if ready else "not ready", "checks": checks}),
        status_code=200 if ready else 503,
        media_type=MEDIA["json"],
        headers={"cache-control": "no-store"} | ({} if ready else {"retry-after": "5"}),
    )


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format"}})
async def metrics(request: Request) -> Response:
    """Numbers for Prometheus, of all worker processes; to this machine without sign-in, else to administrators."""
    if not from_here(request):
        refusal = await admit(request, request.state.permission)
        if refusal is not None:
            return refusal
        if caller_of(request).role != "admin":
            raise ForbiddenError("The numbers are for administrators and for this machine itself.")
    text, media = await Service.of(request).run(observing.metrics)
    return Response(text, headers={"content-type": media, "cache-control": "no-store"})
