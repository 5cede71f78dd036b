"""What the database makes of `records.TABLES`: column types, the rule that dates a row, and the query of a state.

Every table of facts holds all versions of its rows: the columns of `TABLES`, then `seq` (grows with every version
written), `batch_id`, `valid_on` (since when the row was true or public; null = not tied to a day) and `recorded_at`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, LiteralString

import polars as pl
from psycopg import sql

from matcher.records import DAY, FLAG, INT, LIST, MONEY, NUM, TABLES, TEXT

HEAD = "0005"  # the newest migration; a test compares it with the folder
COUNTED = ("deals", "footprint")  # tables read with the extra column `counts_from`

_TYPES: tuple[tuple[pl.DataType, str], ...] = (
    (TEXT, "text"),
    (NUM, "double precision"),
    (MONEY, "numeric(24,2)"),
    (DAY, "date"),
    (FLAG, "boolean"),
    (LIST, "text[]"),
    (INT, "bigint"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dating:
    """Since when a row of one table counts, and what a later version of the same row means.

    Attributes:
        own: SQL over the row's columns: the last day that its own date can mean; None when it has none.
        public: SQL: the day by which its source was public. It dates the row, beside or instead of `own`; and
            because a row in our hands is public, no such day lies after the day of recording.
        either: with both set, the earlier one dates the row (announced is public); otherwise `own`, and
            `public` only where the row has no date of its own.
        revision: what `as_of` makes of two versions. 'state': each was true in its time, the newest of those that
            were already valid is served. 'correction': the newest replaces the older ones for every day.
        why: the reason.
    """

    own: LiteralString | None = None
    public: LiteralString | None = None
    either: bool = False
    revision: Literal["state", "correction"] = "correction"
    why: str


DATING: Mapping[str, Dating] = MappingProxyType({
    "isic": Dating(why="a classification is not an event"),
    "city_sectors": Dating(why="a classification is not an event"),
    "activity_tags": Dating(why="our own vocabulary"),
    "terms": Dating(why="our own vocabulary"),
    "countries": Dating(why="registry"),
    "country_ties": Dating(
        own="coalesce(signed_on, last_day_of(in_force_on, in_force_precision))",
        why="a tie exists from its signature; whether it is in force on a day is the reader's to compare; "
        "an undated one is served as undated",
    ),
    "projects": Dating(
        own="last_day_of(announced_on, announced_precision)", public="source_on", either=True, revision="state",
        why="a project is visible once it was announced or printed, and its status changes over the years",
    ),
    "partners": Dating(why="source_on says when the directory was compiled, not since when the firm exists"),
    "deals": Dating(
        own="last_day_of(closed_on, closed_precision)", public="source_on",
        why="a dated deal counts from the last day its date can mean, an undated one from its source",
    ),
    "footprint": Dating(
        own='last_day_of("on", on_precision)', public="source_on",
        why="as a deal; a row whose evidence is a deal counts from the day its deal counts, looked up when read",
    ),
    "missions": Dating(why="registry; `status` says whether a post is open"),
    "accreditation": Dating(why="registry, known for part of the posts and undated"),
    "localities": Dating(own="last_day_of(established_on, established_precision)", why="a twinning is an event"),
    "fdi_facts": Dating(public="source_on", revision="state", why="a figure is known once it was published"),
    "activities": Dating(
        own="last_day_of(held_on, held_precision)", public="source_on", either=True,
        why="an event may be announced before it is held",
    ),
    "investor_criteria": Dating(public="source_on", revision="state", why="a rule is known once it was published"),
})  # fmt: skip
"""The one place that says which date of a row `as_of` compares, table by table."""


def sql_type(dtype: pl.DataType) -> str:
    """The PostgreSQL type that holds a column of this polars type without loss."""
    return next(name for known, name in _TYPES if known == dtype)


def names(columns: Sequence[str]) -> sql.Composed:
    """Column names, quoted, separated by commas."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def valid_on(table: str, recorded_at: sql.Composable) -> sql.Composed:
    """SQL for `valid_on` of a row of this table that is recorded at the given instant."""
    dating = DATING[table]
    own = sql.SQL(dating.own or "NULL::date")
    if dating.public is None:
        return sql.SQL("({})").format(own)
    # LEAST skips nulls: a row without any public date must stay without.
    public = sql.SQL("CASE WHEN {p} IS NOT NULL THEN least({p}, {day}) END").format(
        p=sql.SQL(dating.public), day=utc_day(recorded_at)
    )
    if not dating.either:
        return sql.SQL("coalesce({}, {})").format(own, public)
    return sql.SQL("CASE WHEN {o} IS NOT NULL OR {p} IS NOT NULL THEN least({o}, {p}, {day}) END").format(
        o=own, p=sql.SQL(dating.public), day=utc_day(recorded_at)
    )


