"""A small world of facts, made by hand, and an encoder whose vectors are bags of folded words.

Eight projects, twelve partners, twenty deals: enough for laws and edge cases within seconds. `large` repeats it
with as many dated deals as a test needs.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from matcher.matching import rank
from matcher.matching.corpus import Corpus
from matcher.matching.features import NAMES, compute
from matcher.matching.pairs import Block
from matcher.matching.retrieve import LexicalIndex
from matcher.records import TABLES, Facts, Reference
from matcher.text import tokens

AS_OF = date(2026, 11, 22)
SOURCE = {"source": "https://example.org/list", "source_on": date(2024, 6, 30), "licence": "CC0-1.0"}
LISTED = "https://example.org/partners"
Rows = Iterable[Mapping[str, Any]]


class BagEncoder:
    """Signed counts of folded words in 96 dimensions: shared words make texts similar, diacritics do not matter."""

    dimensions = 96

    def __init__(self, identity: str = "bag-of-words@1") -> None:
        self.id = identity

    def encode(self, texts: Sequence[str], *, progress: Any = None) -> np.ndarray:
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in list(tokens(text)) or [""]:
                digest = hashlib.sha256(word.encode()).digest()
                out[row, digest[0] % self.dimensions] += 1.0 if digest[1] % 2 else -1.0
                out[row, digest[2] % self.dimensions] += 0.5
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        if progress:
            progress(len(texts), len(texts))
        return out / np.where(norms > 0, norms, 1.0)


def frame(table: str, rows: Rows) -> pl.DataFrame:
    """Rows of a table; a column that a row lacks is null, provenance excepted."""
    columns = dict(TABLES[table].columns)
    counted = {"counts_from": pl.Date()} if table in ("deals", "footprint") else {}
    # Partners are listed elsewhere than their deals, so that they are known before them.
    given = {**SOURCE, "source": LISTED} if table == "partners" else SOURCE
    made = [{c: {**given, **row}.get(c) for c in {**columns, **counted}} for row in rows]
    return pl.DataFrame(made, schema={**columns, **counted})


def _isic() -> list[dict[str, Any]]:
    sections = {
        "C": ("Chế biến", "Manufacturing"), "D": ("Điện", "Electricity"), "E": ("Nước", "Water"),
        "F": ("Xây dựng", "Construction"),
        "H": ("Vận tải", "Transport"), "J": ("Thông tin", "Information"), "K": ("Tài chính", "Finance"),
        "L": ("Bất động sản", "Real estate"), "P": ("Giáo dục", "Education"), "Q": ("Y tế", "Health"),
    }  # fmt: skip
    divisions = {
        "10": ("C", "Thực phẩm", "Food products"), "26": ("C", "Điện tử", "Electronics"),
        "35": ("D", "Cung cấp điện", "Power supply"),
        "36": ("E", "Cấp nước", "Water supply"), "41": ("F", "Xây nhà", "Construction of buildings"),
        "42": ("F", "Công trình dân dụng", "Civil engineering"), "50": ("H", "Vận tải thủy", "Water transport"),
        "52": ("H", "Kho bãi", "Warehousing and support for transport"), "62": ("J", "Phần mềm", "Programming"),
        "64": ("K", "Dịch vụ tài chính", "Financial services"), "68": ("L", "Địa ốc", "Property"),
        "85": ("P", "Đào tạo", "Education"), "86": ("Q", "Bệnh viện", "Hospitals"),
    }  # fmt: skip
    top = [{"code": c, "level": 1, "title_vi": vi, "title_en": en} for c, (vi, en) in sections.items()]
    second = [
        {"code": c, "level": 2, "parent": p, "title_vi": vi, "title_en": en} for c, (p, vi, en) in divisions.items()
    ]
    return [*top, *second, {"code": "5222", "level": 4, "parent": "52", "title_en": "Port services"}]


def _named(key: str, rows: Sequence[tuple[str, str, str, list[str]]]) -> list[dict[str, Any]]:
    return [{key: code, "name_vi": vi, "name_en": en, "isic": isic} for code, vi, en, isic in rows]


REFERENCE = Reference(
    isic=frame("isic", _isic()),
    city_sectors=frame(
        "city_sectors",
        _named("sector", [
            ("seaport", "cảng biển", "seaports", ["52", "50"]), ("chips", "vi mạch bán dẫn", "semiconductors", ["26"]),
            ("power", "năng lượng điện", "power", ["35"]), ("hospital", "bệnh viện", "hospitals", ["86"]),
            ("metro", "đường sắt đô thị", "urban rail", ["42"]), ("finance", "tài chính", "finance", ["64"]),
        ]),
    ),
    activity_tags=frame(
        "activity_tags",
        _named("tag", [
            ("ports", "khai thác cảng container", "container terminals", ["52"]),
            ("chips", "sản xuất chip bán dẫn", "semiconductor chips", ["26"]),
            ("wind", "điện gió ngoài khơi", "offshore wind farms", ["35"]),
            ("clinics", "bệnh viện và phòng khám", "hospitals and clinics", ["86"]),
        ]),
    ),
    terms=frame("terms", [
        {"term": "cảng", "lang": "vi", "isic": ["52"]},
        {"term": "container terminal", "lang": "en", "isic": ["52", "50"]},
        {"term": "bệnh viện", "lang": "vi", "isic": ["86"]}, {"term": "hospital", "lang": "en", "isic": ["86"]},
        {"term": "半導体", "lang": "ja", "isic": ["26"]},
    ]),
    countries=frame("countries", [
        {"country": c, "iso3": iso3, "name_vi": vi, "name_en": en, "region": region, "subregion": sub, "asean": asean,
         "eu": c == "FR", "lat": lat, "lon": lon}
        for c, iso3, vi, en, region, sub, asean, lat, lon in [
            ("VN", "VNM", "Việt Nam", "Viet Nam", "Asia", "South-eastern Asia", True, 21.0, 105.9),
            ("TH", "THA", "Thái Lan", "Thailand", "Asia", "South-eastern Asia", True, 13.8, 100.5),
            ("SG", "SGP", "Singapore", "Singapore", "Asia", "South-eastern Asia", True, 1.3, 103.8),
            ("JP", "JPN", "Nhật Bản", "Japan", "Asia", "Eastern Asia", False, 35.7, 139.7),
            ("KR", "KOR", "Hàn Quốc", "Korea", "Asia", "Eastern Asia", False, 37.6, 127.0),
            ("FR", "FRA", "Pháp", "France", "Europe", "Western Europe", False, 48.9, 2.3),
            ("US", "USA", "Hoa Kỳ", "United States", "Americas", "Northern America", False, 38.9, -77.0),
            ("CL", "CHL", "Chile", "Chile", "Americas", "South America", False, -33.4, -70.7),
        ]
    ]),
    country_ties=frame("country_ties", [
        {"country": c, "kind": "fta", "name": name, "in_force_on": day, "in_force_precision": "day", "ended_on": ended}
        for c, name, day, ended in [
            ("JP", "VJEPA", date(2009, 10, 1), None), ("KR", "VKFTA", date(2015, 12, 20), None),
            ("FR", "EVFTA", date(2020, 8, 1), None), ("CL", "VCFTA", date(2028, 1, 1), None),
            ("US", "an agreement that ended", date(2001, 12, 10), date(2015, 1, 1)),
        ]
    ]),
)  # fmt: skip

HERE = {"country": "VN", "city": "Ho Chi Minh City"}
PROJECTS: list[dict[str, Any]] = [
    {"project_id": "p-fab", "name_vi": "Nhà máy bán dẫn Thủ Đức",
    "name_en": "Semiconductor plant Thu Duc", "sector": "chips",
     "isic": ["26"], "value_usd_min": 900e6, "value_usd_max": 1100e6, "form": "fdi_100", "status": "calling", **HERE},
    {"project_id": "p-hospital", "name_vi": "Bệnh viện quốc tế", "name_en": "International hospital",
    "sector": "hospital",
     "isic": ["86"], "value_usd_min": 40e6, "value_usd_max": 60e6, "form": "jv", "status": "approved", **HERE},
    {"project_id": "p-port", "name_vi": "Cảng trung chuyển container Cần Giờ", "name_en": "Can Gio container port",
     "description": "Transhipment container terminal.", "sector": "seaport", "isic": ["52", "50"],
     "value_usd_min": 400e6,
     "value_usd_max": 600e6, "form": "ppp", "status": "calling", **HERE},
    {"project_id": "p-vague", "name_vi": "Khu đô thị ven sông", "status": "proposed", **HERE},
    {"project_id": "p-wind", "name_vi": "Điện gió ngoài khơi", "name_en": "Offshore wind farms", "sector": "power",
     "isic": ["35"], "green": True, "status": "preparing", **HERE},
    {"project_id": "x-chips", "name_en": "Chip assembly plant", "sector": "chips", "isic": ["26"], "status": "past",
     "country": "VN", "city": "Bac Ninh"},
    {"project_id": "x-port", "name_vi": "Cảng container Cái Mép", "name_en": "Cai Mep container port",
    "sector": "seaport",
     "isic": ["52"], "status": "past", **HERE},
    {"project_id": "x-solar", "name_en": "Solar power farms", "sector": "power", "isic": ["35"], "status": "past",
     "country": "TH", "city": "Rayong"},
]  # fmt: skip
PARTNERS: list[dict[str, Any]] = [
    {"partner_id": "fr-wind", "name": "Ventelec", "country": "FR", "kind": "company", "isic": ["35"],
    "activities": ["wind"],
     "green": True, "size": "Mid Cap"},
    {"partner_id": "jp-bank", "name": "Kawa Bank", "country": "JP", "kind": "bank", "isic": ["64"]},
    {"partner_id": "jp-dfi", "name": "Nippon Kyoryoku", "country": "JP", "kind": "dfi", "isic": ["64"]},
    {"partner_id": "jp-port", "name": "Minato Terminals", "country": "JP", "kind": "company", "isic": ["52"],
     "activities": ["ports"], "ticket_usd_min": 200e6, "ticket_usd_max": 900e6, "size": "Large Cap"},
    {"partner_id": "jp-quay", "name": "Umi Works", "country": "JP", "kind": "company",
     "description": "container terminal equipment"},
    {"partner_id": "kr-build", "name": "Hanbit Engineering", "country": "KR", "kind": "company", "isic": ["42", "41"]},
    {"partner_id": "kr-chips", "name": "Daehan Micro", "country": "KR", "kind": "company", "isic": ["26"],
     "activities": ["chips"], "size": "Mega Cap"},
    {"partner_id": "nobody", "name": "Zephyrus", "kind": "unknown"},
    {"partner_id": "sg-estate", "name": "Merlion Land", "country": "SG", "kind": "company", "isic": ["68"]},
    {"partner_id": "sg-fund", "name": "Straits Sovereign", "country": "SG", "kind": "sovereign_fund", "isic": ["64"]},
    {"partner_id": "th-clinic", "name": "Suan Care", "country": "TH", "kind": "company", "isic": ["86"],
     "activities": ["clinics"], "size": "Small Cap"},
    {"partner_id": "us-college", "name": "Lakeside College", "country": "US", "kind": "university", "isic": ["85"]},
]  # fmt: skip


def deal(number: int, project: str, partner: str, on: date | None, **more: Any) -> dict[str, Any]:
    """A positive deal of a day; `counts_from` is that day unless another is given."""
    return {
        "deal_id": f"d{number:04d}", "project_id": project, "partner_id": partner, "role": "owner", "status": "done",
        "closed_on": on, "closed_precision": "day" if on else "none", "counts_from": on, **more,
    }  # fmt: skip


DEALS: list[dict[str, Any]] = [
    deal(number, *row[:3], **(row[3] if len(row) > 3 else {}))
    for number, row in enumerate([
        ("x-port", "jp-port", date(2012, 5, 1)), ("x-port", "jp-bank", date(2012, 5, 1), {"role": "lender"}),
        ("x-port", "kr-build", date(2012, 9, 1), {"role": "contractor"}),
        ("x-port", "jp-dfi", date(2014, 3, 1), {"role": "loan"}),
        ("x-chips", "kr-chips", date(2019, 2, 1)), ("x-chips", "kr-build", date(2020, 6, 1), {"role": "contractor"}),
        ("x-chips", "jp-bank", date(2021, 6, 1), {"role": "lender"}),
        ("x-chips", "sg-fund", date(2022, 6, 1), {"role": "equity"}),
        ("x-solar", "fr-wind", date(2023, 7, 1)), ("x-solar", "sg-fund", date(2024, 2, 1), {"role": "equity"}),
        ("x-solar", "jp-dfi", date(2024, 4, 1), {"role": "loan"}),
        ("x-solar", "kr-build", date(2024, 4, 1), {"role": "contractor"}),
        ("p-port", "jp-port", date(2025, 1, 15), {"role": "jv_partner"}),
        ("p-port", "sg-estate", date(2025, 2, 1), {"status": "mou"}),
        ("p-hospital", "th-clinic", date(2025, 3, 1), {"status": "proposed"}),
        ("p-hospital", "us-college", date(2025, 3, 1), {"role": "partner"}),
        ("p-fab", "kr-chips", None, {"counts_from": date(2025, 6, 30)}), ("x-port", "fr-wind", None),
        ("p-wind", "fr-wind", date(2025, 9, 1), {"status": "cancelled"}),
        ("x-chips", "jp-port", date(2025, 12, 1), {"status": "divested"}),
    ])
]  # fmt: skip


def stay(partner: str, country: str, counts_from: date | None = date(2023, 1, 1), **more: Any) -> dict[str, Any]:
    """A footprint row: the partner operates in a country."""
    return {
        "partner_id": partner, "country": country, "what": "operations", "relation": "operates", "evidence": "web_page",
        "counts_from": counts_from, **more,
    }  # fmt: skip


FOOTPRINT = [
    stay("jp-port", "JP"), stay("jp-port", "VN"), stay("jp-port", "TH"), stay("jp-port", "SG"), stay("kr-chips", "US"),
    stay("fr-wind", "FR"), stay("fr-wind", "TH", what="sales", relation="sells"), stay("sg-estate", "VN", None),
]  # fmt: skip


def facts(
    *, projects: Rows = PROJECTS, partners: Rows = PARTNERS, deals: Rows = DEALS, footprint: Rows = FOOTPRINT,
    reference: Reference = REFERENCE, as_of: date = AS_OF, criteria: Rows = (),
) -> Facts:  # fmt: skip
    """The small world, or another made of rows."""
    return Facts(
        projects=frame("projects", projects), partners=frame("partners", partners), deals=frame("deals", deals),
        footprint=frame("footprint", footprint), reference=reference, as_of=as_of,
        criteria=frame("investor_criteria", criteria),
    )  # fmt: skip


def large(
    queries: int, *, years: Sequence[int] = tuple(range(2014, 2026)), seed: int = 0, winners: int = 1,
    announced: bool = False,
) -> Facts:  # fmt: skip
    """A world with one past project per labelled query; partners of the right sector win more often than not.

    Args:
        announced: every project is announced on the first day of the year of its deals; else nobody knows when.
    """
    rng = np.random.default_rng(seed)
    sectors = {
        "52": "container port",
        "26": "semiconductor plant",
        "35": "solar power",
        "86": "hospital",
        "68": "housing",
    }
    codes, homes = list(sectors), ["JP", "KR", "SG", "TH", "FR", "US"]
    partners = [
        {"partner_id": f"q{i:03d}", "name": f"Xyz{i:03d}", "country": homes[i % 6],
        "kind": ("company", "bank", "fund")[i % 7 % 3],
         "isic": [codes[i % 5]], "sector": sectors[codes[i % 5]]}
        for i in range(60)
    ]  # fmt: skip
    projects, deals = [*PROJECTS], []
    for n in range(queries):
        code = codes[int(rng.integers(5))]
        projects.append({
            "project_id": f"y{n:04d}", "name_en": f"{sectors[code]} number {n}", "isic": [code],
            "status": "past", **HERE,
        })  # fmt: skip
        year = years[n % len(years)]
        if announced:
            projects[-1] |= {"announced_on": date(year, 1, 1), "announced_precision": "year"}
        for w in rng.choice(12, size=winners, replace=False):
            fits = rng.random() < 0.8
            partner = 5 * int(w) + (codes.index(code) if fits else int(rng.integers(5)))
            on = date(year, int(rng.integers(1, 13)), 1)
            deals.append(deal(len(deals), f"y{n:04d}", f"q{partner:03d}", on))
    return facts(projects=projects, partners=partners, deals=deals, footprint=[])


def block(known: Facts, project_id: str, *, as_of: date | None = None, encoder: Any = None) -> Block:
    """One project against all partners, with what was known on a day."""
    day = known.as_of if as_of is None else as_of
    corpus = Corpus.of(known, encoder or BagEncoder(), None)
    snapshot = corpus.snapshot(day)
    row = snapshot.projects.row_of[project_id]
    words = LexicalIndex(corpus.partner_texts).scores(" ".join(corpus.project_texts.row(row)[1:]))
    return Block(project=row, rows=np.arange(snapshot.n_partners), snapshot=snapshot, lexical=words)


def features(known: Facts, project_id: str, *, as_of: date | None = None) -> dict[str, dict[str, float]]:
    """partner -> feature -> value, NaN for unknown."""
    made = block(known, project_id, as_of=as_of)
    ids = made.partners.frame["partner_id"].to_list()
    return {q: dict(zip(NAMES, row.tolist(), strict=True)) for q, row in zip(ids, compute(made), strict=True)}


def with_rows(known: Facts, table: str, rows: Rows) -> Facts:
    """The same facts and some more rows."""
    return replace(known, **{table: pl.concat([getattr(known, table), frame(table, rows)])})


@contextmanager
def small_trees(rounds: int = 12) -> Iterator[None]:
    """Trees are fitted in few rounds: on a busy machine LightGBM's threads wait for each other at every step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rank, "ROUNDS", rounds)
        yield
