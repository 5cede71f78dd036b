"""The application: routes, what every request passes, and the one table of errors and HTTP codes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from rapidfuzz import process
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from api import permissions, refusals, sampling
from api.answers import PROBLEM, problem
from api.exposures import Writer
from api.guard import COOKIE, Door, TooManyError, UnauthenticatedError, kept_secret
from api.limits import REQUEST_SECONDS, Limits, Patience
from api.observing import Observed
from api.pages import (
    analysis,
    home,
    pairs,
    pipeline_forms,
    project_form,
    rendering,
)
from api.pages import countries as country_pages
from api.pages import imports as import_pages
from api.pages import missions as mission_pages
from api.pages import partners as partner_pages
from api.pages import pipeline as pipeline_pages
from api.pages import projects as project_pages
from api.pages.listing import Drawings
from api.refusals import printable
from api.routes import (
    audit,
    countries,
    engines,
    evaluation,
    exposures,
    health,
    imports,
    judgments,
    match,
    missions,
    partners,
    pipeline,
    projects,
    reminders,
    sectors,
    session,
)
from api.security import LOOPBACK, Gate
from api.service import BusyError, Matchmaking, Service
from api.shapes import Problem
from api.static import STATIC, Static
from api.writes import MissingMatchError, StaleMatchError
from matcher import __version__
from matcher.config import load
from matcher.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    MatcherError,
    NotFoundError,
    SourceError,
    StaleArtefactError,
)
from matcher.jobs import Site, opening
from matcher.store.desk import Desk


class Code(NamedTuple):
    """HTTP code, last part of the problem's type, and title of an error."""

    status: int
    kind: str
    title: str


CODES: dict[type[Exception], Code] = {
    InputError: Code(422, "input", "Input not usable"),
    NotFoundError: Code(404, "not-found", "No such record"),
    UnauthenticatedError: Code(401, "sign-in", "Nobody is signed in"),
    TooManyError: Code(429, "too-many", "Too many requests"),
    ForbiddenError: Code(403, "forbidden", "Not allowed"),
    ConflictError: Code(409, "conflict", "Conflict with the present state"),
    StaleMatchError: Code(412, "changed", "The record is not what you read"),
    MissingMatchError: Code(428, "if-match", "If-Match is missing"),
    SourceError: Code(503, "source", "Something the service needs is missing"),
    StaleArtefactError: Code(503, "stale-engine", "The engine does not fit this program or these data"),
    BusyError: Code(503, "busy", "Too many requests"),
    MatcherError: Code(422, "refused", "Refused"),
}
"""Our errors -> HTTP. A subclass without a line of its own gets that of its nearest ancestor."""

HTTP_CODES: dict[int, Code] = {
    400: Code(400, "bad-request", "Request not readable"),
    404: Code(404, "no-such-address", "No such address"),
    405: Code(405, "method", "Method not allowed here"),
    413: Code(413, "too-large", "Body too large"),
    415: Code(415, "content-type", "Content type not supported"),
    503: Code(503, "timeout", "Out of time"),
}
"""The framework's refusals -> the same form."""

JSON_CODE = Code(400, "json", "Body is not JSON")
CRASH_CODE = Code(500, "crash", "Unforeseen error")
RETRY_SECONDS = "5"

_DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": title}
    for status, title in (
        (400, "Request not readable, or for another host"),
        (401, "Nobody is signed in: send `Authorization: Bearer KEY`, or the session's cookie"),
        (403, "The role, the key's scope or the right to export does not reach this far"),
        (404, "No such record, or no such address"), (405, "Method not allowed here"), (413, "Body too large"),
        (415, "Content type not supported"), (422, "Input not usable; `errors` names each field"),
        (429, "Too many requests; come back after `Retry-After` seconds"),
        (503, "Database, engine or model missing, too many requests, or out of time"),
    )
}  # fmt: skip

ROUTERS = (
    projects,
    partners,
    missions,
    countries,
    sectors,
    engines,
    match,
    pipeline,
    imports,
    reminders,
    judgments,
    exposures,
    evaluation,
    audit,
    session,
    health,
    home,
    project_form,
    project_pages,
    pairs,
    partner_pages,
    country_pages,
    mission_pages,
    pipeline_forms,
    pipeline_pages,
    import_pages,
    analysis,
)


