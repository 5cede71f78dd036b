"""What has lain too long: work without a recent contact, outcomes that nobody verified, facts that nobody renewed."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

import psycopg
from psycopg import sql

from matcher.records import OPEN_STATUSES
from matcher.store.pipeline_rows import fetch, one

Reminder = Literal["contact", "outcome", "project", "partner"]
REMINDERS: tuple[Reminder, ...] = ("contact", "outcome", "project", "partner")

CONTACT_DAYS = 30
"""Active work without contact or change for longer is stale. Source: our choice."""
PROJECT_DAYS = 180
"""Facts about an open project whose source is older are stale. Source: our choice."""
PARTNER_DAYS = 365
"""Facts about a partner whose source is older are stale. Source: our choice."""

_PARTS = {
    "names": sql.SQL(
        " LEFT JOIN LATERAL (SELECT name, source_on FROM partners_now WHERE partner_id = r.partner_id) p ON true"
        " LEFT JOIN LATERAL (SELECT name_vi, name_en FROM projects_now WHERE project_id = r.project_id) j ON true"
    ),
    "city": sql.SQL("(SELECT actor_role()) IN ('officer', 'admin')"),
}
# The city does not see a mission's contacts: of work that it gave to one it cannot say that nothing happened.
_CONTACT = sql.SQL(
    "SELECT 'contact' AS kind, CASE WHEN r.next_on < %(day)s THEN 'next_on' ELSE 'quiet' END AS why, r.id,"
    " r.mission_id, r.partner_id, p.name, r.project_id, j.name_vi, j.name_en,"
    " CASE WHEN r.next_on < %(day)s THEN r.next_on ELSE last.day END AS since FROM assignment_now r {names}"
    " CROSS JOIN LATERAL (SELECT greatest((r.recorded_at AT TIME ZONE 'UTC')::date, (SELECT max(i.held_on)"
    " FROM interaction_now i WHERE i.partner_id = r.partner_id AND i.mission_id IS NOT DISTINCT FROM r.mission_id))"
    " AS day) last WHERE r.status = 'active' AND (r.next_on < %(day)s"
    " OR (last.day < %(day)s - %(contact_days)s::int AND own_office(r.mission_id)))"
).format(**_PARTS)
_OUTCOME = sql.SQL(
    "SELECT 'outcome' AS kind, 'unverified' AS why, r.id, r.mission_id, r.partner_id, p.name, r.project_id, j.name_vi,"
    " j.name_en, (r.recorded_at AT TIME ZONE 'UTC')::date AS since FROM outcome_now r {names}"
    " WHERE NOT EXISTS (SELECT FROM verification v WHERE (v.outcome_id, v.outcome_version) = (r.id, r.version))"
    " AND {city}"
).format(**_PARTS)
_PROJECT = sql.SQL(
    "SELECT 'project' AS kind, CASE WHEN j.source_on IS NULL THEN 'undated' ELSE 'old' END AS why, NULL::bigint AS id,"
    " NULL::text AS mission_id, NULL::text AS partner_id, NULL::text AS name, j.project_id, j.name_vi, j.name_en,"
    " j.source_on AS since FROM projects_now j WHERE j.status = ANY(%(open)s::text[])"
    " AND (j.source_on IS NULL OR j.source_on < %(day)s - %(project_days)s::int) AND {city}"
).format(**_PARTS)
_PARTNER = sql.SQL(
    "SELECT 'partner' AS kind, CASE WHEN p.source_on IS NULL THEN 'undated' ELSE 'old' END AS why, NULL::bigint AS id,"
    " NULL::text AS mission_id, r.partner_id, p.name, NULL::text AS project_id,"
    " NULL::text AS name_vi, NULL::text AS name_en, p.source_on AS since FROM (SELECT partner_id FROM assignment_now"
    " WHERE status IN ('active', 'paused') UNION SELECT partner_id FROM shortlist_now) r"
    " JOIN LATERAL (SELECT name, source_on FROM partners_now WHERE partner_id = r.partner_id) p ON true"
    " WHERE p.source_on IS NULL OR p.source_on < %(day)s - %(partner_days)s::int"
).format(**_PARTS)
_ORDER = sql.SQL(
    "(array_position(%(order)s::text[], kind), coalesce(since, '-infinity'), coalesce(id, 0),"
    " coalesce(partner_id, ''), coalesce(project_id, ''))"
)
_AFTER = ("a0", "a1", "a2", "a3", "a4")
_QUERIES: dict[Reminder, sql.Composed] = {
    "contact": _CONTACT,
    "outcome": _OUTCOME,
    "project": _PROJECT,
    "partner": _PARTNER,
}


def today(cursor: psycopg.Cursor) -> date:
    """The database's day in UTC."""
    day: date = one(cursor.execute("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date"))
    return day


