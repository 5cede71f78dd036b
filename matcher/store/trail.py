"""The audit, read: who changed what, when and from where; and the outcomes that others may rely on."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from matcher.records import DAY, INT, NUM, TEXT
from matcher.store.pipeline_rows import Page, fetch, one

_TIME = pl.Datetime("us", "UTC")
OUTCOMES: dict[str, pl.DataType] = {
    "outcome_id": INT, "version": INT, "project_id": TEXT, "partner_id": TEXT, "result": TEXT, "role": TEXT,
    "decided_on": DAY, "value_usd": NUM, "lost_reason": TEXT, "lost_to_country": TEXT, "mission_id": TEXT,
    "source": TEXT, "source_on": DAY, "reported_by": TEXT, "verified_by": TEXT, "verified_at": _TIME,
}  # fmt: skip
"""Columns of the verified outcomes; persons are pseudonyms."""

_DAY = "(a.at AT TIME ZONE 'UTC')::date"
_AUDITED = {
    "actor": sql.SQL("a.actor = ANY(%(actor)s::text[])"),
    "action": sql.SQL("a.action = ANY(%(action)s::text[])"),
    "account_id": sql.SQL("a.account_id = ANY(%(account_id)s::bigint[])"),
    "since": sql.SQL(_DAY + " >= %(since)s"),
    "until": sql.SQL(_DAY + " <= %(until)s"),
}


def audit(cursor: psycopg.Cursor, *, filters: Mapping[str, Any], n: int = 50, before: int | None = None) -> Page:
    """Entries of the audit that pass, newest first; administrators see them, nobody else any.

    Args:
        filters: `actor`, `action`, `account_id` -> alternatives; `since`, `until` -> days (UTC), both included.
        before: identifier after which the page begins.
    """
    given: dict[str, Any] = {
        k: list(v) if isinstance(v, tuple) else v for k, v in filters.items() if v not in (None, (), [])
    }
    conditions = sql.SQL(" AND ").join([sql.SQL("true"), *(_AUDITED[k] for k in given)])
    given |= {"before": before, "n": n + 1}
    total: int = one(cursor.execute(sql.SQL("SELECT count(*) FROM audit a WHERE ") + conditions, given))
    rows = fetch(
        cursor,
        sql.SQL(
            "SELECT id, at, actor, account_id, action, origin, request_id, details, old, new FROM audit a WHERE {}"
            " AND (%(before)s::bigint IS NULL OR id < %(before)s::bigint) ORDER BY id DESC LIMIT %(n)s"
        ).format(conditions),
        given,
    )
    shown = [r | {"at": r["at"].isoformat()} for r in rows[:n]]
    return Page(items=shown, total=total, next=shown[-1]["id"] if len(rows) > n else None)


def read_outcomes(cursor: psycopg.Cursor, *, as_of: date | None = None) -> pl.DataFrame:
    """Outcomes that another person verified, by project, partner and identifier; columns `OUTCOMES`.

    With `as_of` as they stood at the end of that day (UTC): of the versions recorded by then the newest, where it was
    verified by then and was decided by then. A change or a rejection that came later is not known on that day.
    """
    cursor.execute(
        "SELECT o.id, o.version, o.project_id, o.partner_id, o.result, o.role, o.decided_on, o.value_usd,"
        " o.lost_reason, o.lost_to_country, o.mission_id, o.source, o.source_on, 'u' || o.account_id,"
        " 'u' || v.account_id, v.recorded_at FROM (SELECT DISTINCT ON (id) * FROM outcome WHERE"
        "  (%(as_of)s::date IS NULL OR (recorded_at AT TIME ZONE 'UTC')::date <= %(as_of)s::date)"
        "  ORDER BY id, version DESC) o"
        " JOIN verification v ON (v.outcome_id, v.outcome_version) = (o.id, o.version) AND v.verdict = 'verified'"
        " WHERE NOT o.withdrawn AND (%(as_of)s::date IS NULL OR (o.decided_on <= %(as_of)s::date"
        "  AND (v.recorded_at AT TIME ZONE 'UTC')::date <= %(as_of)s::date))"
        " ORDER BY o.project_id, o.partner_id, o.id",
        {"as_of": as_of},
    )
    return pl.DataFrame(cursor.fetchall(), schema=OUTCOMES, orient="row")
