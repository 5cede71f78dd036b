"""What the routes share: the matchmaker, the directory of records, and the bounded pool that works for them."""

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast, runtime_checkable

import anyio
import anyio.to_thread
import polars as pl
from starlette.requests import Request

from api.directory import Directory
from api.guard import client_address
from matcher.errors import MatcherError, SourceError, StaleArtefactError
from matcher.jobs import opening
from matcher.records import Facts, Filters, Match, MatchList, Query
from matcher.store import Store
from matcher.store.desk import Acting, Desk

if TYPE_CHECKING:
    from matcher.jobs.pairs import ServedList

T = TypeVar("T")
_log = logging.getLogger("api")

WORKERS = os.cpu_count() or 1
MAX_WAITING = 64
"""Requests that may wait for a worker; at 0.1 s each the last one waits about 3 s on two cores. More are told to
come back: a queue that only grows answers nobody."""


class BusyError(MatcherError):
    """More requests wait than this machine can serve soon."""


class Tables(Protocol):
    """The part of the store that is read here."""

    def read(self, table: str) -> pl.DataFrame:
        """Rows of a table of facts as they stand."""
        ...

    def revision(self) -> int:
        """A number that grows with every accepted change."""
        ...


class Apart(Protocol):
    """One reason's part in the first pair's score and in the second's."""

    @property
    def reason(self) -> str:
        """Key of the reason."""
        ...

    @property
    def first(self) -> float:
        """Part in the score of the pair."""
        ...

    @property
    def second(self) -> float:
        """Part in the score of the partner that it is compared with."""
        ...

    @property
    def label(self) -> Mapping[str, str]:
        """Name of the reason, 'vi' and 'en'."""
        ...

    @property
    def first_value(self) -> Mapping[str, str]:
        """What is on record of the pair's partner."""
        ...

    @property
    def second_value(self) -> Mapping[str, str]:
        """What is on record of the other."""
        ...

    @property
    def first_known(self) -> bool:
        """Something is known of the pair's partner."""
        ...

    @property
    def second_known(self) -> bool:
        """Something is known of the partner that it is compared with."""
        ...


