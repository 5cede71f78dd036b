"""What was shown to whom, and what people think of it: exposures and judgments, which only grow.

The functions take a cursor of `Store`, whose methods of the same names open the transaction.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, runtime_checkable

import orjson
import polars as pl
import psycopg
from psycopg import sql

from matcher.errors import InputError
from matcher.records import DAY, INT, NUM, TEXT, Filters, MatchList, Query, Table
from matcher.store import frames, schema

CHANNELS = ("api", "page", "cli", "job")
LANGUAGES = ("vi", "en")
USER_ROLES = ("mission", "officer", "analyst", "admin")
LOWEST, HIGHEST = 0, 3
"""Grades: 0 does not fit, 1 could be asked, 2 fits, 3 fits best."""

_TIME = pl.Datetime("us", "UTC")
_PSEUDONYM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_WHO = "a pseudonym of letters A to Z, digits and . _ : - (at most 100), never a person's name or address"

EXPOSURES: dict[str, pl.DataType] = {
    "exposure_id": INT, "engine_id": TEXT, "as_of": DAY, "revision": INT, "query": TEXT, "filters": TEXT, "n": INT,
    "offset": INT, "n_items": INT, "candidates": INT, "channel": TEXT, "lang": TEXT, "actor": TEXT, "role": TEXT,
    "mission_id": TEXT, "shown_at": _TIME,
}  # fmt: skip
"""Columns of the lists that were shown; `query` and `filters` are JSON."""

ITEMS: dict[str, pl.DataType] = {
    "exposure_id": INT, "rank": INT, "project_id": TEXT, "partner_id": TEXT, "score": NUM, "probability": NUM,
    "propensity": NUM,
}  # fmt: skip
"""Columns of the rows of those lists; `propensity` is the chance of being shown there, null where none was drawn."""

JUDGMENTS = Table(
    columns={
        "project_id": TEXT, "partner_id": TEXT, "grade": INT, "reason": TEXT, "judged_by": TEXT, "mission_id": TEXT,
        "judged_on": DAY, "exposure_id": INT,
    },
    key=("project_id", "partner_id", "judged_by", "judged_on"),
    refs={"project_id": "projects", "partner_id": "partners", "mission_id": "missions"},
    required=("project_id", "partner_id", "grade", "judged_by", "judged_on"),
)  # fmt: skip
"""One judgment of a pair by one judge; `mission_id` is null where the judge is of the city itself."""

_RECORDED: dict[str, pl.DataType] = {"judgment_id": INT, **JUDGMENTS.columns, "actor": TEXT, "recorded_at": _TIME}

Item = tuple[int, str, str, float, float | None]
"""A row of a list that was shown: rank, project, partner, score, probability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """To whom, where and in which language a list was shown.

    Attributes:
        channel: one of `CHANNELS`.
        lang: one of `LANGUAGES`.
        actor: pseudonym of the key, user or job; never a name.
        role: one of `USER_ROLES`; None before there is sign-in.
        mission_id: the mission that asked; None for the city itself.
    """

    channel: str
    lang: str
    actor: str
    role: str | None = None
    mission_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposures:
    """Lists that were shown (`EXPOSURES`, by identifier) and their rows (`ITEMS`, by identifier and rank)."""

    lists: pl.DataFrame
    items: pl.DataFrame


def check_pseudonym(value: str, pointer: str) -> None:
    """The value can be kept as who did something.

    Raises:
        InputError: it holds a space, an @ or a letter with a mark, as names and addresses do, or is too long.
    """
    if not _PSEUDONYM.fullmatch(value):
        seen = value if len(value) <= 60 else value[:57] + "…"
        raise InputError(
            f'{pointer}: "{seen}" is not usable; expected: {_WHO}.',
            [{"pointer": pointer, "seen": seen, "expected": _WHO}],
        )


