"""Signing in and out: for programs that have a password as JSON, for people as a page."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Body, Depends, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from api import schemas, shapes
from api.answers import MEDIA, to_json
from api.guard import (
    COOKIE,
    Door,
    GuardedRoute,
    TooManyError,
    UnauthenticatedError,
    caller_of,
    client_address,
    from_here,
)
from api.language import DEFAULT, url
from api.limits import Limits
from api.pages.rendering import PageLang, local_path, render
from api.schemas import Lang
from api.security import json_only
from api.service import Service
from matcher.errors import ForbiddenError, MatcherError
from matcher.identity import Caller
from matcher.store.accounts import SESSION_HOURS, SignIn

router = APIRouter(route_class=GuardedRoute)

WRONG = "Login or password is wrong."
Typed = Annotated[str, Form(max_length=300)]


@router.get("/v1/session", tags=["session"], response_model=shapes.Session)
async def read_session(request: Request, _: Annotated[schemas.RecordParams, Query()]) -> Response:
    """Who is asking, and what he may do."""
    return _told(caller_of(request))


@router.post(
    "/v1/session", tags=["session"], status_code=201, response_model=shapes.Session, dependencies=[Depends(json_only)]
)
async def open_session(request: Request, asked: Annotated[schemas.SignInRequest, Body()]) -> Response:
    """Sign in with a password. The cookie holds the session; writes need its `csrf` in the header `X-CSRF-Token`."""
    _own_site(request)
    done = await _sign_in(request, asked.login, asked.password)
    if done.caller is None or done.session is None:
        raise UnauthenticatedError(WRONG)
    answer = _told(done.caller, csrf=_door(request).csrf(done.session), status=201)
    _set_cookie(request, answer, done.session)
    return answer


@router.delete("/v1/session", tags=["session"], status_code=204, response_class=Response)
async def close_session(request: Request, _: Annotated[schemas.RecordParams, Query()]) -> Response:
    """Sign out: the session lets nobody in any more. A key is left as it is."""
    await _sign_out(request)
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/sign-in", include_in_schema=False)
async def sign_in_page(
    request: Request,
    lang: PageLang = None,
    next_: Annotated[str | None, Query(alias="next", max_length=2000)] = None,
) -> Response:
    """The form."""
    return render(request, "sign_in.html", lang or DEFAULT, next=next_ or "", failed=None, seconds=0)


@router.post("/sign-in", include_in_schema=False)
async def sign_in(
    request: Request, login: Typed, password: Typed,
    next_: Annotated[str, Form(alias="next", max_length=2000)] = "", lang: Annotated[Lang | None, Form()] = None,
) -> Response:  # fmt: skip
    """Back to where the reader wanted to go, signed in; or the form again with the reason."""
    _own_site(request)
    shown: Lang = lang or DEFAULT
    try:
        done = await _sign_in(request, login, password)
    except TooManyError as error:
        page = render(request, "sign_in.html", shown, 429, next=next_, failed="locked", seconds=error.retry_seconds)
        page.headers["retry-after"] = str(error.retry_seconds)
        return page
    if done.caller is None or done.session is None:
        return render(request, "sign_in.html", shown, 401, next=next_, failed="wrong", seconds=0)
    answer = RedirectResponse(
        local_path(next_) or url("/", shown), status_code=303, headers={"cache-control": "no-store"}
    )
    _set_cookie(request, answer, done.session)
    return answer


@router.post("/sign-out", include_in_schema=False)
async def sign_out(request: Request, lang: Annotated[Lang | None, Form()] = None) -> Response:
    """Signed out, and at the form again."""
    await _sign_out(request)
    answer = RedirectResponse(url("/sign-in", lang or DEFAULT), status_code=303, headers={"cache-control": "no-store"})
    answer.delete_cookie(COOKIE)
    return answer


def _door(request: Request) -> Door:
    door = request.app.state.door
    assert isinstance(door, Door)
    return door


async def _sign_in(request: Request, login: str, password: str) -> SignIn:
    service = Service.of(request)
    origin = client_address(request)

    def work() -> SignIn:
        return service.desk.sign_in(login, password, origin=origin, request_id=request.scope["state"]["request_id"])

    limits: Limits = request.app.state.limits
    limits.tried(request)  # counted first, so that attempts at the same time count as well
    try:
        done = await service.run(work)
    except MatcherError:
        limits.untried(request)
        raise
    if done.caller is not None:
        limits.untried(request)
    if done.locked_seconds:
        raise TooManyError(
            f"Too many wrong passwords; this login is locked for {done.locked_seconds} seconds.", done.locked_seconds
        )
    if done.caller is not None and done.caller.demo and not (request.app.state.local and from_here(request)):
        raise ForbiddenError("Demo accounts sign in on the machine that serves them only.")
    return done


async def _sign_out(request: Request) -> None:
    service, door = Service.of(request), _door(request)
    session = door.session(request)
    if session is not None:
        await service.run(service.desk.sign_out, session)
        door.forget(session)


def _own_site(request: Request) -> None:
    """Another site cannot sign a reader in under an account of its own.

    Raises:
        ForbiddenError: the browser says that the form is of another site.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower()
    if foreign if site is None else site not in ("same-origin", "none"):
        raise ForbiddenError("The form to sign in was not sent from this site.")


def _set_cookie(request: Request, answer: Response, session: str) -> None:
    answer.set_cookie(
        COOKIE, _door(request).sign(session), max_age=SESSION_HOURS * 3600, httponly=True, samesite="lax",
        secure=not request.app.state.local,
    )  # fmt: skip


def _told(caller: Caller, *, csrf: str | None = None, status: int = 200) -> Response:
    content = {
        "account": caller.pseudonym, "login": caller.login, "role": caller.role, "mission_id": caller.mission_id,
        "may_export": caller.may_export, "scopes": sorted(caller.scopes), "via": caller.via,
        "csrf": (csrf or caller.csrf) or None,
    }  # fmt: skip
    return Response(to_json(content), status, {"cache-control": "no-store"}, media_type=MEDIA["json"])
