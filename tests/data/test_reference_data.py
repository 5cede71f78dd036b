"""The tables in `data/`: schema, references, codes, provenance, and the facts that must not be wrong."""

import re
import unicodedata
from pathlib import Path

import polars as pl
import pycountry
import pytest

from matcher.ingest import SOURCES
from matcher.ingest.csvfile import read_cells
from matcher.ingest.tables import read_table, validate
from matcher.records import TABLES
from matcher.text import fold

DATA = Path(__file__).parents[2] / "data"

ROWS = {  # too few: something got lost; too many: something was added twice
    "isic": (766, 766),
    "city_sectors": (15, 60),
    "activity_tags": (30, 120),
    "terms": (450, 5_000),
    "countries": (249, 249),
    "country_ties": (350, 900),
    "projects": (250, 1_500),
    "partners": (3_700, 6_000),
    "deals": (250, 2_000),
    "footprint": (1_000, 20_000),
    "missions": (94, 130),
    "accreditation": (55, 200),
    "localities": (45, 90),
    "fdi_facts": (70, 500),
    "activities": (20, 200),
    "investor_criteria": (15, 60),
}


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return {name: read_table(name, DATA) for name in TABLES}


def test_every_table_follows_its_schema_and_refers_to_what_exists(tables: dict[str, pl.DataFrame]) -> None:
    assert validate(tables) == []


def test_every_file_belongs_to_a_table() -> None:
    assert {p.name for p in DATA.glob("*.csv")} == {f for files in SOURCES.values() for f in files}


def test_every_file_is_described_with_its_number_of_rows() -> None:
    text = (DATA / "README.md").read_text(encoding="utf-8")
    described = {name: int(n) for name, n in re.findall(r"^\| `([a-z_]+\.csv)` \| (\d+) \|", text, re.MULTILINE)}
    files = [file for files in SOURCES.values() for file in files]
    assert described == {file: read_cells(DATA / file).height for file in files}


@pytest.mark.parametrize("name", TABLES)
def test_the_number_of_rows_is_plausible(tables: dict[str, pl.DataFrame], name: str) -> None:
    least, most = ROWS[name]
    assert least <= tables[name].height <= most


@pytest.mark.parametrize("name", TABLES)
def test_every_row_says_where_it_comes_from_and_under_which_terms(tables: dict[str, pl.DataFrame], name: str) -> None:
    assert tables[name].select("source", "licence").null_count().row(0) == (0, 0)
    latest = tables[name].get_column("source_on").drop_nulls().max()
    assert latest is None or latest.isoformat() <= "2026-12-31"


def test_files_are_plain_utf_8_with_unix_line_ends() -> None:
    for path in DATA.glob("*.csv"):
        content = path.read_bytes()
        assert b"\r" not in content, path.name
        assert not content.startswith(b"\xef\xbb\xbf"), path.name
        assert content.endswith(b"\n"), path.name
        text = content.decode()
        assert unicodedata.is_normalized("NFC", text), path.name


# A person appears in our tables only as what an organisation is: no way to reach, name or describe somebody.
PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+\.[a-z]{2,}"  # an e-mail address
    r"|\+\d{2}[ .-]?\d{2,3}[ .-]\d{3}[ .-]?\d{3}"  # a telephone number
    r"|\b(?:Mr|Mrs|Ms|Dr)\.? [A-Z]\w+"
    r"|\b[Aa]mbassador (?!to\b|in\b|of\b|also\b|and\b|resident\b|appointed\b)[A-Z]\w+ [A-Z]\w+"
)


@pytest.mark.parametrize("name", TABLES)
def test_no_row_holds_personal_data(tables: dict[str, pl.DataFrame], name: str) -> None:
    # Companies may be named after somebody; where they come from and their sites are addresses of pages.
    skipped = ("source", "website", "name") if name == "partners" else ("source", "website")
    texts = [c for c, t in TABLES[name].columns.items() if t == pl.String and not c.startswith(skipped)]
    found = [
        (column, value)
        for column in texts
        for value in tables[name].get_column(column).drop_nulls().unique()
        if PERSONAL.search(value)
    ]
    assert found == []