class Listed(Protocol):
    """A list as it was served, made anew or kept: what the record of it needs beside its rows."""

    @property
    def engine(self) -> str:
        """Identifier of the engine."""
        ...

    @property
    def as_of(self) -> date:
        """The day that was asked about."""
        ...

    @property
    def revision(self) -> int | None:
        """The newest batch of facts that the list was made of."""
        ...

    @property
    def query(self) -> Query:
        """What was asked."""
        ...

    @property
    def filters(self) -> Filters:
        """Which candidates might appear."""
        ...

    @property
    def n(self) -> int:
        """Rows asked for."""
        ...

    @property
    def offset(self) -> int:
        """Rows before the first."""
        ...

    @property
    def candidates(self) -> int:
        """Pairs that were compared."""
        ...


@runtime_checkable
class Kept(Listed, Protocol):
    """A list that was made before and is served from a table."""

    @property
    def items(self) -> Sequence[Item]:
        """Its rows."""
        ...


def log_exposure(cursor: psycopg.Cursor, found: MatchList | Kept, shown: Shown) -> int:
    """The list is on record with all its rows; gives its identifier."""
    return log_exposures(cursor, [(found, shown)])[0]


def log_exposures(cursor: psycopg.Cursor, lists: Sequence[tuple[MatchList | Kept, Shown]]) -> list[int]:
    """The lists are on record with all their rows, by one statement however many they are; gives their identifiers.

    Raises:
        InputError: a list was not made from a store or is not one page, or it is not said properly to whom it was
            shown; nothing is written then.
    """
    rows = [_items(found) for found, _ in lists]
    for (found, shown), items in zip(lists, rows, strict=True):
        _check(found, shown, items)
    heads = [_head(found, shown, len(items)) for (found, shown), items in zip(lists, rows, strict=True)]
    flat = [(place, *item) for place, items in enumerate(rows, start=1) for item in items]
    cursor.execute(_INSERT, [_json(heads), _json(flat)])
    return [int(row[0]) for row in cursor.fetchall()]


_LIST_COLUMNS = {
    "engine_id": "text", "as_of": "date", "revision": "bigint", "query": "jsonb", "filters": "jsonb", "n": "bigint",
    "offset": "bigint", "n_items": "bigint", "candidates": "bigint", "channel": "text", "lang": "text", "actor": "text",
    "role": "text", "mission_id": "text",
}  # fmt: skip
# JSON is taken apart by the server: arrays of each column would be put together cell by cell here, for every request.
_INSERT = (
    sql.SQL(
        "WITH made AS (INSERT INTO exposure ({columns}) SELECT {columns} FROM ROWS FROM (json_to_recordset(%s::json)"
        "  AS ({typed})) WITH ORDINALITY AS t ({columns}, place) ORDER BY place RETURNING exposure_id),"
        # Identifiers are given out in the order of the lists.
        " placed AS (SELECT exposure_id, row_number() OVER (ORDER BY exposure_id) AS place FROM made),"
        " items AS (INSERT INTO exposure_item (exposure_id, rank, project_id, partner_id, score, probability)"
        "  SELECT exposure_id, (i->>1)::bigint, i->>2, i->>3, (i->>4)::float8, (i->>5)::float8"
        "  FROM json_array_elements(%s::json) i JOIN placed ON place = (i->>0)::bigint)"
        " SELECT exposure_id FROM made ORDER BY exposure_id"
    )
    .format(
        columns=schema.names(tuple(_LIST_COLUMNS)),
        typed=sql.SQL(", ").join(sql.SQL("{} " + kind).format(sql.Identifier(c)) for c, kind in _LIST_COLUMNS.items()),
    )
    .as_bytes(None)
)


def _items(found: MatchList | Kept) -> Sequence[Item]:
    if isinstance(found, MatchList):
        return [
            (m.rank, m.project_id, m.partner_id, m.score, None if m.probability is None else m.probability.value)
            for m in found.matches
        ]
    return found.items


