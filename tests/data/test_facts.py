"""Projects, partners, past deals and footprint: neutral wording, complete classification, exact money."""

import re
import unicodedata
from collections import Counter
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from matcher.records import DEAL_STATUSES, FORMS, OPEN_STATUSES, PARTNER_KINDS, PROJECT_STATUSES, ROLES, TABLES
from matcher.text import tokens

DATA = Path(__file__).parents[2] / "data"
FILES = {
    "projects": "projects", "past_projects": "projects", "partners": "partners", "deals": "deals",
    "footprint": "footprint", "city_sectors": "city_sectors", "activity_tags": "activity_tags",
}  # fmt: skip

# Words of a partner's name that say what it does; everybody's texts may use them.
PLAIN = {"consumer", "natural", "footwear", "waste", "design", "saigon"}
PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.\w+|\+\d{2}[\d .()-]{7,}|\b0\d{2,3}[ .-]\d{3,4}[ .-]\d{3,4}\b")
BETRAYS = re.compile(
    r"viet ?nam|ho chi minh|hcmc|saigon|hanoi|binh duong|vung tau|markets named|recorded", re.IGNORECASE
)


def cells(file: str) -> pl.DataFrame:
    return pl.read_csv(DATA / f"{file}.csv", infer_schema=False)


@pytest.fixture(scope="module")
def facts() -> dict[str, pl.DataFrame]:
    return {file: cells(file) for file in FILES}


