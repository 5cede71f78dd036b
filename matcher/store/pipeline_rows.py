"""The kinds of pipeline records and how they are read: one record with its versions, or a page of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from matcher.errors import InputError, NotFoundError

CITY = "city"
"""How a filter names the office without mission: the city itself."""

WORDS = 10
"""Different words that one search may ask for. Source: our choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of record.

    Attributes:
        table: holds all versions; the view `{table}_now` the newest that is not withdrawn.
        fixed: columns that no later version changes.
        columns: columns that a new version may change; `note` of an outcome stands in a table of its own.
        day: SQL of the day that `since` and `until` compare.
    """

    table: LiteralString
    plural: LiteralString
    fixed: tuple[LiteralString, ...]
    columns: tuple[LiteralString, ...]
    day: LiteralString

    @property
    def fields(self) -> tuple[str, ...]:
        """Columns that a record shows beside office, partner and project."""
        return tuple(c for c in (*self.fixed, *self.columns) if c not in ("mission_id", "partner_id", "project_id"))


_RECORDED: LiteralString = "(r.recorded_at AT TIME ZONE 'UTC')::date"
_OFFICE: tuple[LiteralString, ...] = ("mission_id", "partner_id")

INTERACTION = Kind(
    table="interaction", plural="interactions", fixed=_OFFICE,
    columns=("project_id", "kind", "held_on", "next_on", "note"), day="r.held_on",
)  # fmt: skip
SHORTLIST = Kind(
    table="shortlist", plural="shortlists", fixed=(*_OFFICE, "project_id", "exposure_id"), columns=("reason",),
    day=_RECORDED,
)  # fmt: skip
ASSIGNMENT = Kind(
    table="assignment", plural="assignments", fixed=(*_OFFICE, "by_city"),
    columns=("project_id", "lead", "stage", "status", "next_step", "next_on", "value_usd", "expected_on",
             "lost_reason", "lost_to_country"),
    day=_RECORDED,
)  # fmt: skip
OUTCOME = Kind(
    table="outcome", plural="outcomes", fixed=(*_OFFICE, "project_id"),
    columns=("result", "role", "value_usd", "decided_on", "lost_reason", "lost_to_country", "source", "source_on",
             "note"),
    day="r.decided_on",
)  # fmt: skip
KINDS = (INTERACTION, SHORTLIST, ASSIGNMENT, OUTCOME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of records, newest first; `next` is the identifier after which the following page begins."""

    items: list[dict[str, Any]]
    total: int
    next: int | None


# Reading


def get(cursor: psycopg.Cursor, kind: Kind, record_id: int) -> dict[str, Any]:
    """The record as it stands, with `history`: all its versions, newest first.

    Raises:
        NotFoundError: there is none that the actor may see, or it was withdrawn.
    """
    versions = versions_of(cursor, kind, record_id)
    alive(kind, record_id, versions)
    return content(kind, versions)


