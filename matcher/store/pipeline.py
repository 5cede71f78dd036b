"""The pipeline: contacts, shortlists, assignments and outcomes, each a row of versions that only grows.

The functions take a cursor of `Desk.acting`: row-level security decides what the actor sees and may write. What a
record must say is told by `matcher.stages`. An undo writes the version before as a new one; of a first version it
writes that the record is withdrawn.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from matcher import stages
from matcher.errors import ConflictError, ForbiddenError, InputError
from matcher.store import offices
from matcher.store.locks import hold
from matcher.store.pipeline_rows import (
    ASSIGNMENT,
    INTERACTION,
    OUTCOME,
    SHORTLIST,
    Kind,
    alive,
    content,
    get,
    one,
    unseen,
    versions_of,
)

Near = Callable[[str, str], list[str]]
"""Table and identifier -> identifiers with names that resemble it."""
Fits = Callable[[Mapping[str, Any]], None]
"""Refuses when the caller has read another version than this one."""


def nothing_near(_table: str, _seen: str) -> list[str]:
    """Where nobody can say what is nearby."""
    return []


# Writing


def create(
    cursor: psycopg.Cursor, kind: Kind, values: Mapping[str, Any], *, near: Near = nothing_near
) -> dict[str, Any]:
    """The record is there, as its first version; gives it with its history.

    Args:
        values: columns of the kind; those that are not given are null. `mission_id` only in assignments.

    Raises:
        InputError: something is missing, unknown or in the future.
        ForbiddenError: the actor's office does not cover the partner, or may not give out assignments.
        ConflictError: another office leads, or the pair is on the shortlist already.
    """
    row = {**dict.fromkeys((*kind.fixed, *kind.columns)), **values}
    offices.require_known(cursor, row, near=near)
    hold(cursor, "partner", row["partner_id"])
    row["mission_id"] = offices.office_of_new(cursor, row["partner_id"], row["mission_id"], near=near)
    if kind is ASSIGNMENT:
        row["by_city"] = offices.actor(cursor).role != "mission"
    _check(cursor, kind, row, before=None)
    _refuse_collision(cursor, kind, row, None)
    record_id: int = one(cursor.execute("SELECT nextval('pipeline_id')"))
    _write(cursor, kind, record_id, 1, row)
    return get(cursor, kind, record_id)


def change(
    cursor: psycopg.Cursor, kind: Kind, record_id: int, changes: Mapping[str, Any], *, fits: Fits | None = None,
    near: Near = nothing_near,
) -> dict[str, Any]:  # fmt: skip
    """The record has a new version with these columns changed, unless it says all of this already; gives it.

    Raises:
        NotFoundError: there is none that the actor may see.
        InputError, ForbiddenError, ConflictError: as `create`; the record belongs to another office.
    """
    hold(cursor, "record", f"{kind.table} {record_id}")
    versions = versions_of(cursor, kind, record_id)
    newest = alive(kind, record_id, versions)
    _require_own(cursor, newest)
    if fits is not None:
        fits(content(kind, versions))
    row = {c: newest[c] for c in (*kind.fixed, *kind.columns)} | dict(changes)
    if all(row[c] == newest[c] for c in kind.columns):
        return content(kind, versions)
    offices.require_known(cursor, dict(changes), near=near)
    hold(cursor, "partner", row["partner_id"])
    offices.require_covered(cursor, row["partner_id"])
    _check(cursor, kind, row, before=newest)
    _refuse_collision(cursor, kind, row, record_id)
    _write(cursor, kind, record_id, newest["version"] + 1, row)
    return get(cursor, kind, record_id)


def undo(cursor: psycopg.Cursor, kind: Kind, record_id: int) -> dict[str, Any]:
    """The version before the newest counts again, as a new version; a record of one version is withdrawn. Gives it.

    An undo is undone by the next one.

    Raises:
        NotFoundError: there is none that the actor may see.
        ForbiddenError: the record belongs to another office, or its partner is not covered any more.
        ConflictError: another office wrote the newest version, or what would come back collides.
    """
    hold(cursor, "record", f"{kind.table} {record_id}")
    versions = versions_of(cursor, kind, record_id)
    if not versions:
        raise unseen(kind, record_id)
    newest = versions[0]
    _require_own(cursor, newest)
    if not one(cursor.execute("SELECT colleague(%s)", [newest["account_id"]])):
        raise ConflictError(
            f"The newest version of {kind.table} {record_id} was written by another office; change the record instead."
        )
    before = versions[1] if len(versions) > 1 else {**newest, "withdrawn": True}
    hold(cursor, "partner", newest["partner_id"])
    offices.require_covered(cursor, newest["partner_id"])
    if not before["withdrawn"]:
        _refuse_collision(cursor, kind, before, record_id)
        if kind is ASSIGNMENT and before["stage"] == "won":
            _require_won(cursor, before)  # its outcome may have been undone since
    _write(cursor, kind, record_id, newest["version"] + 1, before, withdrawn=before["withdrawn"])
    return content(kind, versions_of(cursor, kind, record_id))


def verify(
    cursor: psycopg.Cursor, record_id: int, verdict: str, reason: str | None, *, fits: Fits | None = None
) -> dict[str, Any]:
    """The newest version of the outcome is verified or rejected; gives the outcome.

    Raises:
        NotFoundError: there is no such outcome.
        ForbiddenError: the actor reported a version of it himself.
        ConflictError: it was verified or rejected already.
    """
    stages.check_verification(verdict, reason)
    hold(cursor, "record", f"{OUTCOME.table} {record_id}")
    versions = versions_of(cursor, OUTCOME, record_id)
    newest = alive(OUTCOME, record_id, versions)
    if fits is not None:
        fits(content(OUTCOME, versions))
    me = offices.actor(cursor).account_id
    if any(v["account_id"] == me for v in versions):
        raise ForbiddenError(f"You reported outcome {record_id} yourself; another person verifies it.")
    if newest["verdict"] is not None:
        raise ConflictError(f"Version {newest['version']} of outcome {record_id} is {newest['verdict']} already.")
    cursor.execute(
        "INSERT INTO verification (id, outcome_id, outcome_version, verdict, reason, account_id)"
        " VALUES (nextval('pipeline_id'), %s, %s, %s, %s, actor_id())",
        [record_id, newest["version"], verdict, reason],
    )
    return get(cursor, OUTCOME, record_id)


# Inside


def _check(cursor: psycopg.Cursor, kind: Kind, row: Mapping[str, Any], *, before: Mapping[str, Any] | None) -> None:
    """The row says what its kind demands."""
    today: date = one(cursor.execute("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date"))
    if kind is INTERACTION:
        stages.check_interaction(row, today)
    elif kind is OUTCOME:
        stages.check_outcome(row, today)
    elif kind is ASSIGNMENT:
        stages.check_assignment(row)
        fresh = before is None or (before["stage"], before["project_id"]) != (row["stage"], row["project_id"])
        if row["stage"] == "won" and fresh:
            _require_won(cursor, row)
    elif kind is SHORTLIST and before is None and row["exposure_id"] is not None:
        _require_shown(cursor, row)


def _require_won(cursor: psycopg.Cursor, row: Mapping[str, Any]) -> None:
    found = cursor.execute(
        "SELECT 1 FROM outcome_now o JOIN verification v ON (v.outcome_id, v.outcome_version) = (o.id, o.version)"
        " WHERE (o.project_id, o.partner_id) = (%s, %s) AND o.result = 'won' AND v.verdict = 'verified' LIMIT 1",
        [row["project_id"], row["partner_id"]],
    ).fetchone()
    if found is None:
        expected = "an earlier stage: the stage won needs a verified outcome 'won' of this partner and project"
        raise InputError(
            f'/stage is "won", expected {expected}', [{"pointer": "/stage", "seen": "won", "expected": expected}]
        )


def _require_shown(cursor: psycopg.Cursor, row: Mapping[str, Any]) -> None:
    found = cursor.execute(
        "SELECT 1 FROM exposure_item WHERE (exposure_id, project_id, partner_id) = (%s, %s, %s)",
        [row["exposure_id"], row["project_id"], row["partner_id"]],
    ).fetchone()
    if found is None:
        seen, expected = str(row["exposure_id"]), "a list of yours that showed this partner for this project, or null"
        raise InputError(
            f"/exposure_id is {seen}, expected {expected}",
            [{"pointer": "/exposure_id", "seen": seen, "expected": expected}],
        )


def _refuse_collision(cursor: psycopg.Cursor, kind: Kind, row: Mapping[str, Any], record_id: int | None) -> None:
    """No second office leads, no office has a pair on its shortlist twice; the partner's lock is held."""
    if kind is ASSIGNMENT and row["lead"] and row["status"] in stages.RUNNING:
        found = offices.at(cursor, row["partner_id"])
        if found.led and found.lead_mission_id != row["mission_id"]:
            who = "The city" if found.lead_mission_id is None else f"The mission {found.lead_mission_id}"
            raise ConflictError(f"{who} leads on partner {row['partner_id']}; one office leads, the others join it.")
    if kind is SHORTLIST:
        twin = cursor.execute(
            "SELECT id FROM shortlist_now WHERE (partner_id, project_id) = (%s, %s)"
            " AND mission_id IS NOT DISTINCT FROM %s AND id IS DISTINCT FROM %s LIMIT 1",
            [row["partner_id"], row["project_id"], row["mission_id"], record_id],
        ).fetchone()
        if twin is not None:
            raise ConflictError(f"This pair is on the shortlist already, as {twin[0]}.")


def _write(
    cursor: psycopg.Cursor, kind: Kind, record_id: int, version: int, row: Mapping[str, Any], *, withdrawn: bool = False
) -> None:
    columns = [c for c in (*kind.fixed, *kind.columns) if (kind, c) != (OUTCOME, "note")]
    values = {c: row[c] for c in columns} | {"id": record_id, "version": version, "withdrawn": withdrawn}
    cursor.execute(
        sql.SQL("INSERT INTO {} ({}, account_id) VALUES ({}, actor_id())").format(
            sql.Identifier(kind.table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(sql.Placeholder, values)),
        ),
        values,
    )
    if kind is OUTCOME and row["note"] is not None:
        cursor.execute(
            "INSERT INTO outcome_note (id, version, mission_id, note, account_id) VALUES (%s, %s, %s, %s, actor_id())",
            [record_id, version, row["mission_id"], row["note"]],
        )


def _require_own(cursor: psycopg.Cursor, row: Mapping[str, Any]) -> None:
    me = offices.actor(cursor)
    given = bool(row.get("by_city")) and me.role in ("officer", "admin")
    if not given and not one(cursor.execute("SELECT own_office(%s)", [row["mission_id"]])):
        raise ForbiddenError("This record belongs to another office; only that office changes it.")
