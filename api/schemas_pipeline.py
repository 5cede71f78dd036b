"""What goes into the pipeline: bodies of new records and changes, and the query parameters of its lists."""

from typing import Annotated, get_args

from pydantic import Field

from api.answers import Format
from api.schemas import Body, ListParams, Many, Strict, Usd
from api.words import Country, Day, Id, Line, Prose, optional
from matcher.records import ROLES
from matcher.stages import Contact, Result, Stage, Status, Verdict
from matcher.store.reminders import REMINDERS

Since = Annotated[Day | None, Field(description="first day: of the contact, the decision, else of the last change")]
Until = Annotated[Day | None, Field(description="last day, included")]
Number = Annotated[int, Field(ge=1, lt=2**63)]

ROLE = Annotated[str, Field(max_length=50, description=", ".join(ROLES))]


# New records and changes


class NewInteraction(Body):
    """A contact that has taken place."""

    partner_id: Id
    kind: Contact
    held_on: Day
    project_id: Id | None = None
    next_on: Day | None = Field(default=None, description="when to come back to it")
    note: Prose | None = Field(default=None, description="only your office reads it")


class InteractionChange(Body):
    """What is to be otherwise; null clears."""

    kind: Contact = optional()
    held_on: Day = optional()
    project_id: Id | None = optional()
    next_on: Day | None = optional()
    note: Prose | None = optional()


class NewShortlist(Body):
    """A partner that is kept in view for a project."""

    partner_id: Id
    project_id: Id
    reason: Prose | None = None
    exposure_id: Number | None = Field(default=None, description="the list that showed the pair")


class ShortlistChange(Body):
    """What is to be otherwise; null clears."""

    reason: Prose | None = optional()


class NewAssignment(Body):
    """Work on a partner that an office takes up, or that the city gives to a mission."""

    partner_id: Id
    project_id: Id | None = None
    mission_id: Id | None = Field(
        default=None, description="office that does it; default: your own. The city may name any"
    )
    lead: bool = Field(default=False, description="this office leads on the partner; only one may")
    stage: Stage = "lead"
    status: Status = "active"
    next_step: Line | None = None
    next_on: Day | None = None
    value_usd: Usd | None = None
    expected_on: Day | None = Field(default=None, description="when a decision is expected")
    lost_reason: Line | None = None
    lost_to_country: Country | None = Field(default=None, description="ISO 3166-1 alpha-2; null: not known")


class AssignmentChange(Body):
    """What is to be otherwise; null clears."""

    project_id: Id | None = optional()
    lead: bool = optional()
    stage: Stage = optional()
    status: Status = optional()
    next_step: Line | None = optional()
    next_on: Day | None = optional()
    value_usd: Usd | None = optional()
    expected_on: Day | None = optional()
    lost_reason: Line | None = optional()
    lost_to_country: Country | None = optional()


class NewOutcome(Body):
    """How it ended between a partner and a project."""

    partner_id: Id
    project_id: Id
    result: Result
    decided_on: Day
    source: Line = Field(description="who says so")
    source_on: Day | None = None
    role: ROLE | None = Field(default=None, description="of the partner; needed when won: " + ", ".join(ROLES))
    value_usd: Usd | None = None
    lost_reason: Line | None = None
    lost_to_country: Country | None = Field(default=None, description="ISO 3166-1 alpha-2; null: not known")
    note: Prose | None = Field(default=None, description="only your office reads it")


class OutcomeChange(Body):
    """What is to be otherwise; null clears."""

    result: Result = optional()
    decided_on: Day = optional()
    source: Line = optional()
    source_on: Day | None = optional()
    role: ROLE | None = optional()
    value_usd: Usd | None = optional()
    lost_reason: Line | None = optional()
    lost_to_country: Country | None = optional()
    note: Prose | None = optional()


class NewVerification(Body):
    """What another person than the reporter found."""

    verdict: Verdict
    reason: Prose | None = Field(default=None, description="needed when rejected")


# Query parameters


class PipelineParams(ListParams):
    """Filters of every pipeline list. A filter given twice, or with commas, holds alternatives."""

    partner_id: Many
    project_id: Many
    mission_id: Many = Field(description="office; `city` for the city itself")
    since: Since = None
    until: Until = None


class InteractionParams(PipelineParams):
    """Filters of the contacts."""

    kind: Many = Field(description=", ".join(get_args(Contact)))


class ShortlistParams(PipelineParams):
    """Filters of the shortlists."""


class AssignmentParams(PipelineParams):
    """Filters of the assignments."""

    stage: Many = Field(description=", ".join(get_args(Stage)))
    status: Many = Field(description=", ".join(get_args(Status)))
    lead: bool | None = None


class OutcomeParams(PipelineParams):
    """Filters of the outcomes."""

    result: Many = Field(description=", ".join(get_args(Result)))
    verified: bool | None = Field(default=None, description="true: another person has verified it")


class ReminderParams(Strict):
    """What to be reminded of."""

    kind: Many = Field(description=", ".join(REMINDERS))
    as_of: Day | None = Field(default=None, description="what is due on that day; default: today")
    n: int = Field(default=50, ge=1, le=200, description="reminders on this page")
    cursor: str | None = Field(default=None, max_length=2_000, description="`next` of the page before")
    format: Format | None = Field(default=None, description="instead of the Accept header")


class AuditParams(Strict):
    """Filters of the audit. A filter given twice, or with commas, holds alternatives."""

    actor: Many = Field(description="pseudonym such as u12, or cli:NAME")
    action: Many = Field(description="table that was written, or what was done")
    account_id: Many = Field(description="number of an account")
    since: Since = None
    until: Until = None
    n: int = Field(default=50, ge=1, le=200, description="entries on this page")
    cursor: str | None = Field(default=None, max_length=2_000, description="`next` of the page before")
    format: Format | None = Field(default=None, description="instead of the Accept header")