def content(kind: Kind, versions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The newest version as a record, and all of them as its history."""
    names = tuple(c for c in kind.columns if c != "project_id")
    history = [
        {"version": v["version"], "withdrawn": v["withdrawn"], "by": _by(v["account_id"]),
         "recorded_at": _text(v["recorded_at"]), "project_id": v["project_id"], **{c: _text(v[c]) for c in names},
         **_verified(kind, v)}
        for v in versions
    ]  # fmt: skip
    return _item(kind, versions[0]) | {"history": history}


def page(
    cursor: psycopg.Cursor, kind: Kind, *, filters: Mapping[str, Any], q: str | None = None, n: int = 50,
    before: int | None = None,
) -> Page:  # fmt: skip
    """Records that the actor may see and that pass, newest identifier first.

    Args:
        filters: column -> alternatives, or a flag; `since` and `until` are days, both included; `mission_id` may be
            `CITY`.
        q: words that all occur in the texts of the record or the names of partner and project, with or without
            diacritics; not more than `WORDS` different ones.
        before: identifier after which the page begins.

    Raises:
        InputError: `q` holds too many words.
    """
    conditions: list[sql.Composable] = [sql.SQL("true")]
    given: dict[str, Any] = {"n": n + 1, "before": before}
    for name, value in filters.items():
        if value in (None, (), []):
            continue
        given[name] = list(value) if isinstance(value, (tuple, list)) else value
        conditions.append(_condition(kind, name))
    words = () if q is None else _words(cursor, q)
    for place, word in enumerate(words):
        given[f"word{place}"] = word
        conditions.append(sql.SQL("strpos(told.hay, {}) > 0").format(sql.Placeholder(f"word{place}")))
    rows = fetch(
        cursor,
        sql.SQL(
            "WITH passing AS MATERIALIZED (SELECT r.id, r.version FROM {} r{}{} WHERE {}), shown AS ("
            "SELECT id, version FROM passing WHERE %(before)s::bigint IS NULL OR id < %(before)s::bigint"
            " ORDER BY id DESC LIMIT %(n)s)"
            " SELECT counted.total, page.* FROM (SELECT count(*) AS total FROM passing) counted"
            " LEFT JOIN ({} WHERE (r.id, r.version) IN (SELECT id, version FROM shown)) page ON true"
            " ORDER BY page.id DESC"
        ).format(
            _sql(kind.table + "_now"), _verdicts(kind), _texts(kind) if words else sql.SQL(""),
            sql.SQL(" AND ").join(conditions), _rows_of(kind),
        ),
        given,
    )  # fmt: skip
    found = [r for r in rows if r["id"] is not None]
    shown = [_item(kind, r) for r in found[:n]]
    return Page(items=shown, total=rows[0]["total"], next=shown[-1]["id"] if len(found) > n else None)


def _words(cursor: psycopg.Cursor, q: str) -> list[str]:
    """The different words of a search, folded as the texts are.

    Raises:
        InputError: there are too many.
    """
    words = list(dict.fromkeys(one(cursor.execute("SELECT fold(%s)", [q])).split()))
    if len(words) > WORDS:
        seen, expected = f"{len(words)} different words", f"at most {WORDS}"
        raise InputError(
            f"?q holds {seen}, expected {expected}", [{"pointer": "?q", "seen": seen, "expected": expected}]
        )
    return words


def alive(kind: Kind, record_id: int, versions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The newest version.

    Raises:
        NotFoundError: there is none, or it says that the record is withdrawn.
    """
    if not versions:
        raise unseen(kind, record_id)
    if versions[0]["withdrawn"]:
        raise NotFoundError(
            f"The {kind.table} {record_id} was withdrawn; POST /v1/{kind.plural}/{record_id}/undo gives it back."
        )
    return versions[0]


def unseen(kind: Kind, record_id: int) -> NotFoundError:
    """The refusal of an identifier that the actor sees nothing under."""
    return NotFoundError(f"There is no {kind.table} {record_id} that you may see; GET /v1/{kind.plural} lists them.")


def versions_of(cursor: psycopg.Cursor, kind: Kind, record_id: int) -> list[dict[str, Any]]:
    """All versions that the actor may see, newest first."""
    query = _rows_of(kind) + sql.SQL(" WHERE r.id = %(id)s ORDER BY r.version DESC")
    return fetch(cursor, query, {"id": record_id})


def _rows_of(kind: Kind) -> sql.Composed:
    """SELECT of the versions `r` of a kind with the names of their partner and project."""
    own = ("id", "version", "withdrawn", *kind.fixed, *kind.columns, "account_id", "recorded_at")
    columns: list[sql.Composable] = [sql.Identifier("n" if (kind, c) == (OUTCOME, "note") else "r", c) for c in own]
    joined = _verdicts(kind)
    if kind is OUTCOME:
        columns += [
            sql.SQL("v.verdict, v.reason AS verdict_reason, v.account_id AS verified_by, v.recorded_at AS verified_at")
        ]
        joined += sql.SQL(" LEFT JOIN outcome_note n ON (n.id, n.version) = (r.id, r.version)")
    return sql.SQL(
        "SELECT {}, p.name AS partner_name, j.name_vi, j.name_en FROM {} r"
        " LEFT JOIN LATERAL (SELECT name, name_local FROM partners_now WHERE partner_id = r.partner_id) p ON true"
        " LEFT JOIN LATERAL (SELECT name_vi, name_en FROM projects_now WHERE project_id = r.project_id) j ON true{}"
    ).format(sql.SQL(", ").join(columns), _sql(kind.table), joined)


def _verdicts(kind: Kind) -> sql.Composable:
    """The join of outcomes with what was verified."""
    if kind is not OUTCOME:
        return sql.SQL("")
    return sql.SQL(" LEFT JOIN verification v ON (v.outcome_id, v.outcome_version) = (r.id, r.version)")


def _texts(kind: Kind) -> sql.Composable:
    """The join of the rows `r` with `told.hay`, the folded text that a search looks into, put together once a row."""
    note = sql.SQL("")
    if kind is OUTCOME:
        note = sql.SQL("(SELECT n.hay FROM outcome_note n WHERE (n.id, n.version) = (r.id, r.version)), ")
    return sql.SQL(
        " CROSS JOIN LATERAL (SELECT concat_ws(' ', r.hay, {}"
        "(SELECT fold(concat_ws(' ', name, name_local)) FROM partners_now WHERE partner_id = r.partner_id),"
        " (SELECT fold(concat_ws(' ', name_vi, name_en)) FROM projects_now WHERE project_id = r.project_id)) AS hay"
        " OFFSET 0) told"
    ).format(note)


def _condition(kind: Kind, name: str) -> sql.Composable:
    value = sql.Placeholder(name)
    if name == "since":
        return sql.SQL("{} >= {}").format(sql.SQL(kind.day), value)
    if name == "until":
        return sql.SQL("{} <= {}").format(sql.SQL(kind.day), value)
    if name == "verified":
        return sql.SQL("coalesce(v.verdict = 'verified', false) = {}").format(value)
    if name == "mission_id":
        return sql.SQL("coalesce(r.mission_id, {}) = ANY({}::text[])").format(sql.Literal(CITY), value)
    if name == "lead":
        return sql.SQL("r.lead = {}").format(value)
    return sql.SQL("r.{} = ANY({}::text[])").format(sql.Identifier(name), value)


def _item(kind: Kind, row: Mapping[str, Any]) -> dict[str, Any]:
    project = None
    if row["project_id"] is not None:
        project = {"id": row["project_id"], "name": {"vi": row["name_vi"], "en": row["name_en"]}}
    return {
        "id": row["id"], "version": row["version"], "withdrawn": row["withdrawn"], "mission_id": row["mission_id"],
        "partner": {"id": row["partner_id"], "name": row["partner_name"]}, "project": project,
        **{c: _text(row[c]) for c in kind.fields}, **_verified(kind, row), "by": _by(row["account_id"]),
        "recorded_at": _text(row["recorded_at"]),
    }  # fmt: skip


def _verified(kind: Kind, row: Mapping[str, Any]) -> dict[str, Any]:
    if kind is not OUTCOME:
        return {}
    if row["verdict"] is None:
        return {"verified": False, "verification": None}
    told = {"verdict": row["verdict"], "reason": row["verdict_reason"], "by": _by(row["verified_by"]),
            "recorded_at": _text(row["verified_at"])}  # fmt: skip
    return {"verified": row["verdict"] == "verified", "verification": told}


def _by(account_id: int) -> str:
    return f"u{account_id}"


def _text(value: Any) -> Any:
    """Days and instants as ISO text; the rest as it is."""
    return value.isoformat() if isinstance(value, date) else value


def _sql(text: LiteralString) -> sql.SQL:
    return sql.SQL(text)


def fetch(cursor: psycopg.Cursor, query: sql.Composed, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows by column name."""
    cursor.execute(query, given)
    names = [c.name for c in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def one(cursor: psycopg.Cursor) -> Any:
    """The one value that was asked for."""
    row = cursor.fetchone()
    assert row is not None
    return row[0]
