"""The door of the service to the database: one transaction per piece of work, under the account that it is done for.

Connections come from a pool and work as the role `matcher_app`, which row-level security closes to everything but
what the account of the transaction may see and write. Without an account a transaction sees nothing.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool, PoolTimeout

from matcher.errors import SourceError
from matcher.identity import SERVICE, Caller
from matcher.records import MatchList
from matcher.store import accounts, feedback, migrate
from matcher.store.store import AS_APP, Store, translated

WAIT_SECONDS = 5.0
STATEMENT_SECONDS = 30
_ACT = (
    "SELECT set_config('app.actor', %s, true), set_config('app.who', %s, true), set_config('app.origin', %s, true),"
    " set_config('app.request', %s, true)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """An open transaction under an account. `store` writes and reads in the same transaction."""

    cursor: psycopg.Cursor
    store: Store
    account_id: int


class Desk:
    """A pool of connections; several threads share it, each with a transaction of its own.

    Args:
        url: gives the libpq URL; asked again for every new connection, since a restarted server may have moved.
        size: connections kept at most.
    """

    def __init__(self, url: Callable[[], str], *, size: int = 8) -> None:
        self._pool = ConnectionPool(
            connection_class=_connection_class(url),
            min_size=0, max_size=size, timeout=WAIT_SECONDS, max_idle=300, open=True, name="desk",
            check=ConnectionPool.check_connection, reconnect_timeout=1,
        )  # fmt: skip

    @classmethod
    def open(cls, url: str | Callable[[], str], *, size: int = 8) -> Self:
        """The desk of a database that this program's migrations have been run on.

        Raises:
            SourceError: the database does not answer, is empty, or is older or newer than the program.
        """
        made = cls(url if callable(url) else lambda: url, size=size)
        try:
            with translated(), made._connection() as connection:
                migrate.check_current(migrate.current(connection))
        except BaseException:
            made.close()
            raise
        return made

    def close(self) -> None:
        """Connections are given back; work that is under way comes to its end first."""
        self._pool.close()

    @contextlib.contextmanager
    def acting(self, account_id: int, *, origin: str = "", request_id: str = "", who: str = "") -> Iterator[Acting]:
        """One transaction under an account; it is kept when the block ends well, else nothing of it is.

        Args:
            origin: where the request came from, for the audit.
            request_id: ties the audit to the log.
            who: under whose name it is audited; default: the pseudonym of the account.

        Raises:
            SourceError: the database does not answer.
            ConflictError, InputError: the database refuses what is written.
        """
        with (
            translated(), self._connection() as connection, connection.transaction(), connection.cursor() as cursor
        ):  # fmt: skip
            cursor.execute(_ACT, [str(account_id), who or f"u{account_id}", origin[:200], request_id])
            yield Acting(cursor=cursor, store=Store.on(connection), account_id=account_id)

    def of_key(self, secret: str) -> Caller | None:
        """Who a key belongs to; None when it lets nobody in."""
        with self.acting(SERVICE) as work:
            return accounts.of_key(work.cursor, secret)

    def of_session(self, secret: str) -> Caller | None:
        """Who a session belongs to; None when it has ended."""
        with self.acting(SERVICE) as work:
            return accounts.of_session(work.cursor, secret)

    def sign_in(self, login: str, password: str, *, origin: str, request_id: str) -> accounts.SignIn:
        """A session where the password is right; every attempt is audited, without what was typed."""
        with self.acting(SERVICE, origin=origin, request_id=request_id) as work:
            done = accounts.sign_in(work.cursor, login, password)
            action = "signed in" if done.caller else "locked out" if done.locked_seconds else "sign-in refused"
            who = "nobody" if done.caller is None else done.caller.pseudonym
            audit(work.cursor, action, who=who, account_id=done.account_id, origin=origin, request_id=request_id)
            return done

    def sign_out(self, secret: str) -> None:
        """The session has ended."""
        with self.acting(SERVICE) as work:
            accounts.sign_out(work.cursor, secret)

    def log_exposures(self, lists: Sequence[tuple[MatchList | feedback.Kept, feedback.Shown]]) -> list[int]:
        """The lists that were shown are on record, all or none, in one transaction; gives their identifiers.

        Raises:
            InputError: a list was not made from a store, or it is not said properly to whom it was shown.
            SourceError: the database does not answer.
        """
        with (
            translated(), self._connection() as connection, connection.pipeline(), connection.transaction(),
            connection.cursor() as cursor,
        ):  # fmt: skip
            # Waiting for the disk would be most of a request's time. A server that crashes may lose the lists of its
            # last half second; a killed process of the service loses none.
            cursor.execute(f"{_ACT}, set_config('synchronous_commit', 'off', true)", [str(SERVICE), "", "", ""])
            return feedback.log_exposures(cursor, lists)

    def check(self) -> None:
        """A connection of the pool works as the service's account, on the schema of this program.

        Raises:
            SourceError: it does not.
        """
        with self.acting(SERVICE) as work:
            migrate.check_current(migrate.current(work.cursor.connection))

    def audit(
        self, caller: Caller, action: str, details: Mapping[str, Any], *, origin: str, request_id: str
    ) -> None:  # fmt: skip
        """It is on record that the caller did this."""
        with self.acting(caller.account_id, origin=origin, request_id=request_id) as work:
            audit(
                work.cursor, action, who=caller.pseudonym, account_id=caller.account_id, origin=origin,
                request_id=request_id, details=details,
            )  # fmt: skip

    def stats(self) -> dict[str, int]:
        """Numbers of the pool: its size, free connections, requests that wait."""
        return self._pool.get_stats()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        try:
            connection = self._pool.getconn()
        except PoolTimeout as error:
            raise SourceError(
                "The database does not answer, or every connection is taken. Check that it runs; come back in a few "
                "seconds."
            ) from error
        try:
            yield connection
        finally:
            self._pool.putconn(connection)


def _connection_class(url: Callable[[], str]) -> type[psycopg.Connection]:
    class Moving(psycopg.Connection):
        """A connection that asks for the URL when it is made."""

        @classmethod
        def connect(cls, conninfo: str = "", **kwargs: object) -> Self:  # noqa: ARG003 - the pool gives none
            return super().connect(
                url(), autocommit=True, connect_timeout=5, application_name="matcher-api",
                options=f"{AS_APP} -c statement_timeout={STATEMENT_SECONDS}s -c timezone=UTC"
                " -c idle_in_transaction_session_timeout=60s",
            )  # fmt: skip

    return Moving


def audit(
    cursor: psycopg.Cursor, action: str, *, who: str, account_id: int | None, origin: str, request_id: str,
    details: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """It is on record who did this, and from where."""
    cursor.execute(
        "INSERT INTO audit (actor, action, details, account_id, origin, request_id) VALUES (%s, %s, %s, %s, %s, %s)",
        [who, action, Jsonb(dict(details or {})), account_id, origin[:200], request_id],
    )