def create_app(
    make: Callable[[], Matchmaking] | None = None,
    *,
    desk: Callable[[], AbstractContextManager[Desk]] | None = None,
    hosts: tuple[str, ...] = LOOPBACK,
    secret: str | None = None,
    local: bool = True,
    rate: float = 0,
) -> FastAPI:
    """The application.

    Args:
        make: opens the matchmaker; default: that of the settings in the environment.
        desk: opens the door to the database; default: that of the settings.
        hosts: Host names that are answered.
        secret: signs sessions; every worker must have the same. Default: that of the settings.
        local: nobody but this machine is served, so that cookies need no TLS and demo accounts may sign in.
        rate: requests a second of one account; 0: no limit. Default: that of the settings, where they are read.
    """
    reports: Path | None = None
    if make is None or desk is None or secret is None:
        settings = load()
        site = settings.site()
        hosts, local, rate = (*LOOPBACK, *settings.hosts), not settings.hosts, rate or settings.rate
        make, desk = make or (lambda: _matchmaker(site)), desk or (lambda: opening.open_desk(site))
        given = settings.secret.get_secret_value() if settings.secret else None
        secret = secret or given or kept_secret(site.data_dir)
        reports = site.data_dir / "runs" / "evaluation"
    service = Service(make, desk)
    writer = Writer(lambda: service.desk)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        starting = threading.Thread(target=service.warm, name="warm")
        starting.start()
        watching = asyncio.create_task(sampling.watch(service))
        yield
        service.closing = True
        watching.cancel()
        await anyio.to_thread.run_sync(writer.close)
        starting.join()
        service.close()

    app = FastAPI(
        title="matcher",
        version=__version__,
        summary="Which foreign partner fits which of the city's projects, how sure that is, and why",
        description="Errors are RFC 9457 problems. Lists page by `cursor` and come as CSV or XLSX, by the Accept "
        "header or `format=`. docs/api.md has the whole.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses=_DOCUMENTED,
    )
    app.state.service = service
    app.state.exposures = writer
    app.state.drawings = Drawings()
    app.state.limits = Limits(rate)
    app.state.evaluation = reports
    app.state.door = Door(lambda: service.desk, secret=secret, local=local)
    app.state.local = local
    app.state.wants_page = rendering.wants_page
    describe = app.openapi
    app.openapi = lambda: _described(describe())  # type: ignore[method-assign]  # FastAPI's own way to extend it
    for module in ROUTERS:
        app.include_router(module.router)
    app.mount("/static", Static(directory=STATIC), name="static")
    app.add_exception_handler(MatcherError, _refused)
    app.add_exception_handler(HTTPException, _http_refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=6)
    app.add_middleware(Patience, late=_late)
    app.add_middleware(Gate, hosts=hosts, local=local, failed=_crashed)
    app.add_middleware(Observed)
    return app


