"""A small world in memory with the matchmaker's face, so that API and page are tested without a database."""

# ruff: noqa: E501 - a table of made-up rows reads best in one line each

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from matcher.chance import Probability
from matcher.city import CitySide, Criterion, Gate, outcome
from matcher.errors import InputError, NotFoundError
from matcher.matching.city_labels import CITY_STATEMENTS, GATE_STATEMENTS
from matcher.matching.contrast import Difference, Explanation
from matcher.records import (
    OPEN_STATUSES,
    TABLES,
    Evidence,
    Facts,
    Filters,
    Match,
    MatchList,
    Query,
    Reference,
)

AS_OF = date(2026, 11, 1)
SOURCE = {"source": "https://example.org/list", "source_on": date(2026, 3, 1), "licence": "CC0-1.0"}


def frame(table: str, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as a frame of a table; columns that are not given are null, provenance is filled in."""
    columns = dict(TABLES[table].columns)
    full = [{**dict.fromkeys(columns), **SOURCE, **r} for r in rows]
    return pl.DataFrame([{c: r[c] for c in columns} for r in full], schema=columns)


def _reference() -> Reference:
    return Reference(
        isic=frame(
            "isic",
            [
                {"code": "E", "level": 1, "title_en": "Water supply; sewerage", "title_vi": "Cung cấp nước"},
                {"code": "37", "level": 2, "parent": "E", "title_en": "Sewerage", "title_vi": "Thoát nước"},
                {"code": "3700", "level": 4, "parent": "37", "title_en": "Sewerage", "title_vi": "Thoát nước"},
                {"code": "H", "level": 1, "title_en": "Transportation and storage", "title_vi": "Vận tải kho bãi"},
                {"code": "52", "level": 2, "parent": "H", "title_en": "Warehousing", "title_vi": "Kho bãi"},
                {"code": "5222", "level": 4, "parent": "52", "title_en": "Water transport services"},
                {"code": "P", "level": 1, "title_en": "Education", "title_vi": "Giáo dục"},
                {"code": "85", "level": 2, "parent": "P", "title_en": "Education", "title_vi": "Giáo dục"},
            ],
        ),
        city_sectors=frame(
            "city_sectors",
            [
                {"sector": "ports_logistics", "name_vi": "Cảng và logistics", "name_en": "Ports and logistics", "isic": ["52"]},
                {"sector": "water_wastewater", "name_vi": "Nước và nước thải", "name_en": "Water", "isic": ["37"], "green": True},
            ],
        ),
        activity_tags=frame("activity_tags", []),
        terms=frame("terms", []),
        countries=frame(
            "countries",
            [
                {"country": c, "iso3": i, "name_vi": v, "name_en": e, "region": r, "subregion": s, "languages": ls, "eu": eu,
                 "asean": asean}
                for c, i, v, e, r, s, ls, eu, asean in (
                    ("VN", "VNM", "Việt Nam", "Viet Nam", "Asia", "South-eastern Asia", ["vi"], False, True),
                    ("JP", "JPN", "Nhật Bản", "Japan", "Asia", "Eastern Asia", ["ja"], False, False),
                    ("KR", "KOR", "Hàn Quốc", "Republic of Korea", "Asia", "Eastern Asia", ["ko"], False, False),
                    ("FR", "FRA", "Pháp", "France", "Europe", "Western Europe", ["fr"], True, False),
                    ("SG", "SGP", "Xinh-ga-po", "Singapore", "Asia", "South-eastern Asia", ["en"], False, True),
                    ("PG", "PNG", "Pa-pua Niu Ghi-nê", "Papua New Guinea", "Oceania", "Melanesia", ["en"], False, False),
                    ("AE", "ARE", "Các Tiểu vương quốc Ả-rập Thống nhất", "United Arab Emirates", "Asia", "Western Asia",
                     ["ar"], False, False),
                )
            ],
        ),
        country_ties=frame("country_ties", []),
    )  # fmt: skip


def _projects() -> pl.DataFrame:
    port = {
        "project_id": "HCMC-001", "name_vi": "Cảng trung chuyển quốc tế Cần Giờ", "name_en": "Can Gio transshipment port",
        "name_vi_status": "official", "description": "Container transshipment port", "sector": "ports_logistics",
        "isic": ["5222"], "country": "VN", "city": "Ho Chi Minh City", "place": "Can Gio", "boundary": "old",
        "area_ha": 571.0, "value_min": Decimal("128000000000000"), "value_max": Decimal("128000000000000"),
        "value_currency": "VND", "value_usd_min": 4.8e9, "value_usd_max": 4.8e9, "value_usd_estimated": True,
        "form": "strategic_investor", "status": "calling", "agency": "Sở Tài chính", "announced_on": date(2026, 3, 1),
        "announced_precision": "month",
    }  # fmt: skip
    water = {
        "project_id": "HCMC-002", "name_vi": "Nhà máy xử lý nước thải Tây Sài Gòn", "name_en": "West Saigon wastewater plant",
        "name_vi_status": "translated", "sector": "water_wastewater", "isic": ["37"], "country": "VN",
        "city": "Ho Chi Minh City", "status": "preparing", "form": "ppp", "green": True, "source_on": None,
        "value_usd_min": 1.5e8, "value_usd_max": 2.5e8,
    }  # fmt: skip
    rest = [
        {
            "project_id": f"HCMC-{n:03}", "name_vi": f"Dự án thử {n}", "name_en": f"Trial project {n}",
            "sector": "ports_logistics", "isic": ["52"], "country": "VN", "status": "operating" if n == 9 else "approved",
        }
        for n in range(3, 10)
    ]  # fmt: skip
    past = {
        "project_id": "PAST-1", "name_en": "=HYPERLINK(\"http://x\")", "sector": "ports_logistics", "isic": ["52"],
        "country": "VN", "status": "past",
    }  # fmt: skip
    return frame("projects", [port, water, *rest, past])


def _partners() -> pl.DataFrame:
    return frame(
        "partners",
        [
            {
                "partner_id": "P288437fb", "name": "DP World", "country": "AE", "kind": "company", "sector": "maritime",
                "isic": ["52", "50"], "activities": ["ports"], "ticket_usd_min": 1e8, "ticket_usd_max": 9e8,
                "website": "javascript:alert(1)",
            },
            {
                "partner_id": "Pjp", "name": "Nippon Water <b>&", "name_local": "日本水道株式会社", "country": "JP",
                "kind": "company", "isic": ["3700"], "green": True,
            },
            {"partner_id": "Pkr", "name": "=cmd|' /C calc'!A0", "name_local": "한국항만", "country": "KR", "kind": "fund",
             "isic": ["H"]},
            {"partner_id": "Pfr", "name": "Société Générale d'Eau", "country": "FR", "kind": "company", "isic": ["37"]},
            {"partner_id": "Px", "name": "Somebody", "kind": "unknown"},
        ],
    )  # fmt: skip


def _deals() -> pl.DataFrame:
    rows = [
        {
            "deal_id": "D1", "project_id": "PAST-1", "partner_id": "P288437fb", "role": "owner", "status": "done",
            "closed_on": date(2009, 12, 31), "closed_precision": "year", "value_usd": 2.5e8,
        }
    ]  # fmt: skip
    return frame("deals", rows).with_columns(pl.lit(date(2009, 12, 31)).alias("counts_from"))


def _footprint() -> pl.DataFrame:
    rows = [
        {
            "partner_id": "P288437fb",
            "country": "VN",
            "what": "port terminals",
            "evidence": "web_page",
            "relation": "operates",
        }
    ]
    return frame("footprint", rows).with_columns(pl.lit(date(2009, 12, 31)).alias("counts_from"))


MISSIONS = frame(
    "missions",
    [
        {"mission_id": "ae-embassy", "name_vi": "Đại sứ quán Việt Nam tại UAE", "name_en": "Embassy in the UAE",
         "type": "embassy", "country": "AE", "city": "Abu Dhabi", "status": "open"},
        {"mission_id": "id-jakarta", "name_vi": "Đại sứ quán Việt Nam tại Nhật Bản", "name_en": "Embassy in Japan",
         "type": "embassy", "country": "JP", "city": "Tokyo", "status": "open"},
    ],
)  # fmt: skip
ACCREDITATION = frame("accreditation", [{"mission_id": "id-jakarta", "country": "PG", "note": "2018"}])


def _criterion(name: str, grade: float | None, value: str) -> Criterion:
    return Criterion(
        name=name, grade=grade, statement=CITY_STATEMENTS[name][outcome(grade)], value={"vi": value, "en": value},
        source=None if grade is None else SOURCE["source"], on=None if grade is None else date(2026, 3, 1),
        rule={"vi": "Nghị quyết 98/2023/QH15", "en": "Resolution 98/2023/QH15"}, rule_source="https://example.org/rule",
        rule_on=date(2025, 12, 11),
    )  # fmt: skip


CITY = CitySide(
    criteria=(
        _criterion("field", 1.0, "52"), _criterion("technology", None, "?"), _criterion("environment", 0.0, "E")
    ),
    gate=Gate(state="not_screened", statement=GATE_STATEMENTS["not_screened"]),
)  # fmt: skip
STOP = Gate(state="stop", statement=GATE_STATEMENTS["country"], source="https://example.org/un", on=date(2017, 9, 15))


@dataclass
class FakeStore:
    """Tables in memory; `revision_number` grows when a test says that facts changed."""

    tables: dict[str, pl.DataFrame]
    revision_number: int = 1

    def read(self, table: str) -> pl.DataFrame:
        return self.tables[table]

    def revision(self) -> int:
        return self.revision_number


@dataclass
class FakeMatchmaker:
    """Ranks partners by sector overlap; everything else is made up but well-formed."""

    facts: Facts = field(
        default_factory=lambda: Facts(
            projects=_projects(), partners=_partners(), deals=_deals(), footprint=_footprint(), reference=_reference(),
            as_of=AS_OF,
        )
    )  # fmt: skip
    store: FakeStore = field(default_factory=lambda: FakeStore({"missions": MISSIONS, "accreditation": ACCREDITATION}))
    problems: dict[str, str] = field(default_factory=dict)
    closed: bool = False

    @property
    def as_of(self) -> date:
        return self.facts.as_of

    @property
    def revision(self) -> int:
        return self.store.revision()

    def match(
        self, query: Query, *, n: int = 10, filters: Filters = Filters(), as_of: date | None = None,  # noqa: B008
        cursor: str | None = None,
    ) -> MatchList:  # fmt: skip
        notes: list[dict[str, str]] = []
        projects = self._open_projects()
        partners = self.facts.partners.to_dicts()
        if query.project_id is not None:
            projects = [self._one("project", query.project_id)]
        if query.partner_id is not None:
            partners = [self._one("partner", query.partner_id)]
        if query.mission_id is not None:
            covered = ACCREDITATION.filter(pl.col("mission_id") == query.mission_id)["country"].to_list()
            host = MISSIONS.filter(pl.col("mission_id") == query.mission_id)["country"].to_list()
            query = replace(query, countries=(*host, *covered))
        if query.countries is not None:
            partners = [p for p in partners if p["country"] in query.countries]
            empty = set(query.countries) - {p["country"] for p in partners}
            notes += [
                {"vi": f"Chưa có hồ sơ đối tác của {c}.", "en": f"No partner of {c} is compiled."}
                for c in sorted(empty)
            ]
        if query.text is not None or query.draft_project is not None:
            draft = query.draft_project or {"name_vi": query.text, "isic": ["52"]}
            projects = [{"project_id": "", "name_vi": None, "name_en": None, "isic": None, **draft}]
        if query.draft_partner is not None:
            partners = [{"partner_id": "", "country": None, "kind": "unknown", "isic": None, **query.draft_partner}]
        partners = [p for p in partners if not filters.country or p["country"] in filters.country]
        pairs = sorted(
            ((self._score(p, q), p, q) for p in projects for q in partners),
            key=lambda t: (-t[0], t[1]["project_id"], t[2]["partner_id"]),
        )
        start = _start(cursor)
        shown = pairs[start : start + n]
        return MatchList(
            query=query, filters=filters, engine="fake-1", as_of=as_of or AS_OF,
            matches=tuple(self._match(i, *t) for i, t in enumerate(shown, start=start + 1)),
            candidates=len(pairs), coverage={"sector": 0.8, "ticket_usd": 0.2}, notes=tuple(notes),
            next=f"fake.{start + n}" if len(pairs) > start + n else None,
            ahead={"vi": "A xếp trên B.", "en": "A is ahead of B."} if query.project_id and not start else None,
        )  # fmt: skip

    def explain(self, project_id: str, partner_id: str, *, against: str | None = None) -> Explanation:
        project, partner = self._one("project", project_id), self._one("partner", partner_id)
        others = [q for q in self.facts.partners.to_dicts() if q["partner_id"] != partner_id]
        if against is not None:
            others = [self._one("partner", against)]
        return Explanation(
            match=self._match(1, self._score(project, partner), project, partner), base=0.1, ahead=None,
            following=self._match(2, self._score(project, others[0]), project, others[0]),
            contrast=(
                Difference(reason="sector", first=0.6, second=0.1, first_value=_both("52"), second_value=_both("37")),
                Difference(reason="kind", first=0.0, second=0.2, first_value=_both("?"), second_value=_both("DFI")),
            ),
            chosen=against is not None,
        )  # fmt: skip

    def engines(self) -> list[Mapping[str, Any]]:
        return [{"engine": "fake-1", "as_of": AS_OF.isoformat(), "features": ["sector"], "in_use": True}]

    def check(self) -> Mapping[str, str]:
        return {"database": "ok", "artefact": "ok", "model": "ok", **self.problems}

    def close(self) -> None:
        self.closed = True

    def _open_projects(self) -> list[dict[str, Any]]:
        return self.facts.projects.filter(pl.col("status").is_in(OPEN_STATUSES)).to_dicts()

    def _one(self, kind: str, record_id: str) -> dict[str, Any]:
        frame_ = self.facts.projects if kind == "project" else self.facts.partners
        found = frame_.filter(pl.col(f"{kind}_id") == record_id).to_dicts()
        if not found:
            nearby = frame_[f"{kind}_id"].to_list()[:2]
            raise NotFoundError(f'There is no {kind} "{record_id}". Nearest: {"; ".join(nearby)}.', nearby)
        return found[0]

    @staticmethod
    def _score(project: Mapping[str, Any], partner: Mapping[str, Any]) -> float:
        heads = {c[:2] for c in project["isic"] or ()}
        return 1.0 if heads & {c[:2] for c in partner["isic"] or ()} else 0.25

    @staticmethod
    def _match(rank: int, score: float, project: Mapping[str, Any], partner: Mapping[str, Any]) -> Match:
        def reason(name: str, direction: Any, vi: str, en: str, part: float | None) -> Evidence:
            return Evidence(
                feature=name, direction=direction, statement={"vi": vi, "en": en}, project_value=_both("400 M USD"),
                partner_value=_both("100–900 M USD"), contribution=part, source=SOURCE["source"], on=date(2026, 3, 1),
            )  # fmt: skip

        known = partner.get("country") is not None
        fits = score > 0.5
        return Match(
            rank=rank, project_id=project["project_id"],
            project_name={"vi": project["name_vi"], "en": project["name_en"]}, partner_id=partner["partner_id"],
            partner_name=partner["name"], partner_country=partner["country"], partner_kind=partner["kind"], score=score,
            probability=Probability(value=0.12, low=0.05, high=0.21, outcome="deal", horizon_days=730, base_rate=0.003) if known else None,
            abstained=None if known else {"vi": "chưa đủ dữ liệu", "en": "too little data"},
            evidence=(
                reason("sector", "for" if fits else "against", "Cùng ngành" if fits else "Khác ngành",
                       "Same sector" if fits else "Another sector", 0.6 if fits else -0.4),
                reason("kind", "for", "Là doanh nghiệp", "A company", 0.1),
                reason("host", "against", "Chưa có mặt ở Việt Nam", "Not yet in Viet Nam", -0.2),
                reason("ticket", "missing", "Không rõ quy mô vốn", "Ticket unknown", None),
            ),
            engine="fake-1", as_of=AS_OF, route=({"kind": "mission", "id": "ae-embassy"},) if known else (),
            city=CITY if partner["country"] != "FR" else replace(CITY, gate=STOP),
        )  # fmt: skip


def _both(text: str) -> dict[str, str]:
    return {"vi": text, "en": text}


def _start(cursor: str | None) -> int:
    if cursor is None:
        return 0
    head, _, tail = cursor.partition(".")
    if head != "fake" or not tail.isdecimal():
        raise InputError("not a cursor", [{"pointer": "/cursor", "seen": cursor[:60], "expected": "`next`"}])
    return int(tail)
