"""Files that were sent for import, what they would change, and what became of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from matcher.errors import NotFoundError

Event = Literal["committed", "undone"]
State = Literal["ready", "refused", "committed", "undone"]
STATES: tuple[State, ...] = ("ready", "refused", "committed", "undone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """A commit or an undo: the batch that it wrote (None: nothing had to be written), by whom, when."""

    batch: int | None
    account_id: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One file that was sent: how it is to be read, and the report at `revision` of the facts."""

    id: int
    kind: str
    file: str
    options: Mapping[str, Any]
    report: Mapping[str, Any]
    revision: int
    account_id: int
    recorded_at: datetime
    committed: Happened | None
    undone: Happened | None

    @property
    def state(self) -> State:
        """What can be done with it: only what is ready can be committed, only what is committed can be undone."""
        if self.undone:
            return "undone"
        if self.committed:
            return "committed"
        return "refused" if self.report["errors"] else "ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some imports, how many there are in all, and the identifier before which the next page begins."""

    items: list[Import]
    total: int
    next: int | None


_FROM = """
FROM import i
LEFT JOIN import_event c ON c.import_id = i.import_id AND c.event = 'committed'
LEFT JOIN import_event u ON u.import_id = i.import_id AND u.event = 'undone'
"""
_COLUMNS = """
SELECT i.import_id, i.kind, i.file, i.options, i.report, i.revision, i.account_id, i.recorded_at,
    c.batch_id, c.account_id, c.recorded_at, u.batch_id, u.account_id, u.recorded_at
"""
_STATE = """
(CASE WHEN u.event IS NOT NULL THEN 'undone' WHEN c.event IS NOT NULL THEN 'committed'
    WHEN jsonb_array_length(i.report -> 'errors') > 0 THEN 'refused' ELSE 'ready' END)
"""
_PASSING = f"""
WHERE (%(kinds)s::text[] IS NULL OR i.kind = ANY (%(kinds)s::text[]))
    AND (%(states)s::text[] IS NULL OR {_STATE} = ANY (%(states)s::text[]))
"""


def add(
    cursor: psycopg.Cursor, *, kind: str, file: str, content: bytes, options: Mapping[str, Any],
    report: Mapping[str, Any], revision: int, account_id: int,
) -> int:  # fmt: skip
    """The file is kept with its report; gives its number."""
    cursor.execute(
        "INSERT INTO import (kind, file, content, options, report, revision, account_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING import_id",
        [kind, file, content, Jsonb(dict(options)), Jsonb(dict(report)), revision, account_id],
    )
    return int(cursor.fetchall()[0][0])


def get(cursor: psycopg.Cursor, import_id: int) -> Import:
    """One import.

    Raises:
        NotFoundError: there is none of this number that the actor may see.
    """
    cursor.execute(_COLUMNS + _FROM + "WHERE i.import_id = %s", [import_id])
    row = cursor.fetchone()
    if row is None:
        raise NotFoundError(f"There is no import {import_id}; GET /v1/imports lists those that there are.")
    return _import(row)


def content(cursor: psycopg.Cursor, import_id: int) -> bytes:
    """The file as it was sent."""
    cursor.execute("SELECT content FROM import WHERE import_id = %s", [import_id])
    return bytes(cursor.fetchall()[0][0])


def page(
    cursor: psycopg.Cursor, *, kinds: tuple[str, ...], states: tuple[str, ...], n: int, before: int | None
) -> Page:  # fmt: skip
    """Imports of these kinds and states (empty: any), newest first."""
    given = {"kinds": list(kinds) or None, "states": list(states) or None, "before": before, "n": n + 1}
    cursor.execute("SELECT count(*) " + _FROM + _PASSING, given)
    total = int(cursor.fetchall()[0][0])
    cursor.execute(
        _COLUMNS + _FROM + _PASSING + " AND (%(before)s::bigint IS NULL OR i.import_id < %(before)s::bigint)"
        " ORDER BY i.import_id DESC LIMIT %(n)s",
        given,
    )
    rows = cursor.fetchall()
    items = [_import(row) for row in rows[:n]]
    return Page(items=items, total=total, next=items[-1].id if len(rows) > n else None)


def note(cursor: psycopg.Cursor, import_id: int, event: Event, *, batch: int | None, account_id: int) -> None:
    """It is on record what became of an import."""
    cursor.execute(
        "INSERT INTO import_event (import_id, event, batch_id, account_id) VALUES (%s, %s, %s, %s)",
        [import_id, event, batch, account_id],
    )


def _import(row: tuple[Any, ...]) -> Import:
    number, kind, file, options, report, revision, account, at, *events = row
    committed, undone = (
        None if when is None else Happened(batch=batch, account_id=who, at=when)
        for batch, who, when in (events[:3], events[3:])
    )
    return Import(
        id=number, kind=kind, file=file, options=options, report=report, revision=revision, account_id=account,
        recorded_at=at, committed=committed, undone=undone,
    )  # fmt: skip
