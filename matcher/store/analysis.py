"""What was shown, judged and changed, counted: the tables behind the analyst's pages.

The functions take a cursor of an account; row-level security decides which lists and judgments are counted.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, LiteralString

import polars as pl
import psycopg
from psycopg import sql

from matcher.records import DAY, INT, NUM, TABLES, TEXT

FIRST = 10
"""Places that are counted as seen: the first ten of a list, as in the audit of an evaluation."""
BANDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Upper ends of the classes in which probabilities are counted; the last class is open. Source: our choice."""

_TIME = pl.Datetime("us", "UTC")
_LISTS: dict[str, pl.DataType] = {
    "day": DAY, "channel": TEXT, "role": TEXT, "lang": TEXT, "engine_id": TEXT, "lists": INT, "rows": INT,
}  # fmt: skip
_PLACES: dict[str, pl.DataType] = {
    "partner_id": TEXT, "lists": INT, "places": INT, "chances": INT, "chance_sum": NUM,
    **{f"band_{i}": INT for i in range(len(BANDS) + 1)},
}  # fmt: skip
_JUDGED: dict[str, pl.DataType] = {
    "project_id": TEXT, "partner_id": TEXT, "rank": INT, "engine_id": TEXT, "shown_at": _TIME,
}  # fmt: skip
_CHANGED: dict[str, pl.DataType] = {
    "table": TEXT, "new": INT, "changed": INT, "due": INT, "newest": _TIME,
}  # fmt: skip


_PERIOD: LiteralString = (
    "shown_at >= (%(since)s::date)::timestamp AT TIME ZONE 'UTC'"
    " AND shown_at < (%(until)s::date + 1)::timestamp AT TIME ZONE 'UTC'"
)
_COMPETING = sql.SQL(
    "NOT query ? 'partner' AND NOT query ? 'draft_partner'"
    " AND (%(engine)s::text IS NULL OR engine_id = %(engine)s::text) AND {period}"
).format(period=sql.SQL(_PERIOD))
_LISTED = sql.SQL(
    "SELECT (shown_at AT TIME ZONE 'UTC')::date AS day, channel, role, lang, engine_id, count(*),"
    " coalesce(sum(n_items), 0)::bigint FROM exposure WHERE {period} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
).format(period=sql.SQL(_PERIOD))
_PLACED = sql.SQL(
    "SELECT partner_id, count(DISTINCT i.exposure_id), count(*), count(probability),"
    " coalesce(sum(probability), 0)::float8, {bands} FROM exposure_item i JOIN exposure USING (exposure_id)"
    " WHERE rank <= %(first)s AND {competing} GROUP BY 1 ORDER BY 1"
).format(
    competing=_COMPETING,
    bands=sql.SQL(", ").join(
        sql.SQL("count(*) FILTER (WHERE probability >= {} AND probability < {})").format(low, high)
        for low, high in zip(
            map(sql.Literal, (0.0, *BANDS)), (*map(sql.Literal, BANDS), sql.SQL("'infinity'::float8")), strict=True
        )
    ),
)  # fmt: skip
_COUNTED = sql.SQL("SELECT count(*) FROM exposure WHERE {competing}").format(competing=_COMPETING)
_NEW = sql.SQL(
    "SELECT count(*) FILTER (WHERE NOT known), count(*) FILTER (WHERE known), max(at) FROM ("
    "SELECT max(recorded_at) AS at, EXISTS (SELECT FROM {table} b WHERE {same} AND b.recorded_at <= %(since)s"
    " AND NOT EXISTS (SELECT FROM undone u WHERE u.batch_id = b.batch_id)) AS known"
    " FROM {table} a WHERE recorded_at > %(since)s"
    " AND NOT EXISTS (SELECT FROM undone u WHERE u.batch_id = a.batch_id) GROUP BY {key}) later"
)
_DUE = sql.SQL(
    "SELECT count(*) FROM (SELECT DISTINCT {key} FROM {table} a WHERE recorded_at <= %(since)s"
    " AND valid_on > %(as_of)s AND valid_on <= %(today)s"
    " AND NOT EXISTS (SELECT FROM undone u WHERE u.batch_id = a.batch_id)) due"
)


def lists(cursor: psycopg.Cursor, *, since: date, until: date) -> pl.DataFrame:
    """Lists shown from one day to another (UTC), both included, and their rows: day, channel, role, lang, engine_id."""
    cursor.execute(_LISTED, {"since": since, "until": until})
    return _frame(cursor, _LISTS)


def places(cursor: psycopg.Cursor, *, since: date, until: date, engine: str | None = None) -> pl.DataFrame:
    """Partners among the first ten places of the lists of a period, by identifier.

    Lists that were asked for one partner are left out: there nobody competes with him.

    Columns: `lists` and `places` he was in, `chances` (places with a probability), their sum, and how many of them
    fall into each class of `BANDS`.
    """
    cursor.execute(_PLACED, {"since": since, "until": until, "engine": engine, "first": FIRST})
    return _frame(cursor, _PLACES)


def listed(cursor: psycopg.Cursor, *, since: date, until: date, engine: str | None = None) -> int:
    """How many lists `places` counts."""
    (n,) = cursor.execute(_COUNTED, {"since": since, "until": until, "engine": engine}).fetchone() or (0,)
    return int(n)


def judged_places(cursor: psycopg.Cursor) -> pl.DataFrame:
    """Where each judged pair stood when it was last shown among the partners of a project: rank, engine, when."""
    cursor.execute(
        "SELECT DISTINCT ON (i.project_id, i.partner_id) i.project_id, i.partner_id, i.rank, e.engine_id, e.shown_at"
        " FROM (SELECT DISTINCT project_id, partner_id FROM judgment) j"
        " JOIN exposure_item i ON (i.project_id, i.partner_id) = (j.project_id, j.partner_id)"
        " JOIN exposure e ON e.exposure_id = i.exposure_id AND e.query ? 'project'"
        " ORDER BY i.project_id, i.partner_id, i.exposure_id DESC"
    )
    return _frame(cursor, _JUDGED)


def changed(
    cursor: psycopg.Cursor, tables: Sequence[str], *, since: datetime, as_of: date, today: date
) -> pl.DataFrame:
    """What came into tables of facts after an instant, undone batches left out.

    Columns: `new` keys that were not there, `changed` keys that were, `due` keys that were there but only count from
    a day after `as_of` up to `today`, and `newest`, when the last of it was recorded.
    """
    rows: list[tuple[Any, ...]] = []
    for table in tables:
        columns = [sql.Identifier(c) for c in TABLES[table].key]
        given = {
            "table": sql.Identifier(table),
            "key": sql.SQL(", ").join(sql.SQL("a.{}").format(c) for c in columns),
            "same": sql.SQL(" AND ").join(sql.SQL("a.{c} IS NOT DISTINCT FROM b.{c}").format(c=c) for c in columns),
        }
        came = cursor.execute(_NEW.format(**given), {"since": since}).fetchone() or (0, 0, None)
        days = {"since": since, "as_of": as_of, "today": today}
        (due,) = cursor.execute(_DUE.format(table=given["table"], key=given["key"]), days).fetchone() or (0,)
        rows.append((table, came[0], came[1], due, came[2]))
    return pl.DataFrame(rows, schema=_CHANGED, orient="row")


def _frame(cursor: psycopg.Cursor, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(cursor.fetchall(), schema=dict(columns), orient="row")
