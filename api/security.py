"""What every request meets first: its host, its size, its content type; and the headers every answer carries."""

import logging
import re
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import problem
from api.guard import PASSED_ON

MAX_BODY_BYTES = 1 << 20
MAX_FILE_BYTES = 20 << 20
FILE_PATHS = ("/v1/imports", "/imports")
"""Where files are sent; the rest of the service takes no larger body than `MAX_BODY_BYTES`."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Host names that are answered without any setting: a web page of somebody else cannot reach the service under a name
of its own (DNS rebinding)."""

HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # no-referrer would make a browser send our own forms with Origin: null
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger("api")


class Gate:
    """The outermost layer: host, body size, request id, security headers, HEAD, and a last word on a crash.

    Args:
        app: what is guarded.
        hosts: names in the Host header that are answered, without port.
        local: nobody but this machine is served, by no proxy.
        failed: makes the answer to an unforeseen error.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: tuple[str, ...], local: bool, failed: Callable[[Request], Response]
    ) -> None:
        self._app, self._hosts, self._failed = app, frozenset(h.lower() for h in hosts), failed
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = False
        head = scope["method"] == "HEAD"
        limit = most_bytes(scope["path"])
        if head:
            scope["state"]["head"] = True
            scope = {**scope, "method": "GET"}  # a copy: the server must still know that no body is due

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                answer = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answer.setdefault(name, value)
                answer["x-request-id"] = request_id
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, guarded_send)
            return
        try:
            await self._app(scope, _limited(receive, limit), guarded_send)
        except Exception:
            _log.exception("request %s failed", request_id)
            if started:  # half an answer cannot be taken back; the server cuts the connection
                raise
            await self._failed(Request(scope))(scope, receive, guarded_send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self._hosts:
            return problem(
                status=400, kind="host", title="Host not served", instance=scope["path"],
                detail=f"Host is {', '.join(hosts) or 'missing'!r}; this service answers only to its own names, which "
                "MATCHER_HOSTS sets.",
            )  # fmt: skip
        passed_on = [h for h in PASSED_ON if h in headers]
        if self._local and passed_on:
            return problem(
                status=400, kind="host", title="Host not served", instance=scope["path"],
                detail=f"A proxy passed this request on ({', '.join(passed_on)}), and this service is set up for its "
                "own machine only; set MATCHER_HOSTS to the names under which it is served.",
            )  # fmt: skip
        length, limit = headers.get("content-length", ""), most_bytes(scope["path"])
        if length.isdecimal() and (len(length) > 18 or int(length) > limit):
            return problem(
                status=413, kind="too-large", title="Body too large", instance=scope["path"],
                detail=f"The body has {length[:30]} bytes; at most {limit} are read.",
                headers={"connection": "close"},
            )  # fmt: skip
        return None


def host_name(host: str) -> str | None:
    """The name in a Host header, lower case, without port or brackets; None when it is not one."""
    if not host or any(c in host for c in "/?#@\\ "):
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # not a number: refused
    except ValueError:
        return None
    return parts.hostname


def most_bytes(path: str) -> int:
    """The largest body that an address takes."""
    large = any(path == p or path.startswith(f"{p}/") for p in FILE_PATHS)
    return MAX_FILE_BYTES if large else MAX_BODY_BYTES


def _limited(receive: Receive, limit: int) -> Receive:
    """`receive` that refuses to read on when a body without a declared length grows too large."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, f"The body is larger than {limit} bytes.", headers={"connection": "close"})
        return message

    return limited


async def json_only(request: Request) -> None:
    """The body is declared as JSON.

    Raises:
        HTTPException: 415, for another content type, a form sent by a web page among them.
    """
    media, _, params = request.headers.get("content-type", "").partition(";")
    charset = params.strip().lower().removeprefix("charset=").strip('"')
    patch = request.method == "PATCH" and media.strip().lower() == "application/merge-patch+json"
    if (media.strip().lower() != "application/json" and not patch) or charset not in ("", "utf-8", "utf8"):
        seen = request.headers.get("content-type") or "missing"
        raise HTTPException(415, f"Content-Type is {seen}; send application/json in UTF-8.")
