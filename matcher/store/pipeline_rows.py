"""The kinds of pipeline records and how they are read: one record with its versions, or a page of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from matcher.errors import NotFoundError

CITY = "city"
"""How a filter names the office without mission: the city itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of record.

    Attributes:
        table: holds all versions; the view `{table}_now` the newest that is not withdrawn.
        fixed: columns that no later version changes.
        columns: columns that a new version may change; `note` of an outcome stands in a table of its own.
        day: SQL of the day that `since` and `until` compare.
        searched: columns that `q` looks into, beside the names of partner and project.
    """

    table: LiteralString
    plural: LiteralString
    fixed: tuple[LiteralString, ...]
    columns: tuple[LiteralString, ...]
    day: LiteralString
    searched: tuple[LiteralString, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """Columns that a record shows beside office, partner and project."""
        return tuple(c for c in (*self.fixed, *self.columns) if c not in ("mission_id", "partner_id", "project_id"))


_RECORDED: LiteralString = "(r.recorded_at AT TIME ZONE 'UTC')::date"
_OFFICE: tuple[LiteralString, ...] = ("mission_id", "partner_id")

INTERACTION = Kind(
    table="interaction", plural="interactions", fixed=_OFFICE,
    columns=("project_id", "kind", "held_on", "next_on", "note"), day="r.held_on", searched=("note",),
)  # fmt: skip
SHORTLIST = Kind(
    table="shortlist", plural="shortlists", fixed=(*_OFFICE, "project_id", "exposure_id"), columns=("reason",),
    day=_RECORDED, searched=("reason",),
)  # fmt: skip
ASSIGNMENT = Kind(
    table="assignment", plural="assignments", fixed=(*_OFFICE, "by_city"),
    columns=("project_id", "lead", "stage", "status", "next_step", "next_on", "value_usd", "expected_on",
             "lost_reason", "lost_to_country"),
    day=_RECORDED, searched=("next_step", "lost_reason"),
)  # fmt: skip
OUTCOME = Kind(
    table="outcome", plural="outcomes", fixed=(*_OFFICE, "project_id"),
    columns=("result", "role", "value_usd", "decided_on", "lost_reason", "lost_to_country", "source", "source_on",
             "note"),
    day="r.decided_on", searched=("note", "lost_reason"),
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
        q: words that all occur in notes, next steps or the names of partner and project, with or without diacritics.
        before: identifier after which the page begins.
    """
    conditions: list[sql.Composable] = [sql.SQL("true")]
    given: dict[str, Any] = {"n": n + 1, "before": before}
    for name, value in filters.items():
        if value in (None, (), []):
            continue
        given[name] = list(value) if isinstance(value, (tuple, list)) else value
        conditions.append(_condition(kind, name))
    if q is not None:
        given["words"] = one(cursor.execute("SELECT fold(%s)", [q])).split()
        hay = [f"r.{c}" if (kind, c) != (OUTCOME, "note") else "n.note" for c in kind.searched]
        conditions.append(
            sql.SQL(
                "(SELECT bool_and(strpos(fold(concat_ws(' ', {}, r.partner_id, p.name, p.name_local, r.project_id,"
                " j.name_vi, j.name_en)), word) > 0) FROM unnest(%(words)s::text[]) word)"
            ).format(sql.SQL(", ").join(map(_sql, hay)))
        )
    passing = _rows_of(kind, sql.SQL(kind.table + "_now")) + sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions)
    total = one(cursor.execute(sql.SQL("SELECT count(*) FROM ({}) passing").format(passing), given))
    rows = fetch(
        cursor,
        passing
        + sql.SQL(" AND (%(before)s::bigint IS NULL OR r.id < %(before)s::bigint) ORDER BY r.id DESC LIMIT %(n)s"),
        given,
    )
    shown = [_item(kind, r) for r in rows[:n]]
    return Page(items=shown, total=total, next=shown[-1]["id"] if len(rows) > n else None)


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
    query = _rows_of(kind, sql.SQL(kind.table)) + sql.SQL(" WHERE r.id = %(id)s ORDER BY r.version DESC")
    return fetch(cursor, query, {"id": record_id})


def _rows_of(kind: Kind, source: sql.SQL) -> sql.Composed:
    """SELECT of the rows `r` of a table or view with the names of their partner and project."""
    extra = sql.SQL("")
    joined = sql.SQL("")
    if kind is OUTCOME:
        extra = sql.SQL(", n.note, v.verdict, v.reason AS verdict_reason, v.account_id AS verified_by,"
                        " v.recorded_at AS verified_at")  # fmt: skip
        joined = sql.SQL(
            " LEFT JOIN outcome_note n ON (n.id, n.version) = (r.id, r.version)"
            " LEFT JOIN verification v ON (v.outcome_id, v.outcome_version) = (r.id, r.version)"
        )
    return sql.SQL(
        "SELECT r.*, p.name AS partner_name, j.name_vi, j.name_en{} FROM {} r"
        " LEFT JOIN LATERAL (SELECT name, name_local FROM partners_now WHERE partner_id = r.partner_id) p ON true"
        " LEFT JOIN LATERAL (SELECT name_vi, name_en FROM projects_now WHERE project_id = r.project_id) j ON true{}"
    ).format(extra, source, joined)


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