def due(
    cursor: psycopg.Cursor,
    *,
    as_of: date,
    kinds: Sequence[Reminder] = REMINDERS,
    n: int = 50,
    after: Sequence[Any] | None = None,
) -> tuple[list[dict[str, Any]], int, list[Any] | None]:
    """Reminders of the actor's own pipeline by kind, longest waiting first; how many; where the next page begins.

    - contact: active assignments whose `next_on` has passed (`why` next_on), or without contact or change for more
      than `CONTACT_DAYS` (quiet)
    - outcome: outcomes that nobody has verified or rejected; to officers and administrators
    - project: open projects whose source is older than `PROJECT_DAYS` (old) or bears no date (undated); to the same
    - partner: partners of the pipeline whose source is older than `PARTNER_DAYS` (old) or bears no date (undated)

    `since` is the day that it has waited from, `days` how many days that was; null when it bears no date.
    """
    given = _given(as_of) | {"n": n + 1, "order": list(REMINDERS)}
    listed = _listed(kinds)
    total: int = one(cursor.execute(sql.SQL("SELECT count(*) FROM ({}) listed").format(listed), given))
    later: sql.Composable = sql.SQL("true")
    if after is not None:
        given |= dict(zip(_AFTER, after, strict=True))
        later = sql.SQL(
            "{} > (%(a0)s::int, coalesce(%(a1)s::date, '-infinity'), %(a2)s::bigint, %(a3)s, %(a4)s)"
        ).format(_ORDER)
    rows = fetch(
        cursor,
        sql.SQL("SELECT * FROM ({}) listed WHERE {} ORDER BY {} LIMIT %(n)s").format(listed, later, _ORDER),
        given,
    )
    shown = [_item(r, as_of) for r in rows[:n]]
    return shown, total, _place(shown[-1]) if len(rows) > n else None


def counted(cursor: psycopg.Cursor, *, as_of: date) -> dict[tuple[str, str], int]:
    """(`kind`, `why`) -> how many reminders the actor has of it; those that there are."""
    grouped = sql.SQL("SELECT kind, why, count(*) AS n FROM ({}) listed GROUP BY kind, why").format(_listed(REMINDERS))
    return {(row["kind"], row["why"]): row["n"] for row in fetch(cursor, grouped, _given(as_of))}


def _listed(kinds: Sequence[Reminder]) -> sql.Composable:
    """The reminders of some kinds, one row each."""
    return sql.SQL(" UNION ALL ").join(sql.SQL("({})").format(_QUERIES[k]) for k in REMINDERS if k in kinds)


def _given(as_of: date) -> dict[str, Any]:
    """What the queries of the kinds are given."""
    return {
        "day": as_of, "contact_days": CONTACT_DAYS, "project_days": PROJECT_DAYS, "partner_days": PARTNER_DAYS,
        "open": list(OPEN_STATUSES),
    }  # fmt: skip


def _place(item: dict[str, Any]) -> list[Any]:
    """Where an item stands in the order, as `after` takes it."""
    partner, project = item["partner"], item["project"]
    return [
        REMINDERS.index(item["kind"]) + 1, item["since"], item["id"] or 0, partner["id"] if partner else "",
        project["id"] if project else "",
    ]  # fmt: skip


def _item(row: dict[str, Any], as_of: date) -> dict[str, Any]:
    partner = None if row["partner_id"] is None else {"id": row["partner_id"], "name": row["name"]}
    name = {"vi": row["name_vi"], "en": row["name_en"]}
    since = row["since"]
    return {
        "kind": row["kind"], "why": row["why"], "id": row["id"], "mission_id": row["mission_id"], "partner": partner,
        "project": None if row["project_id"] is None else {"id": row["project_id"], "name": name},
        "since": since and since.isoformat(), "days": None if since is None else (as_of - since).days,
    }  # fmt: skip