def _check(found: MatchList | Kept, shown: Shown, items: Sequence[Item]) -> None:
    for pointer, value, allowed in (
        ("channel", shown.channel, CHANNELS),
        ("lang", shown.lang, LANGUAGES),
        ("role", shown.role, (None, *USER_ROLES)),
    ):
        if value not in allowed:
            raise InputError(f'{pointer}: "{value}" is not one of {", ".join(a for a in allowed if a)}.')
    check_pseudonym(shown.actor, "actor")
    if found.revision is None:
        raise InputError("The list was not made from a store, so that it could not be made again; it is not logged.")
    if [item[0] for item in items] != list(range(found.offset + 1, found.offset + len(items) + 1)):
        raise InputError("The ranks of the list are not those of its page; log the list as the engine gave it.")
    if len({item[1:3] for item in items}) < len(items):
        raise InputError("A pair stands twice in the list; log the list as the engine gave it.")


def _head(found: MatchList | Kept, shown: Shown, n_items: int) -> dict[str, Any]:
    """The list's own row: the columns of `_LIST_COLUMNS`."""
    filters = found.filters
    chosen = {f: v for f in Filters.__dataclass_fields__ if (v := getattr(filters, f)) not in ((), None)}
    return {
        "engine_id": found.engine, "as_of": found.as_of, "revision": found.revision, "query": found.query.to_json(),
        "filters": chosen, "n": found.n, "offset": found.offset, "n_items": n_items, "candidates": found.candidates,
        "channel": shown.channel, "lang": shown.lang, "actor": shown.actor, "role": shown.role,
        "mission_id": shown.mission_id,
    }  # fmt: skip


def read_exposures(
    cursor: psycopg.Cursor,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    engine: str | None = None,
    ids: list[int] | None = None,
) -> Exposures:
    """Lists shown from `since` to before `until`, of one engine, or those with the given identifiers."""
    for name, instant in (("since", since), ("until", until)):
        if instant is not None and instant.tzinfo is None:
            raise InputError(f"{name} {instant.isoformat()} has no time zone; give one, for example +00:00.")
    asked = {"since": since, "until": until, "engine": engine, "ids": ids}
    cursor.execute(
        'SELECT exposure_id, engine_id, as_of, revision, query::text, filters::text, n, "offset", n_items,'
        " candidates, channel, lang, actor, role, mission_id, shown_at FROM exposure"
        " WHERE (%(since)s::timestamptz IS NULL OR shown_at >= %(since)s::timestamptz)"
        " AND (%(until)s::timestamptz IS NULL OR shown_at < %(until)s::timestamptz)"
        " AND (%(engine)s::text IS NULL OR engine_id = %(engine)s::text)"
        " AND (%(ids)s::bigint[] IS NULL OR exposure_id = ANY(%(ids)s::bigint[])) ORDER BY exposure_id",
        asked,
    )
    lists = pl.DataFrame(cursor.fetchall(), schema=EXPOSURES, orient="row")
    cursor.execute(
        "SELECT exposure_id, rank, project_id, partner_id, score, probability, propensity FROM exposure_item"
        " WHERE exposure_id = ANY(%s::bigint[]) ORDER BY exposure_id, rank",
        [lists["exposure_id"].to_list()],
    )
    return Exposures(lists=lists, items=pl.DataFrame(cursor.fetchall(), schema=ITEMS, orient="row"))


