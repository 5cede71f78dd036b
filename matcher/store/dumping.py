"""Every table of a database as text that any server reads again, and back into a database that is empty.

The schema is not copied: the migrations make it, so that tables, policies and grants belong to whoever restores.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import IO, LiteralString, Protocol

import psycopg
from psycopg import sql

from matcher.errors import ConflictError, SourceError
from matcher.store import migrate

CHUNK = 1 << 20
_VERSION_TABLE = "alembic_version"
_OURS = (
    "relnamespace = current_schema()::regnamespace AND NOT EXISTS (SELECT FROM pg_depend d"
    " WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one table holds: its columns, how many rows, and the SHA-256 of its rows in the order of the key."""

    columns: tuple[str, ...]
    rows: int
    sha256: str


class Sink(Protocol):
    """What the rows of a table are written to."""

    def write(self, data: bytes, /) -> object:
        """Takes some bytes."""
        ...


@contextmanager
def snapshot(url: str) -> Iterator[psycopg.Connection]:
    """A read-only transaction that sees one state of the database, whoever writes meanwhile.

    Raises:
        SourceError: row-level security would hide rows from this login.
    """
    with psycopg.connect(url, connect_timeout=10, application_name="matcher") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        hidden = connection.execute(
            f"SELECT relname FROM pg_class c WHERE {_OURS} AND relkind IN ('r', 'p') AND relrowsecurity"  # noqa: S608
            " AND NOT pg_has_role(current_user, relowner, 'USAGE')"
            " AND NOT (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) ORDER BY 1"
        ).fetchall()
        if hidden:
            raise SourceError(
                f"Row-level security hides rows of {hidden[0][0]} from the login {connection.info.user}; back up as "
                "the owner of the tables (the login that ran `matcher init`) or as a superuser."
            )
        yield connection


def tables(connection: psycopg.Connection) -> tuple[str, ...]:
    """Every table of the database, a table after those that it refers to."""
    names = connection.execute(
        f"SELECT relname FROM pg_class c WHERE {_OURS} AND relkind IN ('r', 'p') AND relname <> %s ORDER BY 1",  # noqa: S608
        [_VERSION_TABLE],
    ).fetchall()
    order: TopologicalSorter[str] = TopologicalSorter({name: () for (name,) in names})
    references = connection.execute(
        "SELECT a.relname, b.relname FROM pg_constraint k JOIN pg_class a ON a.oid = k.conrelid"
        " JOIN pg_class b ON b.oid = k.confrelid WHERE k.contype = 'f' AND a.oid <> b.oid"
        " AND k.connamespace = current_schema()::regnamespace ORDER BY 1, 2"
    )
    for table, before in references:
        order.add(table, before)
    return tuple(order.static_order())


def write(connection: psycopg.Connection, table: str, out: Sink | None = None) -> Content:
    """The rows of the table are written as COPY text in the order of its key; the same rows give the same bytes."""
    # What a server is set to must not change a byte.
    connection.execute(
        "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),"
        " set_config('IntervalStyle', 'iso_8601', true), set_config('extra_float_digits', '1', true),"
        " set_config('bytea_output', 'hex', true), set_config('client_encoding', 'UTF8', true)"
    )
    columns = connection.execute(
        "SELECT attname, attcollation <> 0, coalesce(attnum = ANY (i.indkey::int2[]), i.indrelid IS NULL),"
        " array_position(i.indkey::int2[], attnum)"
        " FROM pg_attribute LEFT JOIN pg_index i ON i.indrelid = attrelid AND i.indisprimary"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        [sql.Identifier(table).as_string(connection)],
    ).fetchall()
    names = [name for name, *_ in columns]
    key = sorted((place or 0, name, text) for name, text, ordering, place in columns if ordering)
    # Servers order text each in their own way; "C" is the same everywhere.
    order = [sql.SQL('{} COLLATE "C"' if text else "{}").format(sql.Identifier(name)) for _, name, text in key]
    query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table), sql.SQL(", ").join(order)
    )
    digest, rows = hashlib.sha256(), 0
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for chunk in copy:
            data = bytes(chunk)
            rows += data.count(b"\n")  # within a value it is written as \n
            digest.update(data)
            if out is not None:
                out.write(data)
    return Content(columns=tuple(names), rows=rows, sha256=digest.hexdigest())


