"""Fields of pipeline records: from a form to what the API takes, from a record to a form, and how values read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel

from api import schemas_pipeline as s
from api.directory import Directory
from api.language import (
    CONTACT_NAMES,
    RESULT_NAMES,
    STAGE_NAMES,
    WORK_STATUS_NAMES,
    _,
    any_day,
    free,
    usd_range,
)
from api.pages import forms, telling
from api.schemas import Lang
from api.writes import StaleMatchError
from matcher.errors import ConflictError, ForbiddenError, InputError, MatcherError, NotFoundError
from matcher.identity import Caller
from matcher.matching.labels import ROLE_NAMES
from matcher.store.pipeline_rows import ASSIGNMENT, INTERACTION, OUTCOME, SHORTLIST, Kind
from matcher.text import number

MILLION = 1_000_000
NOTHING = _("chưa có")
MILLIONS = _("%(value)s tr USD")

DAYS = frozenset({"held_on", "next_on", "expected_on", "decided_on", "source_on"})
WORDS = frozenset({"next_step", "note", "lost_reason", "reason"})
"""What an office writes in its own words, in either language."""
_MISSING = frozenset({"version", "part"})
"""Fields of our forms that are no columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the pages know of one kind of record.

    Attributes:
        fields: those of a form, in its order; `fixed` only when the record is new.
    """

    kind: Kind
    new: type[BaseModel]
    change: type[BaseModel] | None
    fixed: tuple[str, ...]
    fields: tuple[str, ...]


SHAPES: Mapping[str, Shape] = {
    "interactions": Shape(
        kind=INTERACTION, new=s.NewInteraction, change=s.InteractionChange, fixed=("partner_id",),
        fields=("project_id", "kind", "held_on", "next_on", "note"),
    ),
    "shortlists": Shape(
        kind=SHORTLIST, new=s.NewShortlist, change=None, fixed=("partner_id", "project_id", "exposure_id"),
        fields=("reason",),
    ),
    "assignments": Shape(
        kind=ASSIGNMENT, new=s.NewAssignment, change=s.AssignmentChange, fixed=("partner_id", "mission_id"),
        fields=("project_id", "stage", "status", "lead", "next_step", "next_on", "value_usd", "expected_on",
                "lost_reason", "lost_to_country"),
    ),
    "outcomes": Shape(
        kind=OUTCOME, new=s.NewOutcome, change=s.OutcomeChange, fixed=("partner_id", "project_id"),
        fields=("result", "decided_on", "role", "value_usd", "lost_reason", "lost_to_country", "source", "source_on",
                "note"),
    ),
}  # fmt: skip

_NAMES: Mapping[str, Mapping[str, str]] = {
    "kind": CONTACT_NAMES, "stage": STAGE_NAMES, "status": WORK_STATUS_NAMES, "result": RESULT_NAMES,
}  # fmt: skip


# From a form


def new_of(name: str, form: forms.Sent) -> BaseModel:
    """The body of a new record.

    Raises:
        InputError: names every field that does not fit.
    """
    return forms.read(SHAPES[name].new, _typed(form.fields, form.lang))


def change_of(name: str, form: forms.Sent) -> dict[str, Any]:
    """What a form changes: all its fields, a blank one cleared; a form of one part only what it holds.

    Raises:
        InputError: names every field that does not fit.
    """
    shape = SHAPES[name]
    assert shape.change is not None
    given = _typed(form.fields, form.lang)
    if "part" not in form.fields:
        given = dict.fromkeys(shape.fields) | given
        if "lead" in shape.fields:
            given["lead"] = bool(given["lead"])
    return forms.read(shape.change, given).model_dump(exclude_unset=True)


def _typed(fields: Mapping[str, str], lang: Lang) -> dict[str, Any]:
    """Texts as the API takes them; what cannot be read stays text, which the API refuses."""
    out: dict[str, Any] = {}
    for name, text in fields.items():
        if name in _MISSING:
            continue
        if name in DAYS:
            out[name] = forms.day_of(text)
        elif name == "value_usd":
            out[name] = _dollars(text, lang)
        elif name == "lead":
            out[name] = text == "yes"
        elif name == "exposure_id":
            out[name] = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text
        elif name == "lost_to_country":
            out[name] = text.upper()
        else:
            out[name] = text
    return out


def _dollars(text: str, lang: Lang) -> float | str:
    """Millions as they are typed, in dollars."""
    try:
        return round(float(forms.number_of(text, lang)) * MILLION, 2)
    except ValueError:
        return text


# From a record


def typed(name: str, record: Mapping[str, Any], lang: Lang) -> dict[str, Any]:
    """The fields of a record as its form shows them."""
    values = {field: record.get(field) for field in SHAPES[name].fields}
    if "project_id" in values:
        values["project_id"] = record["project"]["id"] if record["project"] else None
    value = values.get("value_usd")
    if value is not None:
        millions = value / MILLION
        values["value_usd"] = number(millions, lang, 0 if millions == int(millions) else 2)
    return values


def late(record: Mapping[str, Any], day: date) -> int | None:
    """For how many days the next date of active work has passed; None: it has not, or there is none."""
    if record.get("status") != "active" or record["next_on"] is None:
        return None
    days = (day - date.fromisoformat(str(record["next_on"]))).days
    return days if days > 0 else None


def reads(field: str, value: Any, lang: Lang, directory: Directory) -> str:
    """A value as a sentence holds it."""
    if value is None or isinstance(value, bool):
        return telling.say(NOTHING if value is None else telling.YES if value else telling.NO, lang)
    if field in _NAMES:
        return telling.say(_NAMES[field].get(value, value), lang)
    if field in DAYS:
        return any_day(value, lang) or ""
    if field in WORDS:
        return free(value, lang)
    told: Mapping[str, Callable[[], str]] = {
        "value_usd": lambda: telling.say(MILLIONS, lang) % {"value": usd_range(value, value, lang)},
        "role": lambda: ROLE_NAMES[value][lang] if value in ROLE_NAMES else value,
        "lost_to_country": lambda: directory.country_name(value, lang),
        "project_id": lambda: directory.project_name(value, lang),
    }
    return str(told[field]()) if field in told else str(value)


def timeline(name: str, record: Mapping[str, Any], lang: Lang, directory: Directory) -> list[dict[str, Any]]:
    """The versions of a record, newest first: by whom, when, and what was otherwise before."""
    fields = [f for f in SHAPES[name].kind.columns if f in record["history"][0]]
    out = []
    for version, before in zip(record["history"], [*record["history"][1:], None], strict=True):
        changes = [
            (telling.field_name(f, lang, name), reads(f, before[f], lang, directory) if before else None,
             reads(f, version[f], lang, directory))
            for f in fields
            if (version[f] is not None if before is None else version[f] != before[f])
        ]  # fmt: skip
        back = before is not None and before["withdrawn"] and not version["withdrawn"]
        out.append({**version, "changes": changes, "first": before is None, "back": back})
    return out


# Who may do what


def is_own(caller: Caller, record: Mapping[str, Any]) -> bool:
    """The caller's office changes the record: its own, or work that the city gave out."""
    if caller.role == "mission":
        return bool(record["mission_id"] == caller.mission_id)
    return record["mission_id"] is None or bool(record.get("by_city"))


# What was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A write that was refused, as its form tells it.

    Attributes:
        items: (name of the field or '', sentence), for the summary.
        fields: name of the field -> sentence.
        technical: English originals of what could not be told.
    """

    status: int
    items: list[tuple[str, str]]
    fields: Mapping[str, str]
    technical: list[str]


_STATUS = ((InputError, 422), (ForbiddenError, 403), (NotFoundError, 404), (StaleMatchError, 409), (ConflictError, 409))


def refusal(error: MatcherError, name: str, lang: Lang, shown: tuple[str, ...]) -> Refused:
    """How a refusal is told beside a form that shows some fields."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    told: list[telling.Told] = []
    items: list[tuple[str, str]] = []
    fields: dict[str, str] = {}
    errors = error.errors if isinstance(error, InputError) else []
    for field, said in telling.told_by_field(errors, lang).items():
        label = telling.field_name(field, lang, name)
        told.append(said)
        items.append((field if field in shown else "", f"{label}: {said}" if label else said))
        fields[field] = said
    if not items:
        told.append(telling.sentence(str(error), lang))
        items.append(("", told[0]))
    return Refused(status=status, items=items, fields=fields, technical=[t.original for t in told if t.original])
