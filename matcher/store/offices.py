"""Offices: who acts for which, which partners an office may work on, and who works on a partner already."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from matcher.errors import ForbiddenError, InputError
from matcher.stages import RUNNING, STAGES

_LOOKED_UP = {
    "partner_id": ("partners", "partner_id"),
    "project_id": ("projects", "project_id"),
    "lost_to_country": ("countries", "country"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Under whose account the transaction works; `mission_id` None: for the city."""

    account_id: int
    role: str
    mission_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offices:
    """Who works on a partner.

    Attributes:
        others: another office than the actor's does.
        led: some office leads; `lead_mission_id` is that office, None the city.
    """

    others: bool
    led: bool
    lead_mission_id: str | None


def actor(cursor: psycopg.Cursor) -> Actor:
    """Who acts.

    Raises:
        ForbiddenError: nobody, or an account that was disabled.
    """
    row = cursor.execute("SELECT actor_id(), actor_role(), actor_mission()").fetchone()
    if row is None or row[1] is None:
        raise ForbiddenError("This account may not do anything any more.")
    return Actor(account_id=row[0], role=row[1], mission_id=row[2])


def at(cursor: psycopg.Cursor, partner_id: str) -> Offices:
    """Whether other offices work on a partner, and which one leads; nothing else of their work."""
    row = cursor.execute("SELECT others, led, lead_mission_id FROM offices_at(%s)", [[partner_id]]).fetchone()
    others, led, lead = row or (False, False, None)
    return Offices(others=bool(others), led=bool(led), lead_mission_id=lead)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Running work of the actor's office with a partner; `project_id` None: for no project yet."""

    assignment_id: int
    project_id: str | None
    stage: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """The last contact of the actor's office with a partner about one project; None: about none."""

    project_id: str | None
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things stand between the actor's office and a partner, and who else works on it.

    Attributes:
        works: the office's own running work, what has come furthest first.
        met: its own last contact about each project, the latest first.
        shortlisted: projects for which the own office keeps the partner in view.
        reported: projects of which a result waits to be verified, as far as the actor may know.
    """

    offices: Offices
    works: tuple[Work, ...] = ()
    met: tuple[Met, ...] = ()
    shortlisted: frozenset[str] = frozenset()
    reported: frozenset[str] = frozenset()

    @property
    def assignment_id(self) -> int | None:
        """The record of the work that has come furthest; None without."""
        return self.works[0].assignment_id if self.works else None

    @property
    def stage(self) -> str | None:
        """The furthest stage of the office's own work; None without."""
        return self.works[0].stage if self.works else None

    @property
    def contact_on(self) -> date | None:
        """Day of the own office's last contact; None without."""
        return self.met[0].on if self.met else None

    def work_for(self, project_id: str | None) -> Work | None:
        """The work to show beside a project: its own, else what has come furthest for another one or for none."""
        return next((w for w in self.works if w.project_id == project_id), self.works[0] if self.works else None)

    def met_for(self, project_id: str | None) -> Met | None:
        """The contact to show beside a project: the last one about it, else the last one about anything."""
        return next((m for m in self.met if m.project_id == project_id), self.met[0] if self.met else None)


UNTOUCHED = Standing(offices=Offices(others=False, led=False, lead_mission_id=None))
"""Nobody works with the partner, as far as the actor may know."""

_STANDING = (
    "SELECT w.partner_id, coalesce(o.others, false), coalesce(o.led, false), o.lead_mission_id,"
    " array(SELECT json_build_array(n.id, n.project_id, n.stage, n.status) FROM assignment_now n"
    " WHERE n.partner_id = w.partner_id AND own_office(n.mission_id) AND n.status = ANY(%(running)s)"
    " ORDER BY array_position(%(stages)s::text[], n.stage) DESC, n.id),"
    " array(SELECT json_build_array(i.project_id, max(i.held_on)) FROM interaction_now i"
    " WHERE i.partner_id = w.partner_id AND own_office(i.mission_id)"
    " GROUP BY i.project_id ORDER BY max(i.held_on) DESC, i.project_id),"
    " array(SELECT s.project_id FROM shortlist_now s WHERE s.partner_id = w.partner_id AND own_office(s.mission_id)),"
    " array(SELECT r.project_id FROM outcome_now r WHERE r.partner_id = w.partner_id AND NOT EXISTS (SELECT FROM"
    " verification v WHERE (v.outcome_id, v.outcome_version) = (r.id, r.version)))"
    " FROM unnest(%(ids)s::text[]) w (partner_id) LEFT JOIN offices_at(%(ids)s) o ON o.partner_id = w.partner_id"
)


