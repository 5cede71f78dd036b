"""Exposures and judgments page by page, newest first, as row-level security shows them to the account that asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from matcher.errors import InputError, NotFoundError
from matcher.store.feedback import check_pseudonym
from matcher.store.pipeline_rows import fetch

CITY = "city"
"""What stands for the city itself where missions are named."""

_OFFICE = "(t.mission_id = ANY(%(mission_id)s::text[]) OR (t.mission_id IS NULL AND 'city' = ANY(%(mission_id)s)))"
_EXPOSURES: dict[str, str] = {
    "engine": "t.engine_id = ANY(%(engine)s::text[])",
    "mission_id": _OFFICE,
    "channel": "t.channel = ANY(%(channel)s::text[])",
    "since": "t.shown_at >= (%(since)s::date)::timestamp AT TIME ZONE 'UTC'",
    "until": "t.shown_at < (%(until)s::date + 1)::timestamp AT TIME ZONE 'UTC'",
}
_JUDGMENTS: dict[str, str] = {
    **{
        name: f"t.{name} = ANY(%({name})s::{kind}[])"
        for name, kind in (("project_id", "text"), ("partner_id", "text"), ("judged_by", "text"), ("grade", "bigint"))
    },
    "mission_id": _OFFICE,
    "since": "t.judged_on >= %(since)s::date",
    "until": "t.judged_on <= %(until)s::date",
}
_EXPOSURE = (
    'SELECT t.exposure_id AS id, engine_id AS engine, as_of, revision, query, filters, n, "offset", n_items AS rows,'
    " candidates, channel, lang, actor, role, mission_id, shown_at FROM exposure t"
)
_JUDGMENT = (
    "SELECT t.judgment_id AS id, project_id, partner_id, grade, reason, judged_by, mission_id, judged_on, exposure_id,"
    " recorded_at FROM judgment t"
)
_NEWEST = (
    "NOT EXISTS (SELECT FROM judgment later WHERE (later.project_id, later.partner_id, later.judged_by)"
    " = (t.project_id, t.partner_id, t.judged_by)"
    " AND (later.judged_on, later.judgment_id) > (t.judged_on, t.judgment_id))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page; `next` is the identifier before which the following page begins."""

    items: list[dict[str, Any]]
    next: int | None


def exposures(cursor: psycopg.Cursor, *, filters: Mapping[str, Any], n: int, before: int | None) -> Page:
    """Lists that were shown, without their rows.

    Args:
        filters: `engine`, `mission_id` (`CITY`: the city itself), `channel` -> alternatives; `since`, `until` -> days
            (UTC), both included.
        before: identifier after which the page begins.
    """
    return _page(cursor, _EXPOSURE, "t.exposure_id", _EXPOSURES, [], filters, n, before)


def exposure(cursor: psycopg.Cursor, exposure_id: int) -> dict[str, Any]:
    """One list that was shown, with its rows.

    Raises:
        NotFoundError: there is none that this account may see.
    """
    found = fetch(cursor, sql.SQL(_EXPOSURE + " WHERE t.exposure_id = %(id)s"), {"id": exposure_id})  # type: ignore[arg-type]
    if not found:
        raise NotFoundError(f"No list was logged as exposure {exposure_id}.")
    items = fetch(
        cursor,
        sql.SQL(
            "SELECT rank, project_id, partner_id, score, probability, propensity FROM exposure_item"
            " WHERE exposure_id = %(id)s ORDER BY rank"
        ),  # type: ignore[arg-type]
        {"id": exposure_id},
    )
    return {**_plain(found[0]), "items": items}


def judgments(
    cursor: psycopg.Cursor, *, filters: Mapping[str, Any], n: int, before: int | None, history: bool = False
) -> Page:
    """Judgments: the newest of each judge on each pair; with `history` all.

    Args:
        filters: `project_id`, `partner_id`, `judged_by`, `grade`, `mission_id` -> alternatives; `since`, `until` ->
            days, both included.
        before: identifier after which the page begins.
    """
    return _page(
        cursor, _JUDGMENT, "t.judgment_id", _JUDGMENTS, [] if history else [_NEWEST], filters, n, before
    )  # fmt: skip


def add_judgment(
    cursor: psycopg.Cursor, *, project_id: str, partner_id: str, grade: int, reason: str | None,
    judged_on: date | None, exposure_id: int | None, judged_by: str, mission_id: str | None,
) -> dict[str, Any]:  # fmt: skip
    """The judgment is on record; gives it. What the same judge said of the pair before stays and is superseded.

    Args:
        judged_on: default: today, by the clock of the database (UTC).

    Raises:
        InputError: the pair does not exist, the day has not come, or the list was not shown to this office or did not
            show the pair.
    """
    check_pseudonym(judged_by, "judged_by")
    cursor.execute(
        "SELECT EXISTS (SELECT FROM projects_now WHERE project_id = %s), EXISTS (SELECT FROM partners_now WHERE"
        " partner_id = %s), (clock_timestamp() AT TIME ZONE 'UTC')::date,"
        " %s::bigint IS NULL OR EXISTS (SELECT FROM exposure_item WHERE (exposure_id, project_id, partner_id)"
        " = (%s::bigint, %s, %s))",
        [project_id, partner_id, exposure_id, exposure_id, project_id, partner_id],
    )
    row = cursor.fetchone()
    assert row is not None
    project_known, partner_known, today, shown = row
    for known, pointer, seen, expected in (
        (project_known, "/project_id", project_id, "a project that is stored"),
        (partner_known, "/partner_id", partner_id, "a partner that is stored"),
        (judged_on is None or judged_on <= today, "/judged_on", judged_on, f"a day up to {today.isoformat()}"),
        (shown, "/exposure_id", exposure_id, "a list that was shown to your office and holds the pair"),
    ):
        if not known:
            raise InputError(
                f'{pointer} is "{str(seen)[:100]}"; expected {expected}.',
                [{"pointer": pointer, "seen": str(seen)[:100], "expected": expected}],
            )
    cursor.execute(
        "INSERT INTO judgment (project_id, partner_id, grade, reason, judged_by, mission_id, judged_on, exposure_id,"
        " actor) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING judgment_id",
        [
            project_id, partner_id, grade, reason, judged_by, mission_id, judged_on or today, exposure_id, judged_by
        ],
    )  # fmt: skip
    made = cursor.fetchone()
    assert made is not None
    return _plain(fetch(cursor, sql.SQL(_JUDGMENT + " WHERE t.judgment_id = %(id)s"), {"id": made[0]})[0])  # type: ignore[arg-type]


def _page(
    cursor: psycopg.Cursor, select: str, key: str, known: Mapping[str, str], conditions: list[str],
    filters: Mapping[str, Any], n: int, before: int | None,
) -> Page:  # fmt: skip
    given = {k: list(v) if isinstance(v, tuple) else v for k, v in filters.items() if v not in (None, (), [])}
    where = [*conditions, *(known[k] for k in given), f"(%(before)s::bigint IS NULL OR {key} < %(before)s::bigint)"]
    text = f"{select} WHERE {' AND '.join(where)} ORDER BY {key} DESC LIMIT %(n)s"
    rows = fetch(cursor, sql.SQL(text), {**given, "before": before, "n": n + 1})  # type: ignore[arg-type]
    shown = [_plain(r) for r in rows[:n]]
    return Page(items=shown, next=shown[-1]["id"] if len(rows) > n else None)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Days and instants as text."""
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in row.items()}
