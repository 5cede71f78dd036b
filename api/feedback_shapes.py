"""What goes in and comes out about lists that were shown, judgments and evaluation runs."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.answers import Format
from api.schemas import MAX_CURSOR_CHARS, MAX_N, Body, Lang, Many, Strict
from api.words import Day, Id, Prose
from matcher.store.feedback import CHANNELS, HIGHEST, LOWEST

_OFFICES = "missions; `city`: the city itself"


class _Page(Strict):
    n: int = Field(default=50, ge=1, le=MAX_N, description="records on this page")
    cursor: str | None = Field(default=None, max_length=MAX_CURSOR_CHARS, description="`next` of the page before")


class ExposureParams(_Page):
    """Filters of the lists that were shown. A filter given twice, or with commas, holds alternatives."""

    engine: Many
    mission_id: Many = Field(description=_OFFICES)
    channel: Many = Field(description=", ".join(CHANNELS))
    since: Day | None = Field(default=None, description="first day (UTC)")
    until: Day | None = Field(default=None, description="last day (UTC), included")
    format: Format | None = Field(default=None, description="instead of the Accept header")


class OneExposureParams(Strict):
    """What is to be told of a list."""

    reproduce: bool = Field(default=False, description="make the list again and tell what differs")


class JudgmentParams(_Page):
    """Filters of the judgments. A filter given twice, or with commas, holds alternatives."""

    project_id: Many
    partner_id: Many
    judged_by: Many = Field(description="pseudonyms, such as u12")
    grade: Many = Field(description="0 does not fit, 1 could be asked, 2 fits, 3 fits best")
    mission_id: Many = Field(description=_OFFICES)
    since: Day | None = Field(default=None, description="first day of the judgment")
    until: Day | None = Field(default=None, description="last day, included")
    history: bool = Field(default=False, description="superseded judgments, too")
    format: Format | None = Field(default=None, description="instead of the Accept header")


class NewJudgment(Body):
    """How well a partner fits a project."""

    project_id: Id
    partner_id: Id
    grade: int = Field(ge=LOWEST, le=HIGHEST, description="0 does not fit, 1 could be asked, 2 fits, 3 fits best")
    reason: Prose | None = None
    exposure_id: int | None = Field(
        default=None, ge=1, lt=2**63, description="`X-Exposure-Id` of the list that showed the pair"
    )
    judged_on: Day | None = Field(default=None, description="default: today (UTC)")


class Exposure(Strict):
    """A list that was shown: what was asked, of which engine, and to whom."""

    id: int
    engine: str
    as_of: date
    revision: int = Field(description="newest batch of facts that the list was made of")
    query: dict[str, Any]
    filters: dict[str, Any]
    n: int
    offset: int
    rows: int
    candidates: int
    channel: Literal["api", "page", "cli", "job"]
    lang: Lang
    actor: str
    role: str | None
    mission_id: str | None
    shown_at: datetime


class ExposureItem(Strict):
    """One row of it."""

    rank: int
    project_id: str
    partner_id: str
    score: float
    probability: float | None
    propensity: float | None = Field(description="chance of being shown at this rank; null: the order was not random")


class ExposureDetail(Exposure):
    """A list that was shown, with its rows and, when asked for, what comes out of the same question now."""

    items: list[ExposureItem]
    reproduction: dict[str, Any] | None


class ExposureList(Strict):
    """A page of lists that were shown, newest first."""

    exposures: list[Exposure]
    filters: dict[str, Any]
    next: str | None


class Judgment(Strict):
    """How well a partner fits a project, in the eyes of one judge."""

    id: int
    project_id: str
    partner_id: str
    grade: int
    reason: str | None
    judged_by: str
    mission_id: str | None
    judged_on: date
    exposure_id: int | None
    recorded_at: datetime


class JudgmentList(Strict):
    """A page of judgments, newest first."""

    judgments: list[Judgment]
    filters: dict[str, Any]
    next: str | None


class EvaluationReport(BaseModel):
    """A report of `python -m evaluation`, as it was written."""

    name: str
    made_on: str | None
    title: str | None
    datasets: list[dict[str, Any]]
    seed: int | None
    configuration: dict[str, Any]


class EngineMeasures(BaseModel):
    """What an engine reached on held-out time: ranker -> measure -> mean, low and high end of its 95 % interval."""

    engine: str
    as_of: date | None
    in_use: bool
    metrics: dict[str, Any]


class EvaluationRuns(Strict):
    """Reports that are kept, and the held-out measures of the fitted engines."""

    reports: list[EvaluationReport]
    engines: list[EngineMeasures]
    next: None
