"""Lists of pairs that were made before: sets by engine, facts and day, their pairs, and the order of each view.

The functions take a cursor of `Store.cursor`. A set counts only when it is complete.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from matcher.errors import MatcherError

KEPT = 2
"""Complete sets that are kept; older ones are deleted."""

_LOCK = 0x7061_6972
"""Advisory lock of whoever fills a set."""

_COLUMNS = "set_id, engine_id, revision, as_of, started_at, done_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSet:
    """A set of lists: of which engine, of the facts after which batch, and for which day; `done_at` when complete."""

    set_id: int
    engine_id: str
    revision: int
    as_of: date
    started_at: datetime
    done_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pair of a set: its match in Vietnamese and English as JSON text, without its rank."""

    project_id: str
    partner_id: str
    country: str | None
    score: float
    match_vi: str
    match_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One list of a set: its pairs in order and what is said about them (`matcher.jobs.pairs`)."""

    name: str
    pairs: Sequence[tuple[str, str]]
    head: Mapping[str, Any]


def lock(cursor: psycopg.Cursor) -> bool:
    """Nobody else fills a set until `unlock` or the end of the connection; False where somebody does already."""
    (got,) = _one(cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]))
    return bool(got)


def unlock(cursor: psycopg.Cursor) -> None:
    """Somebody else may fill a set."""
    cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def begin(cursor: psycopg.Cursor, engine: str, revision: int, as_of: date) -> PairSet:
    """The set of an engine, facts and day; begun when there is none."""
    key = [engine, revision, as_of]
    cursor.execute("INSERT INTO pair_set (engine_id, revision, as_of) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", key)
    cursor.execute(f"SELECT {_COLUMNS} FROM pair_set WHERE (engine_id, revision, as_of) = (%s, %s, %s)", key)  # noqa: S608 - names from above
    return _set(_one(cursor))


def finish(cursor: psycopg.Cursor, set_id: int) -> None:
    """The set is complete."""
    cursor.execute("UPDATE pair_set SET done_at = clock_timestamp() WHERE set_id = %s AND done_at IS NULL", [set_id])


def clear(cursor: psycopg.Cursor, *, filling: int | None) -> int:
    """Older sets than the last `KEPT` complete ones are gone, and unfinished ones but `filling`; gives how many."""
    cursor.execute(
        "DELETE FROM pair_set WHERE set_id IS DISTINCT FROM %s AND set_id NOT IN (SELECT set_id FROM pair_set"
        " WHERE done_at IS NOT NULL ORDER BY done_at DESC, set_id DESC LIMIT %s)",
        [filling, KEPT],
    )
    return cursor.rowcount


def discard(cursor: psycopg.Cursor, set_id: int) -> None:
    """What was written of an unfinished set is gone."""
    cursor.execute("DELETE FROM pair_view WHERE set_id = %s", [set_id])
    cursor.execute("DELETE FROM pair WHERE set_id = %s", [set_id])


def put(cursor: psycopg.Cursor, set_id: int, view: View, rows: Sequence[Row]) -> None:
    """A view and those of its pairs that are new in the set are written; what is there stays."""
    cursor.execute(
        "INSERT INTO pair (set_id, project_id, partner_id, country, score, match_vi, match_en)"
        " SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[], %s::float8[], %s::text[], %s::text[])"
        " ON CONFLICT DO NOTHING",
        [
            set_id, [r.project_id for r in rows], [r.partner_id for r in rows], [r.country for r in rows],
            [r.score for r in rows], [r.match_vi for r in rows], [r.match_en for r in rows],
        ],
    )  # fmt: skip
    cursor.execute(
        "INSERT INTO pair_view (set_id, view, project_ids, partner_ids, head) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [set_id, view.name, [p for p, _ in view.pairs], [q for _, q in view.pairs], Jsonb(dict(view.head))],
    )


def scores(cursor: psycopg.Cursor, set_id: int) -> dict[tuple[str, str], float]:
    """(project, partner) -> score, of the pairs that a set holds."""
    cursor.execute("SELECT project_id, partner_id, score FROM pair WHERE set_id = %s", [set_id])
    return {(p, q): score for p, q, score in cursor.fetchall()}


def views(cursor: psycopg.Cursor, set_id: int) -> set[str]:
    """Names of the views that a set holds."""
    cursor.execute("SELECT view FROM pair_view WHERE set_id = %s", [set_id])
    return {row[0] for row in cursor.fetchall()}


def complete(cursor: psycopg.Cursor, engine: str, revision: int, as_of: date) -> int | None:
    """Identifier of the complete set of an engine, facts and day; None without one."""
    cursor.execute(
        "SELECT set_id FROM pair_set WHERE (engine_id, revision, as_of) = (%s, %s, %s) AND done_at IS NOT NULL",
        [engine, revision, as_of],
    )
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def sets(cursor: psycopg.Cursor) -> list[PairSet]:
    """All sets, newest first."""
    cursor.execute(f"SELECT {_COLUMNS} FROM pair_set ORDER BY set_id DESC")  # noqa: S608 - names from above
    return [_set(row) for row in cursor.fetchall()]


def view(cursor: psycopg.Cursor, set_id: int, name: str) -> View | None:
    """A view of a set; None where it has none of that name."""
    cursor.execute(
        "SELECT project_ids, partner_ids, head FROM pair_view WHERE set_id = %s AND view = %s", [set_id, name]
    )
    row = cursor.fetchone()
    return None if row is None else View(name=name, pairs=list(zip(row[0], row[1], strict=True)), head=row[2])


def texts(cursor: psycopg.Cursor, set_id: int, pairs: Sequence[tuple[str, str]], lang: str) -> list[str]:
    """The matches of some pairs as JSON text in 'vi' or 'en', in their order; without those that the set lost."""
    column = {"vi": "match_vi", "en": "match_en"}[lang]
    cursor.execute(
        f"SELECT {column} FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS asked (p, q, place)"  # noqa: S608 - from above
        " JOIN pair ON set_id = %s AND project_id = p AND partner_id = q ORDER BY place",
        [[p for p, _ in pairs], [q for _, q in pairs], set_id],
    )
    return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The first page of a list as it was shown or kept; `exposure_id` is None where nobody was shown it."""

    exposure_id: int | None
    engine_id: str
    revision: int
    as_of: date
    pairs: Sequence[tuple[str, str]]


