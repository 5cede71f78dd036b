"""How much one caller may ask, how long a request may take, and how slowly it may be sent.

All limits hold per worker process.
"""

import asyncio
import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.guard import TooManyError, client_address
from matcher.identity import Caller

BURST = 4
"""Seconds' worth of requests that may come at once."""
FAILURES, FAILURES_A_MINUTE = 20, 10
"""Wrong passwords from one address: so many at once, and so many a minute after that."""
REMEMBERED = 10_000
"""Accounts and addresses whose requests are counted; the one that was quiet longest is forgotten first."""

BODY_SECONDS = 20.0
REQUEST_SECONDS = 60.0
HEAD_SECONDS = 20.0
HEAD_BYTES = 64 * 1024


class Buckets:
    """One token bucket per name.

    Args:
        rate: tokens a second; 0: everything passes.
        size: tokens of a full bucket.
    """

    def __init__(self, rate: float, size: float) -> None:
        self._rate, self._size = rate, size
        self._left: OrderedDict[object, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, name: object) -> int:
        """Seconds until the bucket holds a token; 0 when it does."""
        return self._look(name, 0.0)

    def take(self, name: object) -> int:
        """A token is taken: 0; or seconds until there is one."""
        return self._look(name, 1.0)

    def give(self, name: object) -> None:
        """A token that was taken is given back."""
        with self._lock:
            left, at = self._left.get(name, (self._size, time.monotonic()))
            self._left[name] = (min(self._size, left + 1.0), at)

    def _look(self, name: object, taken: float) -> int:
        if not self._rate:
            return 0
        now = time.monotonic()
        with self._lock:
            left, at = self._left.pop(name, (self._size, now))
            left = min(self._size, left + (now - at) * self._rate)
            short = max(0.0, 1.0 - left)
            self._left[name] = (left if short else left - taken, now)
            while len(self._left) > REMEMBERED:
                self._left.popitem(last=False)
        return math.ceil(short / self._rate) if short else 0


class Limits:
    """What one caller may ask of this process.

    Args:
        rate: requests a second of one account, and of one address without sign-in; `BURST` times as many at once.
            0: no limit.
    """

    def __init__(self, rate: float) -> None:
        self._accounts = Buckets(rate, rate * BURST)
        self._strangers = Buckets(rate, rate * BURST)
        self._failures = Buckets(FAILURES_A_MINUTE / 60, FAILURES)

    def account(self, caller: Caller) -> None:
        """The caller may ask this, too.

        Raises:
            TooManyError: not so soon.
        """
        _refuse(self._accounts.take(caller.account_id), "This account sends too many requests")

    def stranger(self, request: Request) -> None:
        """Somebody without a key or session that is known asks this: both are too long to be guessed.

        Raises:
            TooManyError: not so soon.
        """
        _refuse(self._strangers.take(address_of(request)), "Too many requests without sign-in come from this address")

    def tried(self, request: Request) -> None:
        """A password is tried from here.

        Raises:
            TooManyError: too many wrong ones came from here.
        """
        _refuse(self._failures.take(address_of(request)), "Too many wrong passwords come from this address")

    def untried(self, request: Request) -> None:
        """The password was right, or nobody could look at it: it does not count."""
        self._failures.give(address_of(request))


def _refuse(seconds: int, why: str) -> None:
    if seconds:
        raise TooManyError(f"{why}; come back in {seconds} s.", seconds)


def address_of(request: Request) -> str:
    """The client's address, as the proxy on this machine gives it; of IPv6 the part that one client has to itself."""
    host = client_address(request)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else str(ipaddress.ip_network((host, 64), strict=False))


class Patience:
    """A layer that ends what takes too long: a body that does not come, an answer that is not made.

    Args:
        app: what is called.
        late: makes the answer to a request whose time is over.
    """

    def __init__(self, app: ASGIApp, *, late: Callable[[Request], Response]) -> None:
        self._app, self._late = app, late

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        answer = _Answer(scope, send)
        timer = loop.call_later(REQUEST_SECONDS, answer.give_up, self._late)
        try:
            await self._app(scope, _in_time(receive, loop), answer.send)
        except Exception:
            if answer.late is None:
                raise
        finally:
            timer.cancel()
            if answer.late is not None:
                await answer.late


class _Answer:
    """Where an answer goes: what comes after its time is over goes nowhere, for the client was told already."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._started = False
        self.late: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """A part of the answer."""
        if self.late is None:
            self._started = True
            await self._send(message)

    def give_up(self, late: Callable[[Request], Response]) -> None:
        """The client is told that time is over, unless its answer is on the way. The work goes on to its end."""
        if not self._started:
            self.late = asyncio.ensure_future(late(Request(self._scope))(self._scope, _nothing, self._send))


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _in_time(receive: Receive, loop: asyncio.AbstractEventLoop) -> Receive:
    """`receive` that does not wait for a body for ever."""
    until: float | None = None
    whole = False

    async def timed() -> Message:
        nonlocal until, whole
        if whole:  # what comes now is that the client is gone, which may take as long as it likes
            return await receive()
        until = loop.time() + BODY_SECONDS if until is None else until
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise HTTPException(
                503, f"The body did not come within {BODY_SECONDS:.0f} seconds.", headers={"connection": "close"}
            ) from None
        whole = not message.get("more_body", False)
        return message

    return timed


class Careful(HttpToolsProtocol):
    """uvicorn's protocol for clients that send the head of a request slowly or without end: they are cut off."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there; its first request has to come soon."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        super().data_received(data)
        if self._head is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if self._head is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head = self.loop.call_later(HEAD_SECONDS, self._cut)

    def _head_came(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _cut(self) -> None:
        self._head = None
        if not self.transport.is_closing():
            self.transport.close()