def standing(cursor: psycopg.Cursor, partner_ids: Sequence[str]) -> dict[str, Standing]:
    """How things stand with each of some partners, as far as the actor may know."""
    given = {"ids": list(dict.fromkeys(partner_ids)), "running": list(RUNNING), "stages": list(STAGES)}
    return {
        partner: Standing(
            offices=Offices(others=others, led=led, lead_mission_id=lead),
            works=tuple(Work(assignment_id=i, project_id=p, stage=g, status=s) for i, p, g, s in works),
            met=tuple(Met(project_id=p, on=date.fromisoformat(on)) for p, on in met),
            shortlisted=frozenset(shortlisted), reported=frozenset(reported),
        )
        for partner, others, led, lead, works, met, shortlisted, reported in cursor.execute(_STANDING, given)
    }  # fmt: skip


def require_known(cursor: psycopg.Cursor, row: Mapping[str, Any], *, near: Callable[[str, str], list[str]]) -> None:
    """Partner, project and country of the row exist.

    Raises:
        InputError: one does not; names those nearby.
    """
    errors = []
    for column, (table, key) in _LOOKED_UP.items():
        seen = row.get(column)
        if seen is None or _exists(cursor, table, key, seen):
            continue
        what = "a country as ISO 3166-1 alpha-2" if table == "countries" else f"the id of one of the {table}"
        errors.append(_unknown(f"/{column}", seen, what, near(table, seen)))
    if errors:
        raise InputError(
            "; ".join(f'{e["pointer"]} is "{e["seen"]}", expected {e["expected"]}' for e in errors), errors
        )


def office_of_new(
    cursor: psycopg.Cursor, partner_id: str, wanted: str | None, *, near: Callable[[str, str], list[str]]
) -> str | None:
    """The office that a new record belongs to: the actor's, or the mission that the city gives it to.

    Raises:
        ForbiddenError: the office does not cover the partner, or a mission gives work to another one.
        InputError: there is no such mission.
    """
    me = actor(cursor)
    if me.role == "mission":
        if wanted not in (None, me.mission_id):
            raise ForbiddenError(
                f"Your account works for the mission {me.mission_id}; only the city assigns to others."
            )
        require_covered(cursor, partner_id)
        return me.mission_id
    if wanted is None:
        return None
    if not _exists(cursor, "missions", "mission_id", wanted):
        error = _unknown("/mission_id", wanted, "the id of one of the missions", near("missions", wanted))
        raise InputError(f'/mission_id is "{error["seen"]}", expected {error["expected"]}', [error])
    _refuse_uncovered(cursor, partner_id, wanted, f"The mission {wanted}")
    return wanted


def require_covered(cursor: psycopg.Cursor, partner_id: str) -> None:
    """The actor's office may work on the partner: the city on every one, a mission on those of its countries.

    Raises:
        ForbiddenError: it may not; says which countries it covers.
    """
    me = actor(cursor)
    if me.mission_id is not None:
        _refuse_uncovered(cursor, partner_id, me.mission_id, "Your mission")


def _refuse_uncovered(cursor: psycopg.Cursor, partner_id: str, mission_id: str, who: str) -> None:
    row = cursor.execute(
        "SELECT (SELECT country FROM partners_now WHERE partner_id = %(partner)s), array(SELECT country FROM"
        " missions_now WHERE mission_id = %(mission)s UNION SELECT country FROM accreditation_now WHERE mission_id ="
        " %(mission)s ORDER BY country)",
        {"partner": partner_id, "mission": mission_id},
    ).fetchone()
    assert row is not None
    home, covered = row
    if home in covered:
        return
    where = "has no known home country" if home is None else f"is at home in {home}"
    raise ForbiddenError(f"{who} covers {', '.join(covered) or 'no country'}; partner {partner_id} {where}.")


def _exists(cursor: psycopg.Cursor, table: str, key: str, seen: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(sql.Identifier(f"{table}_now"), sql.Identifier(key))
    return cursor.execute(query, [seen]).fetchone() is not None


def _unknown(pointer: str, seen: str, expected: str, near: list[str]) -> dict[str, str]:
    hint = f"; nearby: {', '.join(near)}" if near else ""
    return {"pointer": pointer, "seen": seen[:100], "expected": f"{expected}{hint}"}