def test_no_partner_is_a_person(tables: dict[str, pl.DataFrame]) -> None:
    assert tables["partners"].filter(pl.col("kind") == "person").is_empty()


def test_countries_are_those_of_iso_3166(tables: dict[str, pl.DataFrame]) -> None:
    ours = {(r["country"], r["iso3"]) for r in tables["countries"].iter_rows(named=True)}
    assert ours == {(c.alpha_2, c.alpha_3) for c in pycountry.countries}


def test_languages_of_countries_are_iso_639(tables: dict[str, pl.DataFrame]) -> None:
    used = set(tables["countries"].get_column("languages").explode().drop_nulls())
    known = {getattr(x, a) for x in pycountry.languages for a in ("alpha_2", "alpha_3") if hasattr(x, a)}
    assert used - known == set()


def test_unions_have_their_members(tables: dict[str, pl.DataFrame]) -> None:
    countries = tables["countries"]
    assert countries.filter("eu").height == 27
    assert set(countries.filter("asean").get_column("country")) == {
        "BN", "KH", "ID", "LA", "MM", "MY", "PH", "SG", "TH", "TL", "VN",
    }  # fmt: skip


def test_names_follow_the_foreign_ministry(tables: dict[str, pl.DataFrame]) -> None:
    names = dict(tables["countries"].select("country", "name_vi").iter_rows())
    expected = {
        "KR": "Hàn Quốc", "US": "Hoa Kỳ", "GB": "Vương quốc Anh", "TW": "Đài Loan (Trung Quốc)",
        "HK": "Hồng Kông (Trung Quốc)", "MO": "Ma Cao (Trung Quốc)", "NA": "Namibia", "VN": "Việt Nam",
    }  # fmt: skip
    assert {code: names[code] for code in expected} == expected


def test_distances_and_places_are_plausible(tables: dict[str, pl.DataFrame]) -> None:
    km = dict(tables["countries"].select("country", "distance_vn_km").iter_rows())
    assert km["KH"] < km["SG"] < km["JP"] < km["DE"] < km["US"] < km["BR"]
    assert km["VN"] is None


def test_isic_is_a_tree_of_four_levels(tables: dict[str, pl.DataFrame]) -> None:
    isic = tables["isic"]
    assert isic.group_by("level").len().sort("level").rows() == [(1, 21), (2, 88), (3, 238), (4, 419)]
    level = dict(isic.select("code", "level").iter_rows())
    for row in isic.iter_rows(named=True):
        assert (row["parent"] is None) == (row["level"] == 1)
        if row["parent"]:
            assert level[row["parent"]] == row["level"] - 1
        assert (row["title_vi"] is not None) == (row["level"] <= 2)


def test_ties_are_never_with_viet_nam_itself_and_days_belong_to_visas(tables: dict[str, pl.DataFrame]) -> None:
    ties = tables["country_ties"]
    assert "VN" not in ties.get_column("country")
    assert ties.filter((pl.col("kind") == "visa") == pl.col("days").is_null()).is_empty()
    assert ties.filter(pl.col("ended_on") < pl.col("in_force_on")).is_empty()
    statuses = {"in_force", "signed", "terminated", "current", "superseded", "unknown"}
    assert set(ties.get_column("status")) == statuses
    assert ties.filter(pl.col("status").is_in(["terminated", "superseded"]) & pl.col("ended_on").is_null()).is_empty()


def test_a_country_has_one_current_level_of_partnership(tables: dict[str, pl.DataFrame]) -> None:
    levels = tables["country_ties"].filter(
        (pl.col("kind") == "partnership")
        & (pl.col("status") == "current")
        & ~pl.col("level").is_in(["eu_comprehensive_strategic", "sectoral_strategic"])
    )
    assert levels.filter(pl.col("country").is_duplicated()).is_empty()
    assert levels.filter(pl.col("level") == "comprehensive_strategic").height == 14  # the fifteenth is the EU
    assert set(levels.filter(pl.col("level") == "special_relationship").get_column("country")) == {"LA", "KH", "CU"}


