"""What goes in: the query parameters and bodies of every address, checked before anything is done with them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.answers import Format
from api.words import Day
from matcher.records import FORMS, MISSION_TYPES, PARTNER_KINDS, PROJECT_STATUSES, Sort

MAX_N = 200
MAX_CURSOR_CHARS = 2_000
MAX_SEARCH_CHARS = 500

SORT = "partner: by the score, the partner's side; both: the first ones by both sides, the partner's and the city's"
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


class ChangesParams(Strict):
    """Parameters of what changed."""

    since: Day = Field(
        description="the last list that your office was shown before this day is compared", examples=["2026-11-01"]
    )


class PairParams(Strict):
    """Parameters of an explanation."""

    against: str | None = Field(
        default=None, max_length=200, description="partner to compare with; default: the one ranked after this one"
    )
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
    sort: Sort = Field(default="partner", description=SORT)
    as_of: Day | None = Field(default=None, description="facts public on that day; default: today")
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
    sort: Sort = Field(default="partner", description=SORT)
    as_of: Day | None = None
    lang: Lang | None = None


# Body of POST /v1/session


class SignInRequest(Body):
    """Login and password."""

    login: str = Field(min_length=1, max_length=64, examples=["tokyo.desk"])
    password: str = Field(min_length=1, max_length=200)
