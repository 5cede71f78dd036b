"""The door: no route does anything before it is known who asks and whether the matrix lets him.

Every router of the application is made with `route_class=GuardedRoute`. An address without a row in the matrix does
not start.
"""

import hashlib
import hmac
import ipaddress
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import itsdangerous
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api import permissions
from matcher.errors import ForbiddenError, MatcherError, SourceError
from matcher.identity import Caller, digest

COOKIE = "matcher_session"
CSRF_HEADER, CSRF_FIELD = "x-csrf-token", "csrf"
SAFE = ("GET", "HEAD", "OPTIONS")
KNOWN_SECONDS = 1.0
"""A key or session that was looked up is believed for so long: a revoked one lets nobody in a second later."""
KNOWN = 1024
PASSED_ON = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
"""Headers by which a proxy can be told."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class UnauthenticatedError(MatcherError):
    """Nobody is signed in, or the key or session lets nobody in any more."""


def kept_secret(folder: Path) -> str:
    """What signs sessions where no secret is set: made once, and kept in a 0600 file of the data folder."""
    path, fresh = folder / "secret", folder / f".secret.{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        # Of several workers that start at once the first one's is kept.
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    kept = path.read_text(encoding="ascii").strip()
    if len(kept) < 32 or path.stat().st_mode & 0o077:
        raise SourceError(f"{path} is too short or others may read it; remove it, and a new one is made.")
    return kept


def client_address(request: Request) -> str:
    """The address that a request came from, as a proxy on this machine gives it."""
    return request.client.host if request.client else ""


def from_here(request: Request) -> bool:
    """The request was sent on this machine and by no proxy."""
    passed_on = any(h in request.headers for h in PASSED_ON)
    try:
        return not passed_on and ipaddress.ip_address(client_address(request)).is_loopback
    except ValueError:
        return False


class TooManyError(MatcherError):
    """Too many requests of one caller, or too many wrong passwords.

    Attributes:
        retry_seconds: when it is worth trying again.
    """

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class Books(Protocol):
    """The part of `matcher.store.desk.Desk` that knows who is who."""

    def of_key(self, secret: str) -> Caller | None:
        """Who a key belongs to."""
        ...

    def of_session(self, secret: str) -> Caller | None:
        """Who a session belongs to."""
        ...


class Door:
    """Recognises callers.

    Args:
        books: gives what knows keys and sessions.
        secret: signs cookies and form tokens.
        local: the service answers to loopback names only, so that demo accounts may be used.
    """

    def __init__(self, books: Callable[[], Books], *, secret: str, local: bool) -> None:
        self._books, self._local = books, local
        self._secret = secret.encode()
        self._signer = itsdangerous.Signer(secret, salt="matcher.session")
        self._known: OrderedDict[str, tuple[float, Caller]] = OrderedDict()
        self._lock = threading.Lock()

    def caller(self, request: Request) -> Caller:
        """Who sent a request; asks the database unless it did so a moment ago.

        Raises:
            UnauthenticatedError: nobody known.
        """
        kind, _, credential = request.headers.get("authorization", "").partition(" ")
        if kind:
            if kind.lower() != "bearer" or not credential.strip():
                raise UnauthenticatedError("The Authorization header is not understood; send: Bearer KEY.")
            found = self._look_up(credential.strip(), "key")
        else:
            session = self.session(request)
            if session is None:
                raise UnauthenticatedError(
                    "Nobody is signed in; send an API key (Authorization: Bearer KEY) or sign in."
                )
            found = self._look_up(session, "session")
            if found is not None:
                found = replace(found, csrf=self.csrf(session))
        if found is None or (found.demo and not (self._local and from_here(request))):
            raise UnauthenticatedError("This key or session is unknown, has expired or was revoked; ask for a new one.")
        return found

    def session(self, request: Request) -> str | None:
        """The session identifier in the cookie; None without one, or with one that this service did not sign."""
        try:
            return self._signer.unsign(request.cookies.get(COOKIE, "")).decode()
        except (itsdangerous.BadSignature, UnicodeDecodeError):
            return None

    def sign(self, session: str) -> str:
        """The cookie's value for a session."""
        return self._signer.sign(session).decode()

    def csrf(self, session: str) -> str:
        """What forms of a session must send back."""
        return hmac.new(self._secret, f"csrf:{session}".encode(), hashlib.sha256).hexdigest()

    def forget(self, secret: str) -> None:
        """The next request looks this session or key up again."""
        with self._lock:
            self._known.pop(digest(secret), None)

    def _look_up(self, secret: str, kind: str) -> Caller | None:
        key, now = digest(secret), time.monotonic()
        with self._lock:
            at, caller = self._known.get(key, (0.0, None))
            if caller is not None and now - at < KNOWN_SECONDS and caller.via == kind:
                return caller
        books = self._books()
        found = books.of_key(secret) if kind == "key" else books.of_session(secret)
        with self._lock:
            self._known.pop(key, None)
            if found is not None:
                self._known[key] = (now, found)
                while len(self._known) > KNOWN:
                    self._known.popitem(last=False)
        return found

    def known(self, request: Request) -> bool:
        """The caller can be told without asking the database."""
        credential = request.headers.get("authorization", "").partition(" ")[2].strip() or self.session(request)
        with self._lock:
            at, _ = self._known.get(digest(credential or ""), (0.0, None))
            return time.monotonic() - at < KNOWN_SECONDS


