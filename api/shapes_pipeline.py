"""What comes out of the pipeline, the reminders and the audit."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas import Strict
from api.shapes import Name
from matcher.stages import Contact, Result, Stage, Status, Verdict
from matcher.store.reminders import Reminder


class PartnerName(Strict):
    """A partner by its name."""

    id: str
    name: str | None


class ProjectName(Strict):
    """A project by its name."""

    id: str
    name: Name


class _Version(Strict):
    version: int
    withdrawn: bool
    by: str = Field(description="pseudonym of who wrote it")
    recorded_at: datetime


class _Record(_Version):
    id: int
    mission_id: str | None = Field(description="office; null: the city itself")
    partner: PartnerName


class _InteractionFields(Strict):
    kind: Contact
    held_on: date
    next_on: date | None
    note: str | None


class InteractionVersion(_InteractionFields, _Version):
    """What a contact's record said."""

    project_id: str | None


class Interaction(_InteractionFields, _Record):
    """A contact with a partner."""

    project: ProjectName | None


class InteractionDetail(Interaction):
    """A contact with all its versions, newest first."""

    history: list[InteractionVersion]


class ShortlistVersion(_Version):
    """What a shortlist's record said."""

    project_id: str
    reason: str | None


class Shortlist(_Record):
    """A partner kept in view for a project."""

    project: ProjectName
    exposure_id: int | None
    reason: str | None


class ShortlistDetail(Shortlist):
    """A shortlist's record with all its versions, newest first."""

    history: list[ShortlistVersion]


class _AssignmentFields(Strict):
    lead: bool
    stage: Stage
    status: Status
    next_step: str | None
    next_on: date | None
    value_usd: float | None
    expected_on: date | None
    lost_reason: str | None
    lost_to_country: str | None


class AssignmentVersion(_AssignmentFields, _Version):
    """What an assignment said."""

    project_id: str | None


class Assignment(_AssignmentFields, _Record):
    """An office's work on a partner."""

    project: ProjectName | None
    by_city: bool = Field(description="given by the city, which sees it as the office does")


class AssignmentDetail(Assignment):
    """An assignment with all its versions, newest first: the log of its stages."""

    history: list[AssignmentVersion]


class Verification(Strict):
    """What another person than the reporter found of this version."""

    verdict: Verdict
    reason: str | None
    by: str
    recorded_at: datetime


class _OutcomeFields(Strict):
    result: Result
    role: str | None
    value_usd: float | None
    decided_on: date
    lost_reason: str | None
    lost_to_country: str | None
    source: str
    source_on: date | None
    note: str | None = Field(description="null to all but the office itself")
    verified: bool
    verification: Verification | None


class OutcomeVersion(_OutcomeFields, _Version):
    """What an outcome said."""

    project_id: str


class Outcome(_OutcomeFields, _Record):
    """How it ended between a partner and a project."""

    project: ProjectName


class OutcomeDetail(Outcome):
    """An outcome with all its versions, newest first."""

    history: list[OutcomeVersion]


class _List(Strict):
    total: int = Field(description="records that pass search and filters")
    filters: dict[str, Any] = Field(description="what was asked")
    next: str | None


class InteractionList(_List):
    """A page of contacts, newest first."""

    interactions: list[Interaction]


class ShortlistList(_List):
    """A page of shortlists, newest first."""

    shortlists: list[Shortlist]


class AssignmentList(_List):
    """A page of assignments, newest first."""

    assignments: list[Assignment]


class OutcomeList(_List):
    """A page of outcomes, newest first."""

    outcomes: list[Outcome]


class Lead(Strict):
    """Which office leads on a partner; `known` true with null: the city."""

    known: bool
    mission_id: str | None


class Offices(Strict):
    """Whether other offices work on a partner, and which one leads."""

    others: bool
    lead: Lead


class ReminderItem(Strict):
    """Something that has lain too long; `id` is the assignment or the outcome."""

    kind: Reminder
    why: Literal["next_on", "quiet", "unverified", "undated", "old"]
    id: int | None
    mission_id: str | None
    partner: PartnerName | None
    project: ProjectName | None
    since: date | None
    days: int | None = Field(description="days from `since` to `as_of`")


class ReminderList(_List):
    """Reminders by kind, longest waiting first."""

    reminders: list[ReminderItem]
    as_of: date


class AuditEntry(BaseModel):
    """Who changed what, when and from where; `old` and `new` without notes and secrets."""

    id: int
    at: datetime
    actor: str
    account_id: int | None
    action: str
    origin: str | None
    request_id: str | None
    details: dict[str, Any]
    old: dict[str, Any] | None
    new: dict[str, Any] | None


class AuditList(_List):
    """A page of the audit, newest first."""

    audit: list[AuditEntry]
