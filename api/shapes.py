"""What comes out: the shape of every answer, for the description of the API; tests hold real answers against them."""

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, Field

from api.schemas import Strict


class Name(Strict):
    """A name in Vietnamese and English; null where a source gave none."""

    vi: str | None
    en: str | None


class Provenance(Strict):
    """Who says so, when, under which terms."""

    source: str
    source_on: date | None
    licence: str | None


class Known(Strict):
    """How many records of the whole list carry a field."""

    known: int
    of: int


class Project(Provenance):
    """An opportunity the city offers, or (status `past`) a historical investment."""

    id: str
    name: Name
    name_vi_status: str | None
    description: str | None
    sector: str | None
    isic: list[str] | None
    country: str
    region: str | None
    city: str | None
    place: str | None
    boundary: str | None
    area_ha: float | None
    value_min: str | None = Field(description="exact decimal in `value_currency`")
    value_max: str | None
    value_currency: str | None
    value_usd_min: float | None
    value_usd_max: float | None
    value_usd_estimated: bool | None
    form: str | None
    form_note: str | None
    status: str
    status_note: str | None
    agency: str | None
    proponent: str | None
    green: bool | None
    announced_on: date | None
    announced_precision: str | None
    notes: str | None
    source_2: str | None
    source_2_on: date | None


class Partner(Provenance):
    """An organisation that could invest, lend, build, operate or cooperate."""

    id: str
    name: str
    name_local: str | None
    country: str | None
    origin_country: str | None
    parent_id: str | None
    city: str | None
    kind: str
    sector: str | None
    sector_local: str | None
    isic: list[str] | None
    activities: list[str] | None
    description: str | None
    size: str | None
    ticket_usd_min: float | None
    ticket_usd_max: float | None
    green: bool | None
    website: str | None


class Deal(Provenance):
    """A past investment in which a partner took part."""

    deal_id: str
    project_id: str
    project_name: Name | None
    partner_id: str
    partner_name: str | None
    role: str
    status: str
    closed_on: date | None
    closed_precision: str | None
    value_usd: float | None


class Presence(Provenance):
    """A country in which a partner works."""

    country: str
    what: str | None
    relation: str | None
    evidence: str
    on: date | None
    on_precision: str | None


class ProjectDetail(Project):
    """A project with the deals known of it."""

    deals: list[Deal]


class PartnerDetail(Partner):
    """A partner with its deals and the countries where it works."""

    deals: list[Deal]
    footprint: list[Presence]


class Cover(Strict):
    """A country that a mission covers, with the source of the accreditation."""

    country: str
    host: bool
    note: str | None
    source: str
    source_on: date | None
    licence: str | None


class Mission(Provenance):
    """A Vietnamese representative mission abroad. `accreditation_known` false: only the host is known."""

    id: str
    name: Name
    type: str
    country: str
    city: str | None
    status: str | None
    confidence: str | None
    note: str | None
    covers: list[Cover]
    accreditation_known: bool


class Sector(Provenance):
    """A sector of the city or a class of ISIC Rev.4, with how many records it holds."""

    id: str
    scheme: Literal["city", "isic"]
    name: Name
    level: int | None
    parent: str | None
    isic: list[str]
    green: bool | None
    open_projects: int
    partners: int


class _List(Strict):
    total: int = Field(description="records that pass search and filters")
    filters: dict[str, Any] = Field(description="what was asked, defaults included")
    coverage: dict[str, Known] = Field(description="filter -> records of the whole list that carry the field")
    as_of: date
    next: str | None


class ProjectList(_List):
    """A page of projects."""

    projects: list[Project]


class PartnerList(_List):
    """A page of partners."""

    partners: list[Partner]


class MissionList(_List):
    """A page of missions."""

    missions: list[Mission]


class ListMadeOf(BaseModel):
    """What a list was made of."""

    engine: str
    revision: int
    as_of: str
    exposure_id: int | None = Field(description="record of the list that was shown; null where it was only kept")