@pytest.fixture(scope="module")
def projects(facts: dict[str, pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([facts["projects"], facts["past_projects"]])


@pytest.mark.parametrize(("file", "table"), FILES.items())
def test_columns_and_order_are_those_of_the_schema(facts: dict[str, pl.DataFrame], file: str, table: str) -> None:
    assert facts[file].columns == list(TABLES[table].columns)


@pytest.mark.parametrize("file", FILES)
def test_a_file_is_nfc_with_unix_line_ends(file: str) -> None:
    raw = (DATA / f"{file}.csv").read_bytes()
    assert b"\r" not in raw
    assert unicodedata.is_normalized("NFC", raw.decode("utf-8"))


@pytest.mark.parametrize("file", FILES)
def test_every_row_names_its_source_and_licence(facts: dict[str, pl.DataFrame], file: str) -> None:
    assert facts[file].filter(pl.col("source").is_null() | pl.col("licence").is_null()).is_empty()


@pytest.mark.parametrize("file", FILES)
def test_no_cell_looks_like_an_address_or_a_number_of_a_person(facts: dict[str, pl.DataFrame], file: str) -> None:
    columns = [c for c in facts[file].columns if not c.startswith("source") and c != "website"]
    found = [(c, v) for c in columns for v in facts[file][c].drop_nulls() if PERSONAL.search(v)]
    assert found == []


def test_ids_are_unique(facts: dict[str, pl.DataFrame], projects: pl.DataFrame) -> None:
    assert projects["project_id"].is_unique().all()
    assert facts["partners"]["partner_id"].is_unique().all()
    assert facts["deals"]["deal_id"].is_unique().all()


def test_a_partner_has_at_most_one_deal_in_a_project(facts: dict[str, pl.DataFrame]) -> None:
    assert facts["deals"].select("project_id", "partner_id").is_unique().all()


def test_deals_and_footprint_refer_to_what_exists(facts: dict[str, pl.DataFrame], projects: pl.DataFrame) -> None:
    deals, footprint, partners = facts["deals"], facts["footprint"], facts["partners"]["partner_id"]
    assert deals.filter(~pl.col("partner_id").is_in(partners.implode())).is_empty()
    assert deals.filter(~pl.col("project_id").is_in(projects["project_id"].implode())).is_empty()
    assert footprint.filter(~pl.col("partner_id").is_in(partners.implode())).is_empty()
    by_deal = footprint.filter(pl.col("evidence") == "deal")
    assert by_deal.filter(~pl.col("deal_id").is_in(deals["deal_id"].implode())).is_empty()
    assert by_deal.join(deals, on=["deal_id", "partner_id"], how="anti").is_empty()


def test_words_of_the_product_are_controlled(facts: dict[str, pl.DataFrame], projects: pl.DataFrame) -> None:
    assert set(projects["status"]) <= set(PROJECT_STATUSES)
    assert set(facts["past_projects"]["status"]) == {"past"}
    assert set(projects["form"].drop_nulls()) <= set(FORMS)
    assert set(facts["partners"]["kind"]) <= set(PARTNER_KINDS)
    assert set(facts["deals"]["role"]) <= set(ROLES)
    assert set(facts["deals"]["status"]) <= set(DEAL_STATUSES)


@pytest.mark.parametrize("column", ["status_note", "name_vi", "name_en", "description"])
def test_an_open_project_says_what_it_is(facts: dict[str, pl.DataFrame], column: str) -> None:
    assert facts["projects"][column].null_count() == 0


def test_every_sector_and_activity_is_classified(facts: dict[str, pl.DataFrame], projects: pl.DataFrame) -> None:
    assert set(projects["sector"]) <= set(facts["city_sectors"]["sector"])
    used = {tag for cell in facts["partners"]["activities"].drop_nulls() for tag in cell.split("|")}
    assert used <= set(facts["activity_tags"]["tag"])


def test_every_record_has_isic_divisions(facts: dict[str, pl.DataFrame], projects: pl.DataFrame) -> None:
    divisions = set(cells("isic").filter(pl.col("level") == "2")["code"])
    for frame in (projects, facts["partners"], facts["city_sectors"], facts["activity_tags"]):
        codes = frame["isic"].str.split("|")
        assert codes.null_count() == 0
        assert codes.list.len().is_between(1, 4).all()
        assert codes.list.eval(pl.element().is_unique()).list.all().all()
        assert set(codes.explode()) <= divisions


def test_each_open_sector_finds_partners_of_its_divisions(facts: dict[str, pl.DataFrame]) -> None:
    partners = [set(cell.split("|")) for cell in facts["partners"]["isic"]]
    opened = facts["projects"].filter(pl.col("status").is_in(OPEN_STATUSES))
    few = [
        row["project_id"]
        for row in opened.select("project_id", "isic").to_dicts()
        if sum(not own.isdisjoint(row["isic"].split("|")) for own in partners) < 20
    ]
    assert few == []


def test_no_project_betrays_who_took_part(facts: dict[str, pl.DataFrame], projects: pl.DataFrame) -> None:
    names = dict(facts["partners"].select("partner_id", "name").iter_rows())
    often = Counter(word for name in names.values() for word in set(tokens(name)))
    wording = {
        row["project_id"]: set(tokens(" ".join(row[c] or "" for c in ("name_en", "name_vi", "description"))))
        for row in projects.to_dicts()
    }
    told = {
        (deal["deal_id"], word)
        for deal in facts["deals"].to_dicts()
        for word in set(tokens(names[deal["partner_id"]])) & wording[deal["project_id"]]
        if len(word) >= 3 and often[word] <= 3 and word not in PLAIN
    }
    assert told == set()


def test_a_partner_profile_does_not_betray_that_it_is_known_in_vietnam(facts: dict[str, pl.DataFrame]) -> None:
    texts = facts["partners"].select("partner_id", "description").drop_nulls()
    assert texts.filter(pl.col("description").map_elements(lambda t: bool(BETRAYS.search(t)), pl.Boolean)).is_empty()


def test_rankings_stay_out_of_partners(facts: dict[str, pl.DataFrame]) -> None:
    assert facts["partners"].filter(pl.col("source").str.contains("(?i)fortune|forbes")).is_empty()


def test_money_is_exact_and_agrees_with_its_dollars(projects: pl.DataFrame) -> None:
    valued = projects.filter(pl.col("value_min").is_not_null()).to_dicts()
    assert len(valued) > 100
    for row in valued:
        least, most = Decimal(row["value_min"]), Decimal(row["value_max"] or row["value_min"])
        assert 0 < least <= most, row["project_id"]
        assert least.as_tuple().exponent == -2, row["project_id"]
        dollars = Decimal(row["value_usd_min"])
        if row["value_currency"] == "USD":
            assert (dollars, row["value_usd_estimated"]) == (least, "false"), row["project_id"]
        else:
            assert row["value_currency"] == "VND"
            assert 20_000 < least / dollars < 30_000, row["project_id"]  # dong per dollar since 2011


def test_places_of_before_the_merger_are_marked(facts: dict[str, pl.DataFrame]) -> None:
    old = facts["projects"].filter(pl.col("source_on") < "2025-07-01", pl.col("source_2_on").is_null())
    assert set(old["boundary"]) == {"old"}


def test_a_date_goes_with_its_precision(facts: dict[str, pl.DataFrame], projects: pl.DataFrame) -> None:
    for frame, day, precision in (
        (projects, "announced_on", "announced_precision"),
        (facts["deals"], "closed_on", "closed_precision"),
        (facts["footprint"], "on", "on_precision"),
    ):
        assert ((frame[day].is_null()) == (frame[precision] == "none")).all()
        assert frame.filter(pl.col(precision) == "year")[day].str.ends_with("-01-01").all()
        assert frame.filter(pl.col(precision) == "month")[day].str.ends_with("-01").all()