def test_agreements_of_unions_are_expanded(tables: dict[str, pl.DataFrame]) -> None:
    fta = tables["country_ties"].filter(pl.col("kind") == "fta")
    by_country = dict(fta.group_by("country").agg(pl.col("name")).iter_rows())
    assert {"RCEP", "CPTPP", "ASEAN–Japan CEP (AJCEP)", "Viet Nam–Japan EPA (VJEPA)"} == set(by_country["JP"])
    assert "EU–Viet Nam FTA (EVFTA)" in by_country["IE"]
    assert fta.filter(pl.col("name").str.contains("EVFTA")).height == 27


def test_missions_have_readable_ids_and_cover_more_than_their_host(tables: dict[str, pl.DataFrame]) -> None:
    missions, accreditation = tables["missions"], tables["accreditation"]
    assert missions.filter(~pl.col("mission_id").str.contains(r"^[a-z]{2}(-[a-z0-9]+)+$")).is_empty()
    assert missions.filter(pl.col("mission_id").str.head(2) != pl.col("country").str.to_lowercase()).is_empty()
    assert missions.filter(pl.col("type") == "embassy").filter(pl.col("country").is_duplicated()).is_empty()
    host = dict(missions.select("mission_id", "country").iter_rows())
    assert all(host[m] != c for m, c in accreditation.select("mission_id", "country").iter_rows())
    covered = accreditation.filter(pl.col("mission_id") == "br-brasilia-embassy").get_column("country")
    assert set(covered) == {"BO", "GY", "PE", "SR"}
    assert {"jp-tokyo-embassy", "tw-taipei-economic-cultural-office", "ng-embassy"} <= set(host)
    assert set(missions.get_column("confidence")) == {"wikidata", "web_page", "third_party_list", "announced"}
    assert set(accreditation.get_column("confidence")) == {"stated", "seat_inferred"}


def test_levels_kinds_and_measures_are_controlled(tables: dict[str, pl.DataFrame]) -> None:
    assert set(tables["localities"].get_column("level")) <= {
        "twin", "friendship", "twin_or_friendship", "sectoral", "cooperation", "council", "terminated",
    }  # fmt: skip
    assert set(tables["activities"].get_column("kind")) <= {
        "agreement", "working_group", "institution", "dialogue", "forum", "conference", "meeting", "cultural_event",
        "coordination",
    }  # fmt: skip
    facts = tables["fdi_facts"]
    assert set(facts.get_column("boundary")) == {"old", "post_merger", "national"}
    assert facts.filter((pl.col("area") == "vietnam") != (pl.col("boundary") == "national")).is_empty()
    assert set(facts.get_column("partner").drop_nulls()) <= set(tables["countries"].get_column("country"))
    assert facts.filter(pl.all_horizontal(pl.col("value_usd", "n_projects", "share").is_null())).is_empty()


def test_terms_point_to_divisions_and_are_not_ambiguous_without_marks(tables: dict[str, pl.DataFrame]) -> None:
    divisions = set(tables["isic"].filter(pl.col("level") == 2).get_column("code"))
    meaning: dict[str, list[str]] = {}
    for term, lang, isic in tables["terms"].select("term", "lang", "isic").iter_rows():
        assert set(isic) <= divisions, term
        assert lang in {"vi", "en", "ja", "ko", "zh", "fr", "de"}
        assert meaning.setdefault(fold(term), isic) == isic, term


def test_vietnamese_terms_are_phrases_with_their_marks(tables: dict[str, pl.DataFrame]) -> None:
    terms = tables["terms"].filter(pl.col("lang") == "vi").get_column("term").to_list()
    assert len(terms) >= 300
    assert [t for t in terms if " " not in t and not t.isupper()] == []
    assert sum(fold(t) != t.casefold() for t in terms) > 0.97 * len(terms)


def test_criteria_with_an_amount_name_its_currency(tables: dict[str, pl.DataFrame]) -> None:
    criteria = tables["investor_criteria"]
    assert criteria.filter(pl.col("value_min").is_null() != pl.col("value_currency").is_null()).is_empty()
    assert set(criteria.get_column("value_currency").drop_nulls()) == {"VND", "USD"}
