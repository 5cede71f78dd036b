"""A batch is undone by a later one that has no rows: its rows count no more, and nothing is deleted."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from matcher.errors import ConflictError, NotFoundError
from matcher.records import TABLES

REFERENCE = "reference files, sha256 "
"""How a batch of the product's own tables names its source; the hash of the files follows."""

_LEANING = {
    "partners": "offices work with such a partner",
    "projects": "offices work with such a project",
    "missions": "accounts work for such a mission",
}
"""What is said of records that the actor may not see: neither whose they are nor how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """A batch that counts no more, and the batch that says so."""

    batch_id: int
    undo_id: int
    table: str
    source: str
    recorded_at: datetime
    n_rows: int
    content_hash: str


def undone(cursor: psycopg.Cursor) -> list[Undone]:
    """All batches that were undone, oldest undo first."""
    cursor.execute(
        "SELECT u.batch_id, u.undo_id, b.table_name, b.source, u.recorded_at, b.n_rows, b.content_hash"
        " FROM undone u JOIN batch b ON b.id = u.undo_id ORDER BY u.undo_id"
    )
    return [_undone(row) for row in cursor.fetchall()]


def undo(cursor: psycopg.Cursor, batch_id: int, *, actor: str) -> Undone:
    """The batch's rows count no more; the caller holds the writers' lock, in a transaction, and audits.

    Records that a later batch changed keep what that batch says of them.

    Raises:
        NotFoundError: there is no such batch.
        ConflictError: it may not be undone, or other records refer to what would vanish; says how many of which table,
            but of the pipeline only that there are some.
    """
    cursor.execute("SELECT table_name, source, n_rows FROM batch WHERE id = %s", [batch_id])
    found = cursor.fetchone()
    if found is None:
        raise NotFoundError(f"There is no batch {batch_id}; the report of an import names its batch.")
    table, source, n_rows = found
    if source.startswith(REFERENCE):
        raise ConflictError(f"Batch {batch_id} holds the product's own reference table {table}; it cannot be undone.")
    cursor.execute("SELECT undo_id, batch_id FROM undone WHERE %s IN (batch_id, undo_id)", [batch_id])
    done = cursor.fetchone()
    if done is not None and done[0] == batch_id:
        raise ConflictError(f"Batch {batch_id} is the undo of batch {done[1]}; import the file again instead.")
    if done is not None:
        raise ConflictError(f"Batch {batch_id} was undone already, by batch {done[0]}; nothing was changed.")
    what = f"undo of batch {batch_id}"
    content = hashlib.sha256(what.encode()).hexdigest()
    cursor.execute(
        "WITH one AS (INSERT INTO batch (table_name, key, source, actor, recorded_at, n_rows, content_hash)"
        " VALUES (%s, %s, %s, %s, clock_timestamp(), %s, %s) RETURNING id, recorded_at)"
        " INSERT INTO undone (batch_id, undo_id, recorded_at) SELECT %s, id, recorded_at FROM one"
        " RETURNING undo_id, recorded_at",
        [table, what, what, actor, n_rows, content, batch_id],
    )
    undo_id, at = cursor.fetchall()[0]
    _refuse_dangling(cursor, table, batch_id)
    return _undone((batch_id, undo_id, table, what, at, n_rows, content))


def _refuse_dangling(cursor: psycopg.Cursor, table: str, batch_id: int) -> None:
    """Nothing refers to a record that is gone now.

    Raises:
        ConflictError: something does.
    """
    key = TABLES[table].key
    counted: dict[str, int] = {}
    said = []
    if len(key) == 1:
        cursor.execute(
            sql.SQL(
                "SELECT DISTINCT {k} FROM {t} mine WHERE batch_id = %s"
                " AND NOT EXISTS (SELECT FROM {now} n WHERE n.{k} = mine.{k})"
            ).format(k=sql.Identifier(key[0]), t=sql.Identifier(table), now=_now(table)),
            [batch_id],
        )
        gone = [row[0] for row in cursor.fetchall()]
        for other, column in ((t, c) for t, rule in TABLES.items() for c, to in rule.refs.items() if to == table):
            cursor.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE {} = ANY(%s)").format(_now(other), sql.Identifier(column)),
                [gone],
            )
            counted[other] = counted.get(other, 0) + _count(cursor)
        said = [f"{n} of {name}" for name, n in counted.items() if n]
        if cursor.execute("SELECT referred(%s, %s)", [table, gone]).fetchone() == (True,):
            said.append(_LEANING[table])
    if said:
        raise ConflictError(
            f"Batch {batch_id} cannot be undone: other records refer to {table} that would vanish: {', '.join(said)}. "
            "Undo or change those first; nothing was changed."
        )
    _refuse_lost_targets(cursor, table, batch_id)


def _refuse_lost_targets(cursor: psycopg.Cursor, table: str, batch_id: int) -> None:
    """The rows that come back refer to records that are still there.

    Raises:
        ConflictError: a record that an older row names was itself undone meanwhile.
    """
    key = TABLES[table].key
    same = sql.SQL(" AND ").join(
        sql.SQL("mine.{c} IS NOT DISTINCT FROM back.{c}").format(c=sql.Identifier(c)) for c in key
    )
    for column, target in TABLES[table].refs.items():
        cursor.execute(
            sql.SQL(
                "SELECT count(*) FROM {now} back WHERE back.{c} IS NOT NULL"
                " AND EXISTS (SELECT FROM {t} mine WHERE mine.batch_id = %s AND {same})"
                " AND EXISTS (SELECT FROM {other} o WHERE o.{id} = back.{c})"
                " AND NOT EXISTS (SELECT FROM {other_now} o WHERE o.{id} = back.{c})"
            ).format(
                now=_now(table), c=sql.Identifier(column), t=sql.Identifier(table), same=same,
                other=sql.Identifier(target), other_now=_now(target), id=sql.Identifier(TABLES[target].key[0]),
            ),
            [batch_id],
        )  # fmt: skip
        lost = _count(cursor)
        if lost:
            raise ConflictError(
                f"Batch {batch_id} cannot be undone: {lost} rows of {table} would come back whose {column} is no "
                f"longer in {target}. Import those {target} again first; nothing was changed."
            )


def _now(table: str) -> sql.Identifier:
    return sql.Identifier(f"{table}_now")


def _count(cursor: psycopg.Cursor) -> int:
    (n,) = cursor.fetchone() or (0,)
    return int(n)


def _undone(row: tuple[int, int, str, str, datetime, int, str]) -> Undone:
    batch_id, undo_id, table, source, recorded_at, n_rows, content = row
    return Undone(
        batch_id=batch_id, undo_id=undo_id, table=table, source=source, recorded_at=recorded_at, n_rows=n_rows,
        content_hash=content,
    )  # fmt: skip