def _described(described: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with errors under the media type that they are sent as, and what each address asks for."""
    described.setdefault("components", {})["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "API key: `matcher key add`"},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "`POST /v1/session`"},
    }
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if not permissions.matrix()[method.upper(), path].open:
                operation["security"] = [{"key": []}, {"session": []}]
            for status, answer in operation["responses"].items():
                schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
                if int(status) >= 400 and schema.get("$ref", "").endswith("/Problem"):
                    answer["content"] = {PROBLEM: {"schema": schema}}
    return described


def _matchmaker(site: Site) -> Matchmaking:
    from matcher.jobs.serving import ServingMatchmaker  # noqa: PLC0415 - pulls numpy and LightGBM; not for --help

    return ServingMatchmaker(site, today=lambda: datetime.now(UTC).date())  # noqa: TID251 - entry point


def code_of(error: Exception) -> Code:
    """HTTP code of one of our errors."""
    return next(CODES[c] for c in type(error).__mro__ if c in CODES)


def _answer(request: Request, code: Code, detail: str, **more: Any) -> Response:
    headers: Mapping[str, str] = more.pop("headers", None) or {}
    if code.status == 503:
        headers = {"retry-after": RETRY_SECONDS, **headers}
    if code.status == 401:
        headers = {**headers, "www-authenticate": 'Bearer realm="matcher"'}
    if rendering.wants_page(request):
        return rendering.error(request, code.status, detail, more, headers)
    more = {k: v for k, v in more.items() if v}
    return problem(
        status=code.status, kind=code.kind, title=code.title, detail=detail, instance=request.url.path,
        headers=headers, **more,
    )  # fmt: skip


async def _refused(request: Request, error: Exception) -> Response:
    """Our own errors."""
    more = {"errors": getattr(error, "errors", None), "nearby": getattr(error, "nearby", None)}
    if isinstance(error, TooManyError):
        more["headers"] = {"retry-after": str(error.retry_seconds)}
    return _answer(request, code_of(error), str(error), **more)


async def _recognise(request: Request) -> None:
    """Who sent a request that no route has looked at, so that a page of an error has the frame of its reader.

    Nobody is refused here, and whoever cannot be told stays a stranger.
    """
    door: Door = request.app.state.door
    if hasattr(request.state, "caller") or not rendering.wants_page(request):
        return
    with suppress(Exception):
        service = Service.of(request)
        request.state.caller = door.caller(request) if door.known(request) else await service.run(door.caller, request)


async def _http_refused(request: Request, error: Exception) -> Response:
    """Refusals of the framework: no such address, wrong method, body too large, wrong content type."""
    assert isinstance(error, HTTPException)
    await _recognise(request)
    code = HTTP_CODES.get(error.status_code, Code(error.status_code, "http", error.detail))
    detail = error.detail
    match error.status_code:
        case 404:
            detail = f"There is nothing at {request.url.path[:200]}. GET /openapi.json lists every address."
        case 405:
            allowed = ", ".join(_methods_at(request)) or "GET"
            detail = f"{request.method} is not possible here; {allowed} is."
            return _answer(request, code, detail, headers={"allow": allowed})
        case _:
            pass
    return _answer(request, code, detail, headers=error.headers)


def _methods_at(request: Request) -> list[str]:
    """Every method that the routes of this address take, together; the framework names those of the first only."""
    contexts = iter_route_contexts(request.app.routes)
    at = [c.original_route for c in contexts if c.path and compile_path(c.path)[0].match(request.url.path)]
    return sorted({m for route in at for m in getattr(route, "methods", None) or ()})


async def _invalid(request: Request, error: Exception) -> Response:
    """Parameters or a body that do not fit their schema."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(e["type"] == "json_invalid" for e in found):
        reason = "; ".join(f"{e.get('ctx', {}).get('error', e['msg'])} at byte {e['loc'][-1]}" for e in found)
        return _answer(request, JSON_CODE, f"The body is not JSON: {reason}.")
    errors = [_field_error(request, e) for e in found]
    detail = "; ".join(f'{e["pointer"]} is "{e["seen"]}", expected {e["expected"]}' for e in errors)
    return _answer(request, CODES[InputError], detail, errors=errors)


def _late(request: Request) -> Response:
    return _answer(request, HTTP_CODES[503], f"The answer took longer than {REQUEST_SECONDS:.0f} seconds.")


def _crashed(request: Request) -> Response:
    request_id = request.scope["state"]["request_id"]
    return _answer(request, CRASH_CODE, f"The request failed; the log has the cause under {request_id}.")


def _field_error(request: Request, error: Mapping[str, Any]) -> dict[str, str]:
    where, *path = error["loc"]
    if where == "query":
        pointer = f"?{path[0]}" if path else "?"
        allowed = _query_names(request)
    else:
        pointer = "".join(f"/{p}" for p in path) if where == "body" else f"/{path[0]}"
        allowed = _names_at(_body_of(request), path[:-1])
    if error["type"] == "extra_forbidden":
        name = str(path[-1])
        near = process.extractOne(name.casefold(), allowed)
        perhaps = f"; did you mean {near[0]}?" if near and near[1] >= 60 else ""
        hint = f"one of {', '.join(allowed)}{perhaps}" if allowed else "no parameter"
        return {"pointer": printable(pointer[:200]), "seen": printable(name[:100]), "expected": hint}
    return {"pointer": printable(pointer[:200]), "seen": refusals.seen(error), "expected": refusals.expected(error)}


def _query_names(request: Request) -> list[str]:
    """Names of the query parameters that this address takes."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return []
    names: list[str] = []
    for param in route.dependant.query_params:
        model = param.field_info.annotation
        names += list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else [param.alias]
    return names


def _body_of(request: Request) -> type[BaseModel] | None:
    """The model of the body that this address takes."""
    route = request.scope.get("route")
    fields = route.dependant.body_params if isinstance(route, APIRoute) else []
    models = [f.field_info.annotation for f in fields]
    return next((m for m in models if isinstance(m, type) and issubclass(m, BaseModel)), None)


def _names_at(model: type[BaseModel] | None, path: list[Any]) -> list[str]:
    """Field names of the object at a place in the body."""
    if model is None:
        return []
    for step in path:
        info = model.model_fields.get(str(step))
        inner = [a for a in (info.annotation, *getattr(info.annotation, "__args__", ())) if info] if info else []
        nested = [a for a in inner if isinstance(a, type) and issubclass(a, BaseModel)]
        if not nested:
            return []
        model = nested[0]
    return list(model.model_fields)
