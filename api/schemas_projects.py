"""What goes into a project's record: the columns of the table of projects, strictly."""

from typing import Annotated

from pydantic import AfterValidator, Field

from api.schemas import Body, Usd
from api.words import Country, Day, Line, Money, NewId, choice, line, optional
from matcher.records import FORMS, NAME_STATUSES, PRECISIONS, PROJECT_STATUSES, TABLES

Text = Annotated[str, Field(min_length=1, max_length=20_000), AfterValidator(line)]
Status = Annotated[str, *choice(PROJECT_STATUSES)]
Form = Annotated[str, *choice(FORMS)]
NameStatus = Annotated[str, *choice(NAME_STATUSES)]
Precision = Annotated[str, *choice(PRECISIONS)]
Boundary = Annotated[str, *choice(TABLES["projects"].choices["boundary"])]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Codes = Annotated[list[str], Field(max_length=20)]
Hectares = Annotated[float, Field(gt=0, lt=1e9, allow_inf_nan=False)]

EXACT = "exact, in value_currency: a whole number or decimal digits as text"


class NewProject(Body):
    """A project of the city. At least one of the two names is needed."""

    project_id: NewId | None = Field(default=None, description="default: one is made")
    status: Status
    source: Line = Field(description="who says so: address or document")
    source_on: Day = Field(description="when it was printed or published")
    name_vi: Line | None = None
    name_en: Line | None = None
    name_vi_status: NameStatus | None = None
    description: Text | None = None
    sector: Line | None = Field(default=None, description="city sector, see GET /v1/sectors")
    isic: Codes | None = Field(default=None, description="ISIC Rev.4 codes; default: those of the sector")
    country: Country = Field(default="VN", description="ISO 3166-1 alpha-2")
    region: Line | None = None
    city: Line | None = None
    place: Line | None = None
    boundary: Boundary | None = None
    area_ha: Hectares | None = None
    value_min: Money | None = Field(default=None, description=EXACT)
    value_max: Money | None = Field(default=None, description=EXACT)
    value_currency: Currency | None = Field(default=None, description="ISO 4217")
    value_usd_min: Usd | None = None
    value_usd_max: Usd | None = None
    value_usd_estimated: bool | None = None
    form: Form | None = None
    form_note: Line | None = None
    status_note: Line | None = None
    agency: Line | None = None
    proponent: Line | None = None
    green: bool | None = None
    announced_on: Day | None = None
    announced_precision: Precision | None = Field(default=None, description="what of announced_on is known")
    notes: Text | None = None
    licence: Line | None = None
    source_2: Line | None = None
    source_2_on: Day | None = None


class ProjectChange(Body):
    """What is to be otherwise; null clears."""

    status: Status = optional()
    source: Line = optional()
    source_on: Day = optional()
    name_vi: Line | None = optional()
    name_en: Line | None = optional()
    name_vi_status: NameStatus | None = optional()
    description: Text | None = optional()
    sector: Line | None = optional()
    isic: Codes | None = optional()
    country: Country = optional()
    region: Line | None = optional()
    city: Line | None = optional()
    place: Line | None = optional()
    boundary: Boundary | None = optional()
    area_ha: Hectares | None = optional()
    value_min: Money | None = optional()
    value_max: Money | None = optional()
    value_currency: Currency | None = optional()
    value_usd_min: Usd | None = optional()
    value_usd_max: Usd | None = optional()
    value_usd_estimated: bool | None = optional()
    form: Form | None = optional()
    form_note: Line | None = optional()
    status_note: Line | None = optional()
    agency: Line | None = optional()
    proponent: Line | None = optional()
    green: bool | None = optional()
    announced_on: Day | None = optional()
    announced_precision: Precision | None = optional()
    notes: Text | None = optional()
    licence: Line | None = optional()
    source_2: Line | None = optional()
    source_2_on: Day | None = optional()