class PairChange(BaseModel):
    """A pair of the first page whose place changed."""

    project_id: str
    partner_id: str
    change: Literal["new", "gone", "risen", "fallen"]
    then: int | None = Field(description="rank then; null where it did not stand there")
    now: int | None


class Changes(BaseModel):
    """The first page of a list now against an earlier one."""

    since: str
    then: ListMadeOf | None = Field(description="null where no list from before the day is on record")
    now: ListMadeOf
    why: list[Literal["engine", "facts", "day"]] = Field(description="which of them are others now")
    changes: list[PairChange]


class SectorList(_List):
    """A page of sectors."""

    sectors: list[Sector]


class MatchProject(Strict):
    """The project of a match."""

    id: str | None
    name: Name


class MatchPartner(Strict):
    """The partner of a match."""

    id: str | None
    name: str
    country: str | None
    kind: str | None


class Chance(Strict):
    """Calibrated chance of a named outcome within a named horizon."""

    value: float
    low: float
    high: float
    outcome: str
    horizon_days: int
    base_rate: float | None = Field(description="the chance of a candidate taken at random")
    lift: float | None = Field(description="value / base_rate, to two significant digits")
    one_in: float | None = Field(description="1 / value, to two significant digits: a chance of 1 in so many")


class Reason(Strict):
    """One reason for or against a match, or one fact that is missing."""

    feature: str
    direction: Literal["for", "against", "missing"]
    statement: Name
    project_value: str
    partner_value: str
    contribution: float | None
    source: str | None
    on: date | None


class Screening(Strict):
    """State of sanctions screening."""

    state: str
    by: str | None
    on: date | None
    expires_on: date | None


class Rule(Strict):
    """Where the city's rules say what they look for."""

    name: Name
    source: str
    on: date | None


class Criterion(Strict):
    """One thing that the city looks for; `grade` null: not known."""

    criterion: str
    grade: float | None
    statement: Name
    value: str
    source: str | None
    on: date | None
    rule: Rule


class Gate(Strict):
    """`stop`: something on record must be checked before any contact."""

    state: Literal["stop", "not_screened"]
    statement: Name
    source: str | None
    on: date | None


class City(Strict):
    """Would the city want this partner: apart from the score, which it does not change."""

    value: float | None = Field(description="mean grade, 0 to 1, an unknown one counting ½; null: too little is known")
    known: int = Field(description="criteria that are known")
    of: int = Field(description="criteria in all")
    gate: Gate
    criteria: list[Criterion]


class Match(Strict):
    """One ranked proposal, with reasons. Exactly one of `probability` and `abstained` is set."""

    rank: int
    project: MatchProject
    partner: MatchPartner
    score: float = Field(description="only its order within one list means anything")
    probability: Chance | None
    abstained: str | None
    evidence: list[Reason]
    city: City | None = Field(description="null where the city's rules do not reach")
    screening: Screening
    route: list[dict[str, str]]
    engine: str
    as_of: date


class MatchList(Strict):
    """Ranked matches for one query."""

    query: dict[str, Any]
    engine: str
    as_of: date
    matches: list[Match]
    candidates: int = Field(description="records that were compared")
    coverage: dict[str, float] = Field(description="field -> share of the candidates that carry it")
    notes: list[str]
    ahead: str | None = Field(description="why the first partner of a project is ahead of the second")
    next: str | None


class FieldError(Strict):
    """One bad field: `?name` is a query parameter, `/name` a place in the body."""

    pointer: str
    seen: str
    expected: str


class Problem(BaseModel):
    """An error, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] = Field(default_factory=list)
    nearby: list[str] = Field(default_factory=list)


class Health(Strict):
    """The process answers."""

    status: Literal["ok"]


class Readiness(Strict):
    """What was checked just now."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str] = Field(description="ok, or what is wrong and the way out")


class Session(BaseModel):
    """Who is asking. `csrf` goes into the header `X-CSRF-Token` of writes by this session; null for a key."""

    account: str
    login: str
    role: str
    mission_id: str | None
    may_export: bool
    scopes: list[str]
    via: str
    csrf: str | None