class GuardedRoute(APIRoute):
    """A route that the matrix of permissions opens or closes before the body is looked at."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        super().__init__(path, endpoint, **more)
        self.permissions = {
            m: permissions.matrix()[m, path] for m in self.methods or ()
        }  # a method without a row is a KeyError here, so that the program does not start

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler behind the door."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            permission = self.permissions["GET" if request.method == "HEAD" else request.method]
            request.state.permission = permission
            if permission.open:
                request.app.state.limits.stranger(request)
            else:
                refusal = await admit(request, permission)
                if refusal is not None:
                    return refusal
            return await handle(request)

        return guarded


async def admit(request: Request, permission: permissions.Permission) -> Response | None:
    """The caller is known, may come in, and stands in `request.state.caller`; a page sends strangers to sign in.

    Raises:
        UnauthenticatedError, ForbiddenError: why not.
    """
    service = request.app.state.service
    door: Door = request.app.state.door
    limits = request.app.state.limits
    try:
        caller = door.caller(request) if door.known(request) else await service.run(door.caller, request)
    except UnauthenticatedError:
        limits.stranger(request)
        if request.app.state.wants_page(request):
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            asked = {"next": here} if request.method in SAFE else {}
            lang = request.query_params.get("lang")
            address = "/sign-in?" + urlencode(asked | ({"lang": lang} if lang in ("vi", "en") else {}))
            return RedirectResponse(address, status_code=303, headers={"cache-control": "no-store"})
        raise
    request.state.caller = caller
    request.app.state.limits.account(caller)
    permissions.check(permission, caller)
    if request.method not in SAFE and caller.via == "session":
        await check_csrf(request, caller)
    return None


async def check_csrf(request: Request, caller: Caller) -> None:
    """The request comes from a page of ours and not from somebody else's.

    Raises:
        ForbiddenError: the token is missing or wrong, or the browser says that another site sent it.
    """
    sent = request.headers.get(CSRF_HEADER)
    if sent is None and request.headers.get("content-type", "").partition(";")[0].strip().lower() in FORMS:
        await request.body()  # kept, so that the route can read it again
        field = (await request.form(max_files=1, max_fields=100)).get(CSRF_FIELD)
        sent = field if isinstance(field, str) else None
    foreign = request.headers.get("sec-fetch-site") == "cross-site"
    if foreign or sent is None or not hmac.compare_digest(sent.encode(), caller.csrf.encode()):
        raise ForbiddenError("This form was not made by this session; open the page again and send it from there.")


def caller_of(request: Request) -> Caller:
    """Who sent a request that the door let in."""
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller
