"""The nouns: the tables of facts, the frames that pass between steps, and what a match is made of.

`TABLES` is the one description of every table of facts: `data/*.csv`, the store and the engine's input
share its column names and types. In CSV a list is joined by `|` and an empty cell is null (unknown).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any, Literal

import polars as pl

from matcher.chance import Probability
from matcher.city import CitySide

TEXT, NUM, DAY, FLAG, LIST = pl.String(), pl.Float64(), pl.Date(), pl.Boolean(), pl.List(pl.String())
MONEY = pl.Decimal(24, 2)
INT = pl.Int64()

# Who says so, when, and under which terms. `source_on` is the last day that the printed date can mean.
PROVENANCE: dict[str, pl.DataType] = {"source": TEXT, "source_on": DAY, "licence": TEXT}

PROJECT_STATUSES = (
    "calling",  # the city asks for investors now
    "preparing",  # planned or in preparation, investors not yet asked
    "proposed",  # somebody proposed it; not approved
    "approved",  # policy approved, investor not chosen
    "investor_selected",
    "under_construction",
    "operating",
    "cancelled",
    "superseded",
    "past",  # a historical investment, kept as evidence and training data only
)
OPEN_STATUSES = ("calling", "preparing", "proposed", "approved")
FORMS = ("ppp", "public", "oda", "loan", "fdi_100", "jv", "private", "strategic_investor", "auction", "other")
PARTNER_KINDS = (
    "company", "bank", "fund", "sovereign_fund", "government", "locality", "dfi", "intl_org",
    "university", "chamber", "person", "unknown",
)  # fmt: skip
ROLES = (
    "owner", "jv_partner", "lender", "contractor", "operator", "proponent", "partner", "seller", "investor",
    "licensor", "equity", "loan", "parent", "bond", "insurance", "grant", "finance",
)  # fmt: skip
POSITIVE_ROLES = (
    "owner",
    "jv_partner",
    "lender",
    "contractor",
    "operator",
    "equity",
    "loan",
    "parent",
    "bond",
    "finance",
)
DEAL_STATUSES = ("done", "proposed", "mou", "planned", "announced", "talks", "cancelled", "divested", "unknown")
POSITIVE_DEAL_STATUSES = ("done",)
PRECISIONS = ("day", "month", "year", "none")
MISSION_TYPES = ("embassy", "consulate_general", "consulate", "permanent_mission", "economic_cultural_office", "other")
TIE_KINDS = ("partnership", "fta", "bit", "dta", "visa")
NAME_STATUSES = ("official", "translated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of facts: its columns with types, its key, and what its cells may hold.

    Attributes:
        columns: column name -> polars type, provenance columns included, in file order.
        key: columns that identify a row.
        refs: column -> table whose (single-column) key it must occur in.
        choices: column -> allowed values.
        required: columns that are never null.
    """

    columns: Mapping[str, pl.DataType]
    key: tuple[str, ...]
    refs: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()


TABLES: dict[str, Table] = {
    "isic": Table(
        columns={"code": TEXT, "level": INT, "parent": TEXT, "title_en": TEXT, "title_vi": TEXT, **PROVENANCE},
        key=("code",), required=("code", "level", "title_en"),
    ),
    "city_sectors": Table(  # the city's own sector list, mapped to ISIC
        columns={"sector": TEXT, "name_vi": TEXT, "name_en": TEXT, "isic": LIST, "green": FLAG, **PROVENANCE},
        key=("sector",), required=("sector", "name_vi", "name_en", "isic"),
    ),
    "activity_tags": Table(  # what partners do, in words shared by both languages
        columns={"tag": TEXT, "name_vi": TEXT, "name_en": TEXT, "isic": LIST, "green": FLAG, **PROVENANCE},
        key=("tag",), required=("tag", "name_vi", "name_en", "isic"),
    ),
    "terms": Table(  # glossary: a word or phrase of one language that points to ISIC divisions
        columns={"term": TEXT, "lang": TEXT, "isic": LIST, **PROVENANCE},
        key=("term", "lang"), required=("term", "lang", "isic"),
    ),
    "countries": Table(
        columns={
            "country": TEXT, "iso3": TEXT, "name_vi": TEXT, "name_en": TEXT, "region": TEXT, "subregion": TEXT,
            "asean": FLAG, "eu": FLAG, "languages": LIST, "capital": TEXT, "lat": NUM, "lon": NUM,
            "distance_vn_km": NUM, **PROVENANCE,
        },
        key=("country",), required=("country", "name_vi", "name_en"),
    ),
    "country_ties": Table(
        columns={
            "country": TEXT, "kind": TEXT, "name": TEXT, "level": TEXT, "status": TEXT, "signed_on": DAY,
            "in_force_on": DAY, "in_force_precision": TEXT, "ended_on": DAY, "days": INT, "note": TEXT, **PROVENANCE,
        },
        key=("country", "kind", "name"), refs={"country": "countries"},
        choices={"kind": TIE_KINDS, "in_force_precision": PRECISIONS}, required=("country", "kind", "name", "source"),
    ),
    "projects": Table(  # open projects of the city, and past investments (status 'past')
        columns={
            "project_id": TEXT, "name_vi": TEXT, "name_en": TEXT, "name_vi_status": TEXT, "description": TEXT,
            "sector": TEXT, "isic": LIST, "country": TEXT, "region": TEXT, "city": TEXT, "place": TEXT,
            "boundary": TEXT, "area_ha": NUM, "value_min": MONEY, "value_max": MONEY, "value_currency": TEXT,
            "value_usd_min": NUM, "value_usd_max": NUM, "value_usd_estimated": FLAG,
            "form": TEXT, "form_note": TEXT, "status": TEXT, "status_note": TEXT, "agency": TEXT, "proponent": TEXT,
            "green": FLAG, "announced_on": DAY, "announced_precision": TEXT, "notes": TEXT, **PROVENANCE,
            "source_2": TEXT, "source_2_on": DAY,
        },
        key=("project_id",), refs={"country": "countries"},
        choices={
            "status": PROJECT_STATUSES, "form": FORMS, "name_vi_status": NAME_STATUSES,
            "announced_precision": PRECISIONS, "boundary": ("old", "post_merger"),
        },
        required=("project_id", "status", "country", "source"),
    ),
    "partners": Table(
        columns={
            "partner_id": TEXT, "name": TEXT, "name_local": TEXT, "country": TEXT, "origin_country": TEXT,
            "parent_id": TEXT, "city": TEXT, "kind": TEXT, "sector": TEXT, "sector_local": TEXT, "isic": LIST,
            "activities": LIST, "description": TEXT, "size": TEXT, "ticket_usd_min": NUM, "ticket_usd_max": NUM,
            "green": FLAG, "website": TEXT, **PROVENANCE,
        },
        key=("partner_id",), refs={"country": "countries", "origin_country": "countries", "parent_id": "partners"},
        choices={"kind": PARTNER_KINDS}, required=("partner_id", "name", "kind", "source"),
    ),
    "deals": Table(  # this partner took part in this project
        columns={
            "deal_id": TEXT, "project_id": TEXT, "partner_id": TEXT, "role": TEXT, "status": TEXT, "status_note": TEXT,
            "closed_on": DAY, "closed_precision": TEXT, "value_usd": NUM, "value_scope": TEXT, **PROVENANCE,
            "source_2": TEXT,
        },
        key=("deal_id",), refs={"project_id": "projects", "partner_id": "partners"},
        choices={
            "role": ROLES, "status": DEAL_STATUSES, "closed_precision": PRECISIONS, "value_scope": ("own", "whole"),
        },
        required=("deal_id", "project_id", "partner_id", "role", "status", "source"),
    ),
    "footprint": Table(  # this partner works in this country
        columns={
            "partner_id": TEXT, "country": TEXT, "what": TEXT, "relation": TEXT, "evidence": TEXT, "deal_id": TEXT,
            "on": DAY, "on_precision": TEXT, **PROVENANCE,
        },
        key=("partner_id", "country", "what", "evidence", "deal_id"),
        refs={"partner_id": "partners", "country": "countries", "deal_id": "deals"},
        choices={
            "relation": ("operates", "sells"), "evidence": ("deal", "web_page", "business_summary"),
            "on_precision": PRECISIONS,
        },
        required=("partner_id", "country", "evidence", "source"),
    ),
    "missions": Table(
        columns={
            "mission_id": TEXT, "name_vi": TEXT, "name_en": TEXT, "type": TEXT, "country": TEXT, "city": TEXT,
            "status": TEXT, "confidence": TEXT, "note": TEXT, **PROVENANCE,
        },
        key=("mission_id",), refs={"country": "countries"},
        choices={"type": MISSION_TYPES, "status": ("open", "announced", "unknown")},
        required=("mission_id", "name_vi", "name_en", "type", "country", "source"),
    ),
    "accreditation": Table(  # countries a mission also covers, beside its host
        columns={"mission_id": TEXT, "country": TEXT, "note": TEXT, "confidence": TEXT, **PROVENANCE},
        key=("mission_id", "country"), refs={"mission_id": "missions", "country": "countries"},
        required=("mission_id", "country", "source"),
    ),
    "localities": Table(  # friendship and twin localities of the city
        columns={
            "locality": TEXT, "country": TEXT, "level": TEXT, "established_on": DAY, "established_precision": TEXT,
            "city_side": TEXT, "note": TEXT, **PROVENANCE, "source_2": TEXT,
        },
        key=("locality", "country", "city_side"), refs={"country": "countries"},
        choices={"established_precision": PRECISIONS, "city_side": ("hcmc", "binh_duong", "ba_ria_vung_tau")},
        required=("locality", "country", "city_side", "source"),
    ),
    "fdi_facts": Table(
        columns={
            "fact_id": TEXT, "area": TEXT, "boundary": TEXT, "period": TEXT, "measure": TEXT, "partner": TEXT,
            "sector": TEXT, "value_usd": NUM, "n_projects": INT, "share": NUM, **PROVENANCE,
        },
        key=("fact_id",), required=("fact_id", "area", "boundary", "period", "measure", "source"),
    ),
    "activities": Table(  # agreements, mechanisms, events, working groups
        columns={
            "activity_id": TEXT, "kind": TEXT, "name_vi": TEXT, "name_en": TEXT, "name_vi_status": TEXT,
            "country": TEXT, "with_whom": TEXT, "held_on": DAY, "held_precision": TEXT, "fact": TEXT, **PROVENANCE,
        },
        key=("activity_id",), refs={"country": "countries"},
        choices={"held_precision": PRECISIONS, "name_vi_status": NAME_STATUSES},
        required=("activity_id", "kind", "name_en", "source"),
    ),
    "investor_criteria": Table(  # strategic-investor criteria of the special mechanism: data, not code
        columns={
            "criterion_id": TEXT, "instrument": TEXT, "sector": TEXT, "criterion": TEXT, "value": TEXT,
            "value_min": MONEY, "value_currency": TEXT, **PROVENANCE,
        },
        key=("criterion_id",), refs={"sector": "city_sectors"},
        required=("criterion_id", "criterion", "value", "source"),
    ),
}  # fmt: skip
"""Every table of facts. Order matters: a table comes after those it refers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Classifications, places and glossary: facts about the world, not about our projects and partners.

    Frames have the columns of the `TABLES` entry of the same name. Any of them may be empty.
    """

    isic: pl.DataFrame
    city_sectors: pl.DataFrame
    activity_tags: pl.DataFrame
    terms: pl.DataFrame
    countries: pl.DataFrame
    country_ties: pl.DataFrame


REFERENCE_TABLES = tuple(f.name for f in fields(Reference))
"""Names of the tables of a `Reference`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything an engine may know: one frame per table, as it was public on `as_of`.

    `deals` and `footprint` carry one more column, `counts_from` (Date, null = never): the last day that the
    row's own date can mean, or, for an undated row, the day on which its source was published or it was
    recorded. Statistics for a day t use rows with `counts_from` <= t; labels need a date of their own.
    `criteria` is the table `investor_criteria`: what the city looks for, which no score depends on.
    """

    projects: pl.DataFrame
    partners: pl.DataFrame
    deals: pl.DataFrame
    footprint: pl.DataFrame
    reference: Reference
    as_of: date
    criteria: pl.DataFrame = field(default_factory=lambda: empty("investor_criteria"))


def empty(table: str) -> pl.DataFrame:
    """A frame with the columns of a table and no row."""
    return pl.DataFrame(schema=dict(TABLES[table].columns))


Direction = Literal["for", "against", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One reason for or against a match, or one fact that is missing; `contribution` adds up to the score.

    A missing fact has no contribution of its own (None); what a tree gave to unknown features stands in one
    line, `missing_information`, which counts neither for nor against. `source` and `on` name the record behind the
    partner's or the project's value; None where the value is derived from several.
    """

    feature: str
    direction: Direction
    statement: Mapping[str, str]  # 'vi', 'en'
    project_value: Mapping[str, str]
    partner_value: Mapping[str, str]
    contribution: float | None
    source: str | None
    on: date | None

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The Evidence object of the API; values in `lang`."""
        return {
            "feature": self.feature,
            "direction": self.direction,
            "statement": dict(self.statement),
            "project_value": self.project_value[lang],
            "partner_value": self.partner_value[lang],
            "contribution": None if self.contribution is None else round(self.contribution, 6),
            "source": self.source,
            "on": None if self.on is None else self.on.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One ranked proposal: this partner for this project, with reasons.

    Exactly one of `probability` and `abstained` (why no probability is given) is set. `city` is what the city looks
    for, apart from the score; None where its rules do not reach.
    """

    rank: int
    project_id: str
    project_name: Mapping[str, str | None]
    partner_id: str
    partner_name: str
    partner_country: str | None
    partner_kind: str
    score: float
    probability: Probability | None
    abstained: Mapping[str, str] | None
    evidence: tuple[Evidence, ...]
    engine: str
    as_of: date
    route: tuple[Mapping[str, str], ...] = ()
    city: CitySide | None = None

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The Match object of the API and of `--format json`."""
        p = self.probability
        return {
            "rank": self.rank,
            "project": {"id": self.project_id, "name": dict(self.project_name)},
            "partner": {
                "id": self.partner_id, "name": self.partner_name, "country": self.partner_country,
                "kind": self.partner_kind,
            },
            "score": round(self.score, 6),
            "probability": None if p is None else p.to_json(),
            "abstained": None if self.abstained is None else self.abstained[lang],
            "evidence": [e.to_json(lang) for e in self.evidence],
            "city": None if self.city is None else self.city.to_json(lang),
            "screening": {"state": "not_yet", "by": None, "on": None, "expires_on": None},
            "route": [dict(r) for r in self.route],
            "engine": self.engine,
            "as_of": self.as_of.isoformat(),
        }  # fmt: skip


Sort = Literal["partner", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked: exactly one of project, partner, countries, text, or an unsaved project or partner.

    `countries` asks for pairs of open projects with partners at home in any of them. `mission_id` is set
    beside `countries` when the countries are those a mission covers. `text` describes a project; partners are
    ranked for it. A draft holds columns of `TABLES["projects"]` or `TABLES["partners"]`; absent is unknown.

    `sort` says what orders the list: the partner's side alone (the score), or both sides.
    """

    project_id: str | None = None
    partner_id: str | None = None
    countries: tuple[str, ...] | None = None
    mission_id: str | None = None
    text: str | None = None
    draft_project: Mapping[str, Any] | None = None
    draft_partner: Mapping[str, Any] | None = None
    sort: Sort = "partner"

    def to_json(self) -> dict[str, Any]:
        """The `query` object of a match list; only what was asked."""
        pairs = {
            "project": self.project_id, "partner": self.partner_id, "mission": self.mission_id,
            "countries": None if self.countries is None else list(self.countries), "text": self.text,
            "draft_project": None if self.draft_project is None else dict(self.draft_project),
            "draft_partner": None if self.draft_partner is None else dict(self.draft_partner),
            "sort": None if self.sort == "partner" else self.sort,
        }  # fmt: skip
        return {k: v for k, v in pairs.items() if v is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which candidates may appear; empty means all. Values within a field are alternatives.

    sector: city sector code, ISIC section letter or ISIC code (a code includes its subtree).
    country: ISO 3166-1 alpha-2 of the partner's home. region: `countries.region` or subregion.
    kind: partner kind. form, status: of the project. ticket_usd: amount that must be inside the range.
    """

    sector: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    form: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    green: bool | None = None
    ticket_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchList:
    """Ranked matches for one query, what was asked of how many, and what is known to be missing.

    notes: sentences (vi, en) the reader must see, e.g. countries of a mission without compiled partners.
    coverage: field -> share of the candidates (0-1) that carry it.
    n, offset: the page that was asked for: up to n matches after the first `offset`.
    revision: the store's newest batch that the list was made of; None where it was not made from a store.
    ahead: why the first match is ahead of the second of the same project ('vi', 'en'); None for other lists and pages.
    """

    query: Query
    filters: Filters
    engine: str
    as_of: date
    matches: tuple[Match, ...]
    candidates: int
    coverage: Mapping[str, float]
    notes: tuple[Mapping[str, str], ...] = ()
    next: str | None = None
    n: int = 0
    offset: int = 0
    revision: int | None = None
    ahead: Mapping[str, str] | None = None

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        """The match list of the API and of `--format json`."""
        return {
            "query": self.query.to_json(),
            "engine": self.engine,
            "as_of": self.as_of.isoformat(),
            "matches": [m.to_json(lang) for m in self.matches],
            "candidates": self.candidates,
            "coverage": {k: round(v, 4) for k, v in self.coverage.items()},
            "notes": [n[lang] for n in self.notes],
            "ahead": None if self.ahead is None else self.ahead[lang],
            "next": self.next,
        }