def last_shown(cursor: psycopg.Cursor, subject: Mapping[str, str], office: str | None, before: date) -> Shown | None:
    """The last first page, without filters and by the usual order, that an office was shown before a day (UTC).

    Args:
        subject: what was asked, such as `{"mission": "ID"}`, as the query's JSON says it.
        office: mission; None for the city itself.
    """
    cursor.execute(
        "SELECT exposure_id, engine_id, revision, as_of FROM exposure WHERE query @> %s AND NOT query ? 'sort'"
        " AND filters = '{}' AND \"offset\" = 0 AND n > 0 AND mission_id IS NOT DISTINCT FROM %s"
        " AND shown_at < %s::date::timestamp AT TIME ZONE 'UTC' ORDER BY shown_at DESC, exposure_id DESC LIMIT 1",
        [Jsonb(dict(subject)), office, before],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute("SELECT project_id, partner_id FROM exposure_item WHERE exposure_id = %s ORDER BY rank", [row[0]])
    return Shown(exposure_id=row[0], engine_id=row[1], revision=row[2], as_of=row[3], pairs=cursor.fetchall())


def kept_before(cursor: psycopg.Cursor, name: str, before: date) -> Shown | None:
    """A view as the oldest set has it that was complete before a day (UTC)."""
    cursor.execute(
        "SELECT engine_id, revision, as_of, project_ids, partner_ids FROM pair_set JOIN pair_view USING (set_id)"
        " WHERE view = %s AND done_at < %s::date::timestamp AT TIME ZONE 'UTC' ORDER BY done_at LIMIT 1",
        [name, before],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    engine, revision, as_of, projects, partners = row
    return Shown(
        exposure_id=None, engine_id=engine, revision=revision, as_of=as_of,
        pairs=list(zip(projects, partners, strict=True)),
    )  # fmt: skip


def _set(row: tuple[Any, ...]) -> PairSet:
    number, engine, revision, as_of, started_at, done_at = row
    return PairSet(
        set_id=number, engine_id=engine, revision=revision, as_of=as_of, started_at=started_at, done_at=done_at
    )


def _one(cursor: psycopg.Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise MatcherError("The database returned no row where it must return one; report this as a fault.")
    return row
