"""Every list of matches is on record before its answer goes out; lists that are ready together are written together.

A request hands its list in and waits; one thread writes all lists that wait, in one transaction of the service's own
account, and wakes their requests. A list that cannot be put on record is not shown.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from starlette.requests import Request
from starlette.responses import Response

from api import observing
from api.guard import caller_of
from api.schemas import Lang
from api.service import BusyError, Service
from matcher.errors import SourceError
from matcher.records import MatchList
from matcher.store.feedback import Kept, Shown

HEADER = "x-exposure-id"
GROUP = 256
"""Lists written by one transaction at most."""
MAX_WAITING = 2048
"""Lists that may wait; at 1 ms each the last one waits 2 s."""

Listed = tuple[MatchList | Kept, Shown]


class Book(Protocol):
    """The part of `matcher.store.desk.Desk` that puts lists on record."""

    def log_exposures(self, lists: Sequence[Listed]) -> list[int]:
        """The lists are on record, all or none; gives their identifiers."""
        ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    listed: Listed
    told: asyncio.Future[int]
    loop: asyncio.AbstractEventLoop


class Writer:
    """One per process.

    Args:
        book: gives what writes; asked for every group.
    """

    def __init__(self, book: Callable[[], Book]) -> None:
        self._book = book
        self._waiting: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def log(self, found: MatchList | Kept, shown: Shown) -> int:
        """The list is on record; gives its identifier.

        Raises:
            SourceError: the database does not answer, or the service is closing.
            BusyError: too many lists wait already.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[int] = loop.create_future()
        with self._wake:
            if self._closed:
                raise SourceError("The service is closing; come back in a few seconds.")
            if len(self._waiting) >= MAX_WAITING:
                raise BusyError(f"{MAX_WAITING} lists wait to be put on record; come back in a few seconds.")
            self._waiting.append(_Waiting((found, shown), told, loop))
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="exposures", daemon=True)
                self._thread.start()
            self._wake.notify()
        return await told

    def close(self) -> None:
        """What waits is written; nothing more is taken."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _write(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closed:
                    self._wake.wait()
                group = [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]
            if not group:
                return
            self._log(group)

    def _log(self, group: Sequence[_Waiting]) -> None:
        try:
            ids = self._book().log_exposures([w.listed for w in group])
        except SourceError as error:
            _tell(group, [error] * len(group))
        except Exception as error:  # the request that waits is told, whatever it is
            if len(group) == 1:
                _tell(group, [error])
                return
            for one in group:  # a list that is refused takes no other one with it
                self._log([one])
        else:
            observing.EXPOSURES.inc(len(ids))
            _tell(group, ids)


def _tell(group: Sequence[_Waiting], results: Sequence[int | Exception]) -> None:
    """Wakes the requests, with one call into each loop."""
    of_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], int | Exception]]] = {}
    for one, result in zip(group, results, strict=True):
        of_loop.setdefault(one.loop, []).append((one.told, result))
    for loop, told in of_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_wake, told)


def _wake(told: Sequence[tuple[asyncio.Future[int], int | Exception]]) -> None:
    for future, result in told:
        if future.done():  # its request was given up; the list stays on record
            continue
        if isinstance(result, int):
            future.set_result(result)
        else:
            future.set_exception(result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An answer and the list of matches that it shows; None where it shows none."""

    response: Response
    found: MatchList | Kept | None
    lang: Lang


async def answer(
    request: Request, work: Callable[[], Served], *, ready: Served | None = None,
    channel: Literal["api", "page"] = "api",
) -> Response:  # fmt: skip
    """The answer that a worker thread makes, sent only once its list is on record; `X-Exposure-Id` names the record.

    Args:
        ready: the answer where no worker is needed.

    Raises:
        SourceError: the list could not be put on record.
    """
    served = await Service.of(request).run(work) if ready is None else ready
    return await show(request, served, channel=channel)


async def show(request: Request, served: Served, *, channel: Literal["api", "page"] = "api") -> Response:
    """The answer, once its list is on record."""
    if served.found is None or request.scope["state"].get("head"):  # of a HEAD request nothing is shown
        return served.response
    caller = caller_of(request)
    writer: Writer = request.app.state.exposures
    made = await writer.log(
        served.found,
        Shown(
            channel=channel, lang=served.lang, actor=caller.pseudonym, role=caller.role, mission_id=caller.mission_id
        ),
    )
    served.response.headers[HEADER] = str(made)
    return served.response
