"""The shapes that go in and come out: query parameters and bodies are checked by them, answers documented."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.answers import Format
from matcher.records import FORMS, MISSION_TYPES, PARTNER_KINDS, PROJECT_STATUSES

MAX_N = 200
MAX_CURSOR_CHARS = 2_000
MAX_SEARCH_CHARS = 500

Lang = Literal["vi", "en"]
Many = Annotated[list[str], Field(default_factory=list, max_length=50)]
Usd = Annotated[float, Field(gt=0, lt=1e15, allow_inf_nan=False)]


class Strict(BaseModel):
    """Refuses names it does not know, and text that is not Unicode (half of a surrogate pair)."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _unicode(cls, value: object) -> object:
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not text.isascii():
                try:
                    text.encode()
                except UnicodeEncodeError:
                    raise ValueError("Unicode text; half of a surrogate pair is none") from None
        return value


# Query parameters


class RecordParams(Strict):
    """Parameters of every address that returns one record."""


class PairParams(Strict):
    """Parameters of an explanation."""

    lang: Lang | None = Field(default=None, description="language of the values; default: Accept-Language, else en")


class ListParams(Strict):
    """Parameters of every list of records. A filter given twice, or with commas, holds alternatives."""

    q: str | None = Field(
        default=None, min_length=1, max_length=MAX_SEARCH_CHARS,
        description="words that all occur in the record, with or without diacritics",
    )  # fmt: skip
    n: int = Field(default=50, ge=1, le=MAX_N, description="records on this page")
    cursor: str | None = Field(default=None, max_length=MAX_CURSOR_CHARS, description="`next` of the page before")
    format: Format | None = Field(default=None, description="instead of the Accept header")


class ProjectListParams(ListParams):
    """Filters of the project list; past investments are listed only when `status=past` asks for them."""

    sector: Many = Field(description="city sector, ISIC section or code; a code includes what is below it")
    country: Many = Field(description="where the project is, ISO 3166-1 alpha-2")
    region: Many
    city: Many
    form: Many = Field(description=", ".join(FORMS))
    status: Many = Field(description=", ".join(PROJECT_STATUSES))
    agency: Many
    boundary: Many = Field(description="city boundary the place name follows: old, post_merger")
    green: bool | None = None
    value_usd_min: Usd | None = Field(default=None, description="value sought reaches at least this")
    value_usd_max: Usd | None = Field(default=None, description="value sought starts at most here")


class PartnerListParams(ListParams):
    """Filters of the partner list."""

    sector: Many = Field(description="city sector, ISIC section or code; a code includes what is below it")
    country: Many = Field(description="home country, ISO 3166-1 alpha-2")
    origin_country: Many = Field(description="origin of the investment, ISO 3166-1 alpha-2")
    region: Many = Field(description="UN region or subregion of the home country, ASEAN or EU")
    kind: Many = Field(description=", ".join(PARTNER_KINDS))
    activity: Many = Field(description="activity tag")
    green: bool | None = None
    ticket_usd: Usd | None = Field(default=None, description="amount inside the usual ticket")
    ticket_usd_min: Usd | None = Field(default=None, description="usual ticket reaches at least this")
    ticket_usd_max: Usd | None = Field(default=None, description="usual ticket starts at most here")


class MissionListParams(ListParams):
    """Filters of the mission list."""

    country: Many = Field(description="host country, ISO 3166-1 alpha-2")
    covers: Many = Field(description="host or accredited country, ISO 3166-1 alpha-2")
    type: Many = Field(description=", ".join(MISSION_TYPES))
    status: Many = Field(description="open, announced, unknown")


class SectorListParams(ListParams):
    """Filters of the sector list."""

    scheme: Many = Field(description="city (the city's own sectors) or isic (ISIC Rev.4)")
    parent: Many = Field(description="ISIC code directly above")
    green: bool | None = None


class EngineListParams(Strict):
    """Parameters of the engine list: none."""


class MatchParams(Strict):
    """Parameters of every list of matches. A filter given twice, or with commas, holds alternatives."""

    n: int = Field(default=10, ge=1, le=MAX_N, description="matches on this page")
    cursor: str | None = Field(default=None, max_length=MAX_CURSOR_CHARS, description="`next` of the page before")
    as_of: date | None = Field(default=None, description="facts public on that day; default: today")
    lang: Lang | None = Field(default=None, description="language of the values; default: Accept-Language, else en")
    format: Format | None = Field(default=None, description="instead of the Accept header")
    sector: Many = Field(description="city sector, ISIC section or code; a code includes what is below it")
    country: Many = Field(description="the partner's home, ISO 3166-1 alpha-2")
    region: Many = Field(description="region of the partner's home")
    kind: Many = Field(description="of the partner: " + ", ".join(PARTNER_KINDS))
    form: Many = Field(description="of the project: " + ", ".join(FORMS))
    status: Many = Field(description="of the project: " + ", ".join(PROJECT_STATUSES))
    green: bool | None = Field(default=None, description="of the project")
    ticket_usd: Usd | None = Field(default=None, description="amount inside the partner's usual ticket")


# Body of POST /v1/match


class Body(Strict):
    """Takes no text for a number and no number for text."""

    model_config = ConfigDict(strict=True)


class UnsavedProject(Body):
    """A project that is not in the database."""

    name: str
    description: str | None = None
    sector: str | None = Field(default=None, description="city sector")
    isic: list[str] = Field(default_factory=list, max_length=20)
    country: str | None = Field(default=None, description="where it is, ISO 3166-1 alpha-2")
    value_usd: Usd | None = None
    form: str | None = None


class UnsavedPartner(Body):
    """A partner that is not in the database."""

    name: str
    kind: str | None = None
    sector: str | None = Field(default=None, description="city sector, ISIC code, or words")
    country: str | None = Field(default=None, description="home, ISO 3166-1 alpha-2")
    description: str | None = None


class MatchFilters(Body):
    """Which candidates may appear; the same names as the query parameters."""

    sector: Many
    country: Many
    region: Many
    kind: Many
    form: Many
    status: Many
    green: bool | None = None
    ticket_usd: Usd | None = None


class MatchRequest(Body):
    """Exactly one of `text`, `project` and `partner`, and how to answer."""

    text: str | None = Field(default=None, description="what is sought, in any language; 1 to 20,000 characters")
    project: UnsavedProject | None = None
    partner: UnsavedPartner | None = None
    filters: MatchFilters = Field(default_factory=lambda: MatchFilters.model_validate({}))
    n: int = Field(default=10, ge=1, le=MAX_N)
    cursor: str | None = Field(default=None, max_length=MAX_CURSOR_CHARS)
    as_of: Annotated[date | None, Field(strict=False)] = None
    lang: Lang | None = None


# Answers (documentation; tests hold real answers against them)


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


class Match(Strict):
    """One ranked proposal, with reasons. Exactly one of `probability` and `abstained` is set."""

    rank: int
    project: MatchProject
    partner: MatchPartner
    score: float = Field(description="only its order within one list means anything")
    probability: Chance | None
    abstained: str | None
    evidence: list[Reason]
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