def add_judgments(cursor: psycopg.Cursor, frame: pl.DataFrame, *, actor: str) -> int:
    """The judgments of the frame are on record; gives how many were not there yet.

    A row that says what its judge last said of the pair on that day is there already.
    """
    frames.check("judgments", frame, JUDGMENTS)
    check_pseudonym(actor, "actor")
    strange = frame.filter(~pl.col("grade").is_between(LOWEST, HIGHEST))
    if strange.height:
        raise InputError(f"Table judgments, column grade: {strange['grade'][0]} is not one of 0, 1, 2, 3.")
    for judge in frame["judged_by"].unique(maintain_order=True):
        check_pseudonym(judge, "judged_by")
    columns = schema.names(tuple(JUDGMENTS.columns))
    cursor.execute(
        sql.SQL("CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {} FROM judgment WITH NO DATA").format(columns)
    )
    with cursor.copy(sql.SQL("COPY incoming ({}) FROM STDIN (FORMAT csv)").format(columns)) as copy:
        copy.write(frames.to_csv(frame))
    _refuse_strangers(cursor)
    cursor.execute(
        sql.SQL(
            "INSERT INTO judgment ({}, actor) SELECT i.*, %s FROM incoming i LEFT JOIN LATERAL ("
            "  SELECT grade, reason, mission_id, exposure_id FROM judgment j WHERE j.project_id = i.project_id"
            "  AND j.partner_id = i.partner_id AND j.judged_by = i.judged_by AND j.judged_on = i.judged_on"
            "  ORDER BY judgment_id DESC LIMIT 1) said ON true"
            " WHERE (i.grade, i.reason, i.mission_id, i.exposure_id)"
            "  IS DISTINCT FROM (said.grade, said.reason, said.mission_id, said.exposure_id)"
            " ORDER BY i.judged_on, i.project_id, i.partner_id, i.judged_by"
        ).format(columns),
        [actor],
    )
    return cursor.rowcount


def _refuse_strangers(cursor: psycopg.Cursor) -> None:
    """Refuses incoming judgments of what does not exist, or of a list that did not show the pair."""
    for column, table in JUDGMENTS.refs.items():
        cursor.execute(
            sql.SQL(
                "SELECT {c} FROM incoming i WHERE {c} IS NOT NULL"
                " AND NOT EXISTS (SELECT FROM {t} t WHERE t.{c} = i.{c}) ORDER BY {c} LIMIT 1"
            ).format(c=sql.Identifier(column), t=sql.Identifier(table))
        )
        for (seen,) in cursor.fetchall():
            raise InputError(f'Table judgments, column {column}: "{seen}" is not in {table}.')
    cursor.execute(
        "SELECT exposure_id, project_id, partner_id FROM incoming i WHERE exposure_id IS NOT NULL AND NOT EXISTS"
        " (SELECT FROM exposure_item e WHERE (e.exposure_id, e.project_id, e.partner_id)"
        "  = (i.exposure_id, i.project_id, i.partner_id)) ORDER BY exposure_id LIMIT 1"
    )
    for exposure, project, partner in cursor.fetchall():
        raise InputError(
            f"Table judgments, column exposure_id: list {exposure} did not show {partner} for {project}; "
            "leave the cell empty where the pair was not judged from a list."
        )


def read_judgments(cursor: psycopg.Cursor, *, as_of: date | None = None, history: bool = False) -> pl.DataFrame:
    """The latest judgment per judge and pair, by its day and then by when it was recorded, of those up to `as_of`.

    Columns: judgment_id, those of `JUDGMENTS`, actor, recorded_at; sorted by project, partner, judge and day.

    Args:
        history: superseded ones too.
    """
    cursor.execute(
        sql.SQL(
            "SELECT {} {} FROM judgment WHERE %(as_of)s::date IS NULL OR judged_on <= %(as_of)s::date"
            " ORDER BY project_id, partner_id, judged_by, judged_on DESC, judgment_id DESC"
        ).format(
            sql.SQL("" if history else "DISTINCT ON (project_id, partner_id, judged_by)"),
            schema.names(tuple(_RECORDED)),
        ),
        {"as_of": as_of},
    )
    order = ["project_id", "partner_id", "judged_by", "judged_on", "judgment_id"]
    return pl.DataFrame(cursor.fetchall(), schema=_RECORDED, orient="row").sort(order)


def _json(value: Any) -> str:
    """Days and exact amounts of an unsaved record become text, which the column's type reads back."""
    return orjson.dumps(value, default=str).decode()
