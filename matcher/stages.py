"""What a record of the pipeline must say: kinds, stages with their required fields, statuses, results.

Rules are data; the functions only read them. Days are compared with the database's, which the caller gives.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Literal

from matcher.errors import InputError
from matcher.records import ROLES

Contact = Literal["contact", "meeting", "visit", "delegation", "event"]
Stage = Literal["lead", "prospect", "engaged", "negotiating", "committed", "won"]
Status = Literal["active", "paused", "lost", "done"]
Result = Literal["won", "lost", "abandoned"]
Verdict = Literal["verified", "rejected"]

STAGES: tuple[Stage, ...] = ("lead", "prospect", "engaged", "negotiating", "committed", "won")
"""How far the work with a partner has come, first to last; any step forth or back may be taken."""

RUNNING: tuple[Status, ...] = ("active", "paused")
"""Statuses of work that goes on; the others have ended it. Status says nothing of the stage."""

_NEXT, _PAIR = ("next_step", "next_on"), (("project_id",), ("value_usd",))
REQUIRED: Mapping[Stage, tuple[tuple[str, ...], ...]] = MappingProxyType({
    "lead": (),
    "prospect": (),
    "engaged": (_NEXT,),
    "negotiating": (_NEXT, *_PAIR),
    "committed": (_NEXT, *_PAIR, ("expected_on",)),
    "won": _PAIR,
})  # fmt: skip
"""Stage -> what must be filled in, each a choice of fields; work that has ended needs no next step."""

SKEW_DAYS = 1
"""Days after the database's that a past event may bear: east of us, tomorrow has begun."""


def check_interaction(values: Mapping[str, Any], today: date) -> None:
    """The contact has taken place.

    Raises:
        InputError: `held_on` lies in the future.
    """
    _refuse(_ahead(values, "held_on", today))


def check_assignment(values: Mapping[str, Any]) -> None:
    """The assignment says what its stage and status need; whether a deal was won is for the database to know.

    Raises:
        InputError: names every field that is missing, or that belongs to another status.
    """
    stage, status = values["stage"], values["status"]
    errors = [
        _error(choice[0], "nothing", f"a value: the stage {stage} needs {' or '.join(choice)}")
        for choice in REQUIRED[stage]
        if all(values.get(name) is None for name in choice) and (choice != _NEXT or status in RUNNING)
    ]
    errors += _losses(values, "status", status, ("lost",))
    _refuse(errors)


def check_outcome(values: Mapping[str, Any], today: date) -> None:
    """The outcome says what its result needs.

    Raises:
        InputError: names every field that is missing, that belongs to another result, or lies in the future.
    """
    result, role = values["result"], values.get("role")
    errors = _ahead(values, "decided_on", today) + _ahead(values, "source_on", today)
    if result == "won" and role not in ROLES:
        errors.append(_error("role", role, f"one of {', '.join(ROLES)}: how the partner takes part"))
    if result != "won" and role is not None:
        errors.append(_error("role", role, "nothing, unless the result is won"))
    errors += _losses(values, "result", result, ("lost", "abandoned"))
    _refuse(errors)


def check_verification(verdict: str, reason: str | None) -> None:
    """A rejection says why.

    Raises:
        InputError: it does not.
    """
    if verdict == "rejected" and reason is None:
        _refuse([_error("reason", "nothing", "why the outcome is rejected")])


def _losses(values: Mapping[str, Any], field: str, seen: str, reasoned: tuple[str, ...]) -> list[dict[str, str]]:
    """`lost_reason` stands with a loss and nowhere else; the country, where known, too."""
    reason, country = values.get("lost_reason"), values.get("lost_to_country")
    errors = []
    if seen == "lost" and reason is None:
        errors.append(_error("lost_reason", "nothing", f"why it was lost: the {field} is lost"))
    if seen not in reasoned and reason is not None:
        errors.append(_error("lost_reason", reason, f"nothing, unless the {field} is {' or '.join(reasoned)}"))
    if seen != "lost" and country is not None:
        errors.append(_error("lost_to_country", country, f"nothing, unless the {field} is lost"))
    return errors


def _ahead(values: Mapping[str, Any], field: str, today: date) -> list[dict[str, str]]:
    day = values.get(field)
    if day is None or day <= today + timedelta(days=SKEW_DAYS):
        return []
    return [_error(field, day.isoformat(), f"a day that has come; today is {today.isoformat()} (UTC)")]


def _error(field: str, seen: object, expected: str) -> dict[str, str]:
    return {"pointer": f"/{field}", "seen": "nothing" if seen is None else str(seen)[:100], "expected": expected}


def _refuse(errors: list[dict[str, str]]) -> None:
    if errors:
        said = "; ".join(f'{e["pointer"]} is "{e["seen"]}", expected {e["expected"]}' for e in errors)
        raise InputError(said, errors)