class Explained(Protocol):
    """Why a pair got its score; `matcher.matching.contrast.Explanation` is one."""

    @property
    def match(self) -> Match:
        """The pair with its evidence."""
        ...

    @property
    def ahead(self) -> Mapping[str, str] | None:
        """Why the first of the project's list is ahead of this partner; None for the first itself."""
        ...

    @property
    def following(self) -> Match | None:
        """The partner that it is compared with."""
        ...

    @property
    def chosen(self) -> bool:
        """Somebody asked to compare with `following`, which need not be the next candidate."""
        ...

    @property
    def sentence(self) -> Mapping[str, str] | None:
        """Who of the two is ahead and why."""
        ...

    @property
    def contrast(self) -> Sequence[Apart]:
        """What sets the two apart, largest difference first."""
        ...

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The explanation as JSON object."""
        ...


class Matchmaking(Protocol):
    """The part of `matcher.jobs.matchmaker.Matchmaker` that is used here."""

    @property
    def store(self) -> Tables:
        """The database."""
        ...

    @property
    def as_of(self) -> date:
        """The day that questions without one are answered for."""
        ...

    @property
    def facts(self) -> Facts:
        """The facts that matches are made of, as they stand."""
        ...

    @property
    def revision(self) -> int:
        """The newest batch in `facts`; the store may be ahead."""
        ...

    def match(
        self,
        query: Query,
        *,
        n: int = 10,
        filters: Filters = ...,
        as_of: date | None = None,
        cursor: str | None = None,
    ) -> MatchList:
        """Ranked matches."""
        ...

    def explain(self, project_id: str, partner_id: str, *, against: str | None = None) -> Explained:
        """Evidence of one pair, and the contrast with the next candidate or the one `against`."""
        ...

    def engines(self) -> list[Mapping[str, Any]]:
        """Manifests of the fitted engines, the one in use first."""
        ...

    def check(self) -> Mapping[str, str]:
        """What was checked just now -> 'ok' or what is wrong: database, artefact, model."""
        ...


@runtime_checkable
class Keeping(Protocol):
    """A matchmaker that has lists which were made before."""

    def kept(self, query: Query, *, n: int, cursor: str | None, lang: str) -> "ServedList | None":
        """A page of such a list; None where `match` has to answer."""
        ...

    def at_hand(self, query: Query, *, n: int, cursor: str | None, lang: str) -> "ServedList | None":
        """The same where it lies ready in memory; never waits."""
        ...

    def stamp(self, query: Query) -> tuple[object, ...]:
        """What an answer to the query is made of now; equal stamp, equal answer."""
        ...


class Service:
    """One per process.

    Args:
        make: opens the matchmaker; called again after a failure, so that a repaired installation is served
            without a restart.
        desk: opens the door to the database through which callers work; called again after a failure, too.
    """

    def __init__(self, make: Callable[[], Matchmaking], desk: Callable[[], AbstractContextManager[Desk]]) -> None:
        self._make, self._open_desk = make, desk
        self._stack = ExitStack()
        self._desk: Desk | None = None
        self._lock = threading.Lock()
        self._matchmaker: Matchmaking | None = None
        self._directory: tuple[object, Directory] | None = None
        self._limiter: anyio.CapacityLimiter | None = None
        self.closing = False
        """The process was told to end: it is no longer ready."""

    @classmethod
    def of(cls, request: Request) -> "Service":
        """The service of the application that a request came to."""
        service = request.app.state.service
        assert isinstance(service, cls)
        return service

    async def run(self, work: Callable[..., T], *args: object) -> T:
        """The result of `work(*args)`, done by one of `WORKERS` threads while other requests go on.

        Raises:
            BusyError: too many requests wait already.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(WORKERS)
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
            raise BusyError(f"{MAX_WAITING} requests wait already; come back in a few seconds.")
        return await anyio.to_thread.run_sync(work, *args, limiter=self._limiter)

    @property
    def waiting(self) -> int:
        """Requests that wait for a worker."""
        return 0 if self._limiter is None else self._limiter.statistics().tasks_waiting

    @property
    def present(self) -> tuple[Desk | None, Matchmaking | None]:
        """What is open; nothing is opened."""
        return self._desk, self._matchmaker

    @property
    def desk(self) -> Desk:
        """The door to the database, opened when first needed.

        Raises:
            SourceError: the database does not answer, or its schema is not that of this program.
        """
        with self._lock:
            if self._desk is None:
                self._desk = self._stack.enter_context(self._open_desk())
            return self._desk

    def acting(self, request: Request) -> AbstractContextManager[Acting]:
        """One transaction in which the caller of the request reads and writes, and only what he may."""
        return self.desk.acting(
            request.state.caller.account_id,
            origin=client_address(request),
            request_id=request.scope["state"]["request_id"],
        )

    @property
    def opened_matchmaker(self) -> Matchmaking | None:
        """The matchmaker if it is open; never waits."""
        return self._matchmaker

    @property
    def opened_directory(self) -> Directory | None:
        """The records as they were last read, for names that may be a moment old; never waits."""
        return None if self._directory is None else self._directory[1]

    @property
    def matchmaker(self) -> Matchmaking:
        """The matchmaker, opened when first needed.

        Raises:
            SourceError: database, artefact or model is missing.
        """
        with self._lock:
            if self._matchmaker is None:
                self._matchmaker = self._make()
            return self._matchmaker

    @property
    def directory(self) -> Directory:
        """The records as they stand; made anew when the store or the day has changed.

        They can be read while there is no engine; only matches need one.
        """
        matchmaker = self.matchmaker
        key = (matchmaker.store.revision(), matchmaker.as_of)
        with self._lock:
            if self._directory is not None and self._directory[0] == key:
                return self._directory[1]
        try:
            behind = matchmaker.revision < key[0]  # asked first: what is in service may become newer, never older
            facts = matchmaker.facts
        except (SourceError, StaleArtefactError):
            behind = True
        if behind or facts.as_of != key[1]:  # what was just written is listed before matches can be made of it
            facts = opening.facts(cast(Store, matchmaker.store), key[1])
        with self._lock:
            if self._directory is None or self._directory[0] != key:
                missions, accreditation = matchmaker.store.read("missions"), matchmaker.store.read("accreditation")
                self._directory = (key, Directory(facts, missions=missions, accreditation=accreditation))
            return self._directory[1]

    def warm(self) -> None:
        """Opens everything before the first request needs it; what is missing is told by `/readyz`."""
        try:
            _ = self.desk, self.directory
        except Exception as error:  # a background start must never end the program
            _log.warning("not ready: %s", error)

    def close(self) -> None:
        """Lets the matchmaker close what it opened."""
        with self._lock:
            close = getattr(self._matchmaker, "close", None)
            self._matchmaker = self._directory = self._desk = None
        self._stack.close()
        if close is not None:
            close()
