"""The one door to the database: appends, reads as of a day, audit, vectors and the registry of engines.

Facts are never changed or deleted: `append` writes the rows that differ from the present ones as new versions,
all or none, and `read` serves one version per key.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import psycopg
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from matcher.errors import ConflictError, ForbiddenError, InputError, MatcherError, SourceError
from matcher.records import DAY, TABLES, MatchList
from matcher.store import feedback, frames, migrate, schema, trail, undoing

LOCK_SECONDS = 60
_WRITERS = 0x6D61_7472  # advisory lock: one writer at a time, so that batches are ordered as they were accepted
_SEARCHED = {
    "projects": ("project_id", "name_vi", "name_en", "place"),
    "partners": ("partner_id", "name", "name_local"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One accepted write: which table, from which source, by whom, when, and how many rows it changed.

    `n_rows` is 0 when the table already said all of this; `id` is then the table's newest batch (0: none).
    """

    id: int
    table: str
    source: str
    actor: str
    recorded_at: datetime
    n_rows: int
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what, and when."""

    id: int
    at: datetime
    actor: str
    action: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """A fitted engine that was registered: its id, its folder and its manifest."""

    engine_id: str
    path: str
    manifest: Mapping[str, Any]
    recorded_at: datetime


class Store:
    """An open database; several threads may share it, one statement at a time."""

    def __init__(self, url: str | Callable[[], str], *, acting: int | None = None) -> None:
        self._url = url if callable(url) else lambda: url
        self._acting = acting
        self._lock = threading.RLock()
        self._connection: psycopg.Connection | None = None
        self._lent = False

    @classmethod
    def open(cls, url: str | Callable[[], str], *, acting: int | None = None) -> Self:
        """The store behind a libpq URL, connected and checked; its tables may still have to be created.

        Args:
            url: or what gives it, asked again for every new connection, since a restarted server may have moved.
            acting: account under which the service works, as the role `matcher_app`; None: as the owner of the tables.

        Raises:
            InputError: the URL cannot be read.
            SourceError: the server does not answer, refuses the login, or is too old.
        """
        store = cls(url, acting=acting)
        with store._cursor():
            return store

    @classmethod
    def on(cls, connection: psycopg.Connection) -> Self:
        """The store on a connection that somebody else opened and closes, inside his transaction."""
        store = cls("")
        store._connection, store._lent = connection, True
        return store

    def close(self) -> None:
        """The connection is given back; the store must not be used any more."""
        with self._lock:
            if self._connection is not None and not self._lent:
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `close`."""
        self.close()

    # --- schema -------------------------------------------------------------------------------------------------

    def migrate(self) -> bool:
        """The database has the schema of this program; true when something had to be done.

        Raises:
            SourceError: it belongs to a newer program, or the server lacks what the schema needs.
        """
        with self._cursor() as cursor:
            found = migrate.current(cursor.connection)
        if found == schema.HEAD:
            return False
        if found is not None and found > schema.HEAD:
            migrate.check_current(found)
        with translated():
            migrate.to(self._url(), "head")
        return True

    # --- facts --------------------------------------------------------------------------------------------------

    def append(
        self, table: str, frame: pl.DataFrame, *, source: str, actor: str, key: str | None = None,
        expected: pl.DataFrame | None = None,
    ) -> Batch:  # fmt: skip
        """The table says what the frame says: changed and new rows are written as one batch, equal ones are not.

        Rows of the table that the frame does not mention stay. Either everything is written, with its batch and
        an audit entry, or nothing is.

        Args:
            table: a name in `TABLES`.
            frame: the columns of `TABLES[table]`, exactly.
            source: where the rows come from (file or publisher).
            actor: who writes.
            key: names this request, so that repeating it returns the first batch; default: the content's hash.
            expected: what the table says now under the keys of the frame, as the caller read it, keys without a row
                left out; the audit then keeps both. Default: whatever it says.

        Raises:
            InputError: a row or column is not as `TABLES` demands.
            ConflictError: the key was used for other content, the table says something else than expected, or another
                writer holds it too long.
        """
        _known(table)
        frames.check(table, frame)
        content = frames.content_hash(table, frame)
        columns = schema.names(tuple(TABLES[table].columns))
        name, view = sql.Identifier(table), sql.Identifier(f"{table}_now")
        with self._cursor() as cursor, cursor.connection.transaction():
            self._alone(cursor)
            if key is not None:
                repeated = self._batch_of(cursor, table, key)
                if repeated is not None and repeated.content_hash != content:
                    raise ConflictError(f"Request {key!r} already wrote other rows to {table}; use a new key.")
                if repeated is not None:
                    return repeated
            cursor.execute(
                sql.SQL("CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
                    columns, name
                )
            )
            with cursor.copy(sql.SQL("COPY incoming ({}) FROM STDIN (FORMAT csv)").format(columns)) as copy:
                copy.write(frames.to_csv(frame))
            if expected is not None:
                self._refuse_unexpected(cursor, table, expected)
            # EXCEPT, unlike a join, takes two nulls for equal.
            cursor.execute(
                sql.SQL(
                    "CREATE TEMP TABLE changed ON COMMIT DROP AS SELECT {c} FROM incoming EXCEPT SELECT {c} FROM {v}"
                ).format(c=columns, v=view)
            )
            n_rows = cursor.rowcount
            if n_rows == 0:
                return self._unchanged(cursor, table, source=source, actor=actor, content=content)
            cursor.execute(
                "INSERT INTO batch (table_name, key, source, actor, recorded_at, n_rows, content_hash)"
                " VALUES (%s, %s, %s, %s, clock_timestamp(), %s, %s) RETURNING id, recorded_at",
                [table, key or content, source, actor, n_rows, content],
            )
            batch_id, recorded_at = _one(cursor)
            instant = sql.Literal(recorded_at)
            cursor.execute(
                sql.SQL(
                    "INSERT INTO {name} ({columns}, batch_id, valid_on, recorded_at)"
                    " SELECT {columns}, {batch}, {valid_on}, {instant} FROM changed ORDER BY {key}"
                ).format(
                    name=name,
                    columns=columns,
                    batch=sql.Literal(batch_id),
                    valid_on=schema.valid_on(table, instant),
                    instant=instant,
                    key=schema.names(TABLES[table].key),
                )
            )
            details = {"table": table, "batch": batch_id, "source": source, "rows": frame.height, "changed": n_rows}
            rows = {} if expected is None else {"old": frames.to_json(expected), "new": frames.to_json(frame)}
            self._audit(cursor, "append", actor=actor, details=details, **rows)
        return Batch(
            id=batch_id,
            table=table,
            source=source,
            actor=actor,
            recorded_at=recorded_at,
            n_rows=n_rows,
            content_hash=content,
        )

    def read(
        self, table: str, *, as_of: date | None = None, known_at: datetime | None = None, revision: int | None = None
    ) -> pl.DataFrame:
        """One row per key, sorted by key: what was true or public on `as_of`, as we knew it at `known_at`.

        Without `as_of` every row is served whatever its date, without `known_at` the newest knowledge; `revision`
        leaves out what later batches brought, whatever the clock said when they came.
        `schema.DATING` says which date of a row counts. Deals and footprint carry the extra column `counts_from`.
        """
        _known(table)
        if known_at is not None and known_at.tzinfo is None:
            raise InputError(f"known_at {known_at.isoformat()} has no time zone; give one, for example +00:00.")
        extra: dict[str, pl.DataType] = {"counts_from": DAY} if table in schema.COUNTED else {}
        with self._cursor(binary=True) as cursor:
            cursor.execute(schema.state(table), {"as_of": as_of, "known_at": known_at, "revision": revision})
            return frames.from_rows(table, cursor.fetchall(), extra)

    def search(self, table: str, text: str, *, limit: int = 20) -> list[str]:
        """Ids of projects or partners whose id or names contain every word of the text, diacritics ignored."""
        if table not in _SEARCHED:
            raise InputError(f"Table {table!r} cannot be searched; expected one of {', '.join(_SEARCHED)}.")
        columns = _SEARCHED[table]
        query = sql.SQL(
            "SELECT {id} FROM (SELECT {id}, fold(concat_ws(' ', {columns})) AS hay FROM {view}) folded"
            " WHERE (SELECT bool_and(strpos(hay, word) > 0) FROM unnest(%s::text[]) word) ORDER BY {id} LIMIT %s"
        ).format(id=sql.Identifier(columns[0]), columns=schema.names(columns), view=sql.Identifier(f"{table}_now"))
        with self._cursor() as cursor:
            (folded,) = _one(cursor.execute("SELECT fold(%s)", [text]))
            words = str(folded).split()
            return [row[0] for row in cursor.execute(query, [words, limit])] if words else []

    def revision(self) -> int:
        """A number that grows with every accepted batch; 0 before the first."""
        with self._cursor() as cursor:
            (newest,) = _one(cursor.execute("SELECT coalesce(max(id), 0) FROM batch"))
            return int(newest)

    def batches(self, *, table: str | None = None, limit: int = 100) -> list[Batch]:
        """Accepted batches, newest first."""
        with self._cursor() as cursor:
            cursor.execute(
                _BATCH + " WHERE %(table)s::text IS NULL OR table_name = %(table)s ORDER BY id DESC LIMIT %(limit)s",
                {"table": table, "limit": limit},
            )
            return [_batch(row) for row in cursor]

    def undo(self, batch_id: int, *, actor: str) -> Batch:
        """The batch's rows count no more, as of now; gives the batch that says so, which has no rows of its own.

        Raises:
            NotFoundError: there is no such batch.
            ConflictError: it is undone already, is a reference table, or other records refer to what would vanish.
        """
        with self._cursor() as cursor, cursor.connection.transaction():
            self._alone(cursor)
            done = undoing.undo(cursor, batch_id, actor=actor)
            details = {"table": done.table, "batch": done.undo_id, "undone": batch_id, "rows": done.n_rows}
            self._audit(cursor, "undo", actor=actor, details=details)
        return Batch(
            id=done.undo_id, table=done.table, source=done.source, actor=actor, recorded_at=done.recorded_at,
            n_rows=done.n_rows, content_hash=done.content_hash,
        )  # fmt: skip

    def alone(self) -> None:
        """Nobody else writes facts until the transaction around this store ends; without one it says nothing.

        Raises:
            ConflictError: another writer takes too long.
        """
        with self._cursor() as cursor:
            self._alone(cursor)

    def undone(self) -> list[undoing.Undone]:
        """Batches that count no more, oldest undo first."""
        with self._cursor() as cursor:
            return undoing.undone(cursor)

    # --- audit --------------------------------------------------------------------------------------------------

    def audit(self, action: str, *, actor: str, details: Mapping[str, Any] | None = None) -> None:
        """It is on record that the actor did this."""
        with self._cursor() as cursor:
            if self._acting is None and not self._lent:
                # The owner's commands: also on a database that is still at the first schema, as before an upgrade.
                cursor.execute(
                    "INSERT INTO audit (actor, action, details) VALUES (%s, %s, %s)",
                    [actor, action, Jsonb(dict(details or {}))],
                )
                return
            self._audit(cursor, action, actor=actor, details=details or {})

    def audit_log(self, *, limit: int = 100) -> list[AuditEntry]:
        """What is on record, newest first."""
        with self._cursor() as cursor:
            cursor.execute("SELECT id, at, actor, action, details FROM audit ORDER BY id DESC LIMIT %s", [limit])
            return [AuditEntry(id=i, at=at, actor=who, action=what, details=more) for i, at, who, what, more in cursor]

    # --- vectors ------------------------------------------------------------------------------------------------

    def get_vectors(self, encoder_id: str, hashes: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The vectors that are known, by hash; a hash without a vector is left out. Read-only float32, (d,)."""
        with self._cursor(binary=True) as cursor:
            cursor.execute(
                "SELECT hash, vector FROM embedding WHERE encoder_id = %s AND hash = ANY(%s::text[])",
                [encoder_id, list(hashes)],
            )
            return {key: np.frombuffer(data, dtype="<f4") for key, data in cursor.fetchall()}

    def put_vectors(self, encoder_id: str, vectors: Mapping[str, npt.NDArray[np.float32]]) -> None:
        """The vectors are known under their hashes; one that was known before stays as it was."""
        data = [np.ascontiguousarray(v, dtype="<f4").tobytes() for v in vectors.values()]
        with self._cursor() as cursor:
            cursor.execute(
                "INSERT INTO embedding SELECT %s, h, v FROM unnest(%s::text[], %s::bytea[]) AS given(h, v)"
                " ON CONFLICT DO NOTHING",
                [encoder_id, list(vectors), data],
            )

    # --- engines ------------------------------------------------------------------------------------------------

    def register_engine(
        self, engine_id: str, manifest: Mapping[str, Any], *, actor: str, path: str | None = None
    ) -> None:
        """The fitted engine is on record with its manifest and its folder (default: named as the engine).

        Raises:
            ConflictError: an engine of that id is on record with another manifest.
        """
        with self._cursor() as cursor, cursor.connection.transaction():
            cursor.execute(
                "INSERT INTO engine (engine_id, path, manifest) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                [engine_id, path or engine_id, Jsonb(dict(manifest))],
            )
            if cursor.rowcount:
                self._audit(cursor, "engine", actor=actor, details={"engine": engine_id, "path": path or engine_id})
                return
            (known,) = _one(cursor.execute("SELECT manifest FROM engine WHERE engine_id = %s", [engine_id]))
            if known != json.loads(json.dumps(dict(manifest))):
                raise ConflictError(f"Engine {engine_id!r} is on record with another manifest; fit under a new id.")

    def engines(self) -> list[EngineEntry]:
        """Registered engines, newest first."""
        with self._cursor() as cursor:
            cursor.execute(
                "SELECT engine_id, path, manifest, recorded_at FROM engine ORDER BY recorded_at DESC, engine_id"
            )
            return [EngineEntry(engine_id=i, path=p, manifest=m, recorded_at=at) for i, p, m, at in cursor]

    # --- feedback -----------------------------------------------------------------------------------------------

    def log_exposure(self, found: MatchList, shown: feedback.Shown) -> int:
        """The list is on record as shown, whole or not at all; gives the exposure's identifier.

        Raises:
            InputError: the list was not made from a store, or it is not said properly to whom it was shown.
        """
        with self._cursor() as cursor, cursor.connection.transaction():
            return feedback.log_exposure(cursor, found, shown)

    def read_exposures(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        engine: str | None = None,
        ids: Sequence[int] | None = None,
    ) -> feedback.Exposures:
        """Lists that were shown from `since` to before `until`, by one engine, with these identifiers; default: all.

        Raises:
            InputError: an instant has no time zone.
        """
        with self._cursor(binary=True) as cursor:
            chosen = None if ids is None else list(ids)
            return feedback.read_exposures(cursor, since=since, until=until, engine=engine, ids=chosen)

    def add_judgments(self, frame: pl.DataFrame, *, source: str, actor: str) -> int:
        """The judgments of the frame (columns of `feedback.JUDGMENTS`) are on record, all or none.

        Gives how many were not there yet; what a judge said of a pair before stays and is superseded.

        Raises:
            InputError: a row is wrong, or is about a record or a list that does not exist.
            ConflictError: another writer holds the store too long.
        """
        with self._cursor() as cursor, cursor.connection.transaction():
            self._alone(cursor)
            added = feedback.add_judgments(cursor, frame, actor=actor)
            if added:
                details = {"source": source, "rows": frame.height, "new": added}
                self._audit(cursor, "judgments", actor=actor, details=details)
            return added

    def read_judgments(self, *, as_of: date | None = None, history: bool = False) -> pl.DataFrame:
        """The latest judgment of each judge on each pair, of those made up to `as_of`; with `history` all of them."""
        with self._cursor(binary=True) as cursor:
            return feedback.read_judgments(cursor, as_of=as_of, history=history)

    def read_outcomes(self, *, as_of: date | None = None) -> pl.DataFrame:
        """Verified outcomes (columns `trail.OUTCOMES`); of those decided and verified up to `as_of`."""
        with self._cursor(binary=True) as cursor:
            return trail.read_outcomes(cursor, as_of=as_of)

    # --- who may sign in ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def owner(self, *, who: str) -> Iterator[psycopg.Cursor]:
        """A transaction of the tables' owner for `matcher.store.accounts`, audited under the name `who`."""
        with self._cursor() as cursor, cursor.connection.transaction():
            cursor.execute(
                "SELECT set_config('app.who', %s, true), set_config('app.origin', 'command line', true)", [who]
            )
            yield cursor

    # --- lists made before ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def cursor(self) -> Iterator[psycopg.Cursor]:
        """A transaction for the functions of `matcher.store.pairing`."""
        with self._cursor() as cursor, cursor.connection.transaction():
            yield cursor

    # --- inside -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _cursor(self, *, binary: bool = False) -> Iterator[psycopg.Cursor]:
        """A cursor of the one connection, which is opened again if the server was restarted meanwhile."""
        with self._lock, translated():
            if self._connection is None or (self._connection.closed and not self._lent):
                connection = _connect(self._url(), self._acting)
                try:
                    migrate.check_server(connection)
                except BaseException:
                    connection.close()
                    raise
                self._connection = connection
            with self._connection.cursor(binary=binary) as cursor:
                yield cursor

    @staticmethod
    def _alone(cursor: psycopg.Cursor) -> None:
        """No other writer until the transaction ends."""
        cursor.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(f"{LOCK_SECONDS}s")))
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WRITERS])

    @staticmethod
    def _audit(
        cursor: psycopg.Cursor, action: str, *, actor: str, details: Mapping[str, Any],
        old: Mapping[str, Any] | None = None, new: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        cursor.execute(
            "INSERT INTO audit (actor, action, details, account_id, origin, request_id, old, new)"
            " VALUES (%s, %s, %s, actor_id(), nullif(current_setting('app.origin', true), ''),"
            " nullif(current_setting('app.request', true), ''), %s, %s)",
            [actor, action, Jsonb(dict(details)), old and Jsonb(dict(old)), new and Jsonb(dict(new))],
        )

    @staticmethod
    def _refuse_unexpected(cursor: psycopg.Cursor, table: str, expected: pl.DataFrame) -> None:
        """The table says of the incoming keys what the caller expects; nobody else writes meanwhile."""
        key = schema.names(TABLES[table].key)
        cursor.execute(
            sql.SQL("SELECT {} FROM {} WHERE ({}) IN (SELECT {} FROM incoming)").format(
                schema.names(tuple(TABLES[table].columns)), sql.Identifier(f"{table}_now"), key, key
            )
        )
        if not frames.from_rows(table, cursor.fetchall(), {}).equals(expected.sort(TABLES[table].key)):
            raise ConflictError(
                f"Somebody else changed {table} since they were read; read them again and try once more."
            )

    @staticmethod
    def _batch_of(cursor: psycopg.Cursor, table: str, key: str) -> Batch | None:
        row = cursor.execute(
            _BATCH + " WHERE table_name = %s AND key = %s ORDER BY id DESC LIMIT 1", [table, key]
        ).fetchone()
        return None if row is None else _batch(row)

    @staticmethod
    def _unchanged(cursor: psycopg.Cursor, table: str, *, source: str, actor: str, content: str) -> Batch:
        cursor.execute("SELECT coalesce(max(id), 0), clock_timestamp() FROM batch WHERE table_name = %s", [table])
        newest, now = _one(cursor)
        return Batch(
            id=newest, table=table, source=source, actor=actor, recorded_at=now, n_rows=0, content_hash=content
        )


_BATCH = "SELECT id, table_name, source, actor, recorded_at, n_rows, content_hash FROM batch"


def _batch(row: tuple[Any, ...]) -> Batch:
    number, table, source, actor, recorded_at, n_rows, content = row
    return Batch(
        id=number, table=table, source=source, actor=actor, recorded_at=recorded_at, n_rows=n_rows, content_hash=content
    )


def _one(cursor: psycopg.Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise MatcherError("The database returned no row where it must return one; report this as a fault.")
    return row


def _known(table: str) -> None:
    if table not in TABLES:
        raise InputError(f"There is no table {table!r}; expected one of {', '.join(TABLES)}.")


AS_APP = "-c role=matcher_app"
"""Connection option: the role that owns nothing and sees what the policies open."""


def _connect(url: str, acting: int | None = None) -> psycopg.Connection:
    try:
        connection = psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=10,
            application_name="matcher",
            options=None if acting is None else AS_APP,
        )
    except psycopg.ProgrammingError as error:
        raise InputError(
            "The database URL cannot be read; expected postgresql://user:password@host:port/database."
        ) from error
    connection.execute("SET TIME ZONE 'UTC'")
    if acting is not None:
        connection.execute("SELECT set_config('app.actor', %s, false)", [str(acting)])
    return connection


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver come out as ours, saying what to do."""
    try:
        yield
    except (errors.LockNotAvailable, errors.SerializationFailure, errors.DeadlockDetected) as error:
        raise ConflictError("Another process is writing to the database; nothing was changed, try again.") from error
    except errors.UndefinedTable as error:
        raise SourceError("The database has no tables yet; run `matcher init` to create them.") from error
    except errors.DiskFull as error:
        raise SourceError(
            f"The disk of the database is full: {_said(error)}. Nothing was changed; free space there and try again."
        ) from error
    except errors.UniqueViolation as error:
        raise ConflictError(
            "Somebody else wrote the same record at this moment; read it again and try once more."
        ) from error
    except errors.InsufficientPrivilege as error:
        if "row-level security" in str(error):
            raise ForbiddenError("Your account may not write this: it belongs to another office.") from error
        raise SourceError(f"The database role lacks a right that is needed: {_said(error)}; grant it.") from error
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise InputError(f"The database refuses a value: {_said(error)}; nothing was changed.") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise SourceError(
            f"The database does not answer: {_said(error)}. Check that it runs and that MATCHER_DATABASE_URL is right."
        ) from error
    except psycopg.Error as error:
        raise MatcherError(f"The database failed: {_said(error)}; nothing was changed.") from error


def _said(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().rstrip(".")