def utc_day(instant: sql.Composable) -> sql.Composed:
    """SQL for the UTC date of an instant."""
    return sql.SQL("({} AT TIME ZONE 'UTC')::date").format(instant)


def state(table: str) -> sql.Composed:
    """The query of one table as of `%(as_of)s`, as known at `%(known_at)s` and up to batch `%(revision)s`.

    Null means without that limit.

    Columns: those of `TABLES`, then `counts_from` for the tables in `COUNTED`.
    """
    columns = tuple(TABLES[table].columns)
    if table == "footprint":
        return sql.SQL(
            "SELECT {columns}, counts_from FROM ("
            " SELECT {f}, coalesce(d.counts_from, f.counts_from) AS counts_from"
            " FROM ({footprint}) f LEFT JOIN ({deals}) d ON f.evidence = 'deal' AND d.deal_id = f.deal_id"
            ") dated WHERE {visible}"
        ).format(
            columns=names(columns),
            f=sql.SQL(", ").join(sql.SQL("f.{}").format(sql.Identifier(c)) for c in columns),
            footprint=_counted("footprint"),
            deals=_counted("deals"),
            visible=_visible("counts_from"),
        )
    if table == "deals":
        return sql.SQL("SELECT {}, counts_from FROM ({}) dated WHERE {}").format(
            names(columns), _counted(table), _visible("counts_from")
        )
    if DATING[table].revision == "state":
        return _newest(table, names(columns), sql.SQL("AND {}").format(_visible("valid_on")))
    return sql.SQL("SELECT {} FROM ({}) newest WHERE {}").format(
        names(columns), _newest(table, sql.SQL("*")), _visible("valid_on")
    )


def _visible(column: LiteralString) -> sql.Composed:
    return sql.SQL("(%(as_of)s::date IS NULL OR {c} IS NULL OR {c} <= %(as_of)s::date)").format(c=sql.SQL(column))


def _newest(table: str, columns: sql.Composable, condition: sql.Composable = sql.SQL("")) -> sql.Composed:  # noqa: B008 - immutable
    key = names(TABLES[table].key)
    return sql.SQL(
        "SELECT DISTINCT ON ({key}) {columns} FROM {table}"
        " WHERE (%(known_at)s::timestamptz IS NULL OR recorded_at <= %(known_at)s::timestamptz)"
        " AND (%(revision)s::bigint IS NULL OR batch_id <= %(revision)s::bigint)"
        " AND NOT EXISTS (SELECT FROM undone u WHERE u.batch_id = {table}.batch_id"
        "  AND (%(known_at)s::timestamptz IS NULL OR u.recorded_at <= %(known_at)s::timestamptz)"
        "  AND (%(revision)s::bigint IS NULL OR u.undo_id <= %(revision)s::bigint)) {condition}"
        " ORDER BY {key}, seq DESC"
    ).format(key=key, columns=columns, table=sql.Identifier(table), condition=condition)


def _counted(table: str) -> sql.Composed:
    day = sql.SQL("coalesce(valid_on, {}) AS counts_from").format(utc_day(sql.SQL("recorded_at")))
    return sql.SQL("SELECT *, {} FROM ({}) newest").format(day, _newest(table, sql.SQL("*")))