def sequences(connection: psycopg.Connection) -> dict[str, tuple[int, bool]]:
    """Sequence -> its last number, and whether that was given out. Read after the rows, it is never behind them."""
    names = connection.execute(
        f"SELECT relname FROM pg_class c WHERE {_OURS} AND relkind = 'S' ORDER BY 1"  # noqa: S608 - fixed text
    ).fetchall()
    found = {}
    for (name,) in names:
        query = sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(name))
        row = connection.execute(query).fetchone()
        assert row is not None
        found[name] = (int(row[0]), bool(row[1]))
    return found


def refuse_unless_empty(connection: psycopg.Connection) -> None:
    """The database has no table, view or sequence.

    Raises:
        ConflictError: it has some; says which and what to do.
    """
    found = [
        name
        for (name,) in connection.execute(
            f"SELECT relname FROM pg_class c WHERE {_OURS} AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"  # noqa: S608
            " AND relname <> %s ORDER BY relkind, relname",
            [_VERSION_TABLE],
        )
    ]
    version = migrate.current(connection)
    if found or version:
        at = f" at schema {version}" if version else ""
        raise ConflictError(
            f"The database is not empty: it is{at or ' in use'} and holds {len(found)} tables, views and sequences "
            f"({', '.join(found[:3])}{', …' if len(found) > 3 else ''}). A backup is restored into an empty database "
            "only: create a new one and set MATCHER_DATABASE_URL, or set MATCHER_DATA_DIR to a new folder. Nothing "
            "was changed."
        )


def load(
    connection: psycopg.Connection,
    contents: Mapping[str, Content],
    numbers: Mapping[str, tuple[int, bool]],
    read: Callable[[str], IO[bytes]],
) -> tuple[str, ...]:
    """The tables hold the rows that `read` gives, and nothing else; gives the names of tables that are not there.

    Triggers and row-level security of the tables rest meanwhile: what they watch over has happened already.

    Raises:
        SourceError: a table does not hold what `contents` says; the caller gives up the transaction.
    """
    ours = [name for name in tables(connection) if name in contents]
    forced = [
        name
        for (name,) in connection.execute(
            f"SELECT relname FROM pg_class c WHERE {_OURS} AND relkind IN ('r', 'p') AND relforcerowsecurity"  # noqa: S608
        )
    ]
    for name in ours:
        _alter(connection, name, "DISABLE TRIGGER USER")
    for name in forced:
        _alter(connection, name, "NO FORCE ROW LEVEL SECURITY")
    # The migrations write rows of their own.
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables(connection)))))
    for name in ours:
        columns = sql.SQL(", ").join(map(sql.Identifier, contents[name].columns))
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(name), columns)
        with read(name) as rows, connection.cursor() as cursor, cursor.copy(query) as copy:
            while data := rows.read(CHUNK):
                copy.write(data)
    for name, (last, called) in numbers.items():
        connection.execute(
            "SELECT setval(to_regclass(%(name)s), %(last)s, %(called)s) WHERE to_regclass(%(name)s) IS NOT NULL",
            {"name": sql.Identifier(name).as_string(connection), "last": last, "called": called},
        )
    for name in forced:
        _alter(connection, name, "FORCE ROW LEVEL SECURITY")
    for name in ours:
        _alter(connection, name, "ENABLE TRIGGER USER")
    for name in ours:
        found = write(connection, name)
        if found != contents[name]:
            raise SourceError(
                f"Table {name} holds {found.rows} rows, sha256 {found.sha256}, after the restore; the backup says "
                f"{contents[name].rows} rows, sha256 {contents[name].sha256}. Nothing was changed; report this."
            )
    return tuple(sorted(contents.keys() - set(ours)))


def _alter(connection: psycopg.Connection, table: str, change: LiteralString) -> None:
    connection.execute(sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(table), sql.SQL(change)))
