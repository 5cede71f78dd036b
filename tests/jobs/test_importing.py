"""A CSV file is imported whole or not at all; every refusal names file, row and column."""

import codecs

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs_files import DEALS, PARTNERS, PROJECTS

from matcher.errors import InputError, SourceError
from matcher.ingest.neutral import is_vietnamese
from matcher.jobs.importing import import_file


def _count(store, table: str) -> int:
    return store.read(table).height


def test_neutral_projects_become_ours(load, stocked):
    report = load(
        PROJECTS + "p1,Nhà máy thép,Ports and logistics,VN,1200000.5,2020-01-01,year\np2,Container port,,VN,,,none\n"
    )
    assert (report.new, report.changed, report.equal) == (2, 0, 0)
    one, two = stocked.read("projects").to_dicts()
    assert (one["name_vi"], one["name_en"], one["status"]) == ("Nhà máy thép", None, "calling")
    assert (two["name_vi"], two["name_en"]) == (None, "Container port")
    assert (one["sector"], one["isic"][0]) == ("ports_logistics", "52")
    assert str(one["value_min"]) == str(one["value_max"]) == "1200000.50"
    assert (one["value_currency"], one["value_usd_max"], one["value_usd_estimated"]) == ("USD", 1200000.5, False)
    assert (one["source"], two["announced_precision"]) == ("file.csv", "none")


def test_a_second_import_writes_nothing(load, stocked, two_of_each):
    revision = stocked.revision()
    report = load(PROJECTS + "p1,Nhà máy thép,,VN,1200000,2020-01-01,year\np2,Container port,,VN,,,none\n")
    assert (report.new, report.changed, report.equal, report.batch) == (0, 0, 2, None)
    assert stocked.revision() == revision


def test_a_column_that_the_file_lacks_stays_as_it_is(load, stocked, two_of_each):
    report = load("project_id,status\np1,approved\n")
    assert (report.new, report.changed) == (0, 1)
    one = stocked.read("projects").row(0, named=True)
    assert (one["status"], one["name_vi"], one["value_usd_min"]) == ("approved", "Nhà máy thép", 1200000.0)
    assert {"record": "p1", "field": "status", "before": "calling", "after": "approved"} in report.examples


def test_a_dry_run_counts_and_writes_nothing(load, stocked, two_of_each):
    revision = stocked.revision()
    report = load("project_id,name,country,status\np1,Nhà máy thép,VN,approved\np9,New one,VN,calling\n", dry_run=True)
    assert (report.new, report.changed, report.equal, report.dry_run) == (1, 1, 0, True)
    assert stocked.revision() == revision


def test_an_unknown_sector_is_a_counted_warning(load):
    report = load(PARTNERS + "q1,A,JP,company,Flying carpets,\nq2,B,JP,company,Flying carpets,\n", kind="partners")
    [(sentence, rows)] = report.warnings.items()
    assert "Flying carpets" in sentence
    assert rows == 2


def test_a_known_sector_gives_a_partner_its_isic(load, stocked):
    load(PARTNERS + "q1,A,JP,company,Cảng và logistics,\n", kind="partners")
    known = stocked.read("city_sectors").filter(pl.col("sector") == "ports_logistics")["isic"][0].to_list()
    row = stocked.read("partners").row(0, named=True)
    labels = set(stocked.read("city_sectors")["name_vi"])
    assert row["isic"] == known if "Cảng và logistics" in labels else row["isic"] is None


def test_deals_get_stable_identifiers(load, stocked, two_of_each):
    row = "p1,q1,owner,2021-05-01,month,100\n"
    assert load(DEALS + row, kind="deals").new == 1
    assert load(DEALS + row, kind="deals").equal == 1
    deal = stocked.read("deals").row(0, named=True)
    assert (deal["status"], deal["role"], deal["closed_on"].isoformat()) == ("done", "owner", "2021-05-01")


def test_map_reads_a_column_under_another_name(load, stocked):
    report = load("Mã,Tên,country\nx1,Cầu Cần Giờ,VN\n", mapping={"Mã": "project_id", "Tên": "name"})
    assert report.new == 1
    assert stocked.read("projects")["name_vi"].to_list() == ["Cầu Cần Giờ"]


def test_an_error_names_the_column_of_the_file(load):
    with pytest.raises(InputError, match=r'file.csv, row 3, column "Vốn": "12,5 ty"'):
        load('project_id,country,Vốn\na,VN,1\nb,VN,"12,5 ty"\n', mapping={"Vốn": "value_usd"})


def test_columns_that_are_not_read_are_said(load):
    report = load("project_id,name,country,investor_country\np1,A,VN,JP\n")
    assert report.warnings == {'the column "investor_country" is not read': 1}


def test_activities_are_imported(load, stocked):
    text = "activity_id,kind,name_en,country,held_on\na1,event,Forum,JP,2026-01-02\n"
    assert load(text, kind="activities").new == 1
    assert stocked.read("activities")["held_precision"].to_list() == ["day"]


REFUSED = [
    ("no columns of ours", "a,b\n1,2\n", "projects", "none of the columns"),
    ("no identifier", "name,country\nA,VN\n", "projects", "project_id"),
    ("misspelt column", "project_id,nmae,country\np,A,VN\n", "projects", "Did you mean name"),
    ("required column missing for a new record", "project_id,name\np9,A\n", "projects", 'row 2, column "country"'),
    ("project without a name", "project_id,country\np9,VN\n", "projects", 'row 2, column "name"'),
    ("bad number", PROJECTS + "p,A,,VN,1 million,,none\n", "projects", 'row 2, column "value_usd": "1 million"'),
    ("bad date", PROJECTS + "p,A,,VN,1,01/02/2020,day\n", "projects", 'row 2, column "announced_on": "01/02/2020"'),
    ("unknown country", PROJECTS + "p,A,,Japn,1,,none\n", "projects", "JP"),
    ("formula", PROJECTS + 'p,"=HYPERLINK(""x"")",,VN,1,,none\n', "projects", "formula"),
    ("duplicated id", PROJECTS + "p,A,,VN,1,,none\np,B,,VN,1,,none\n", "projects", "rows 2 and 3"),
    ("damaged UTF-16", codecs.BOM_UTF16_LE + PROJECTS.encode("utf-16-le") + b"x", "projects", "UTF-16"),
    ("UTF-16 unmarked", (PROJECTS + "p,A,,VN,,,\n").encode("utf-16-le"), "projects", "UTF-16"),
    ("CP1258", (PROJECTS + "p,Tra\u0309i đươ\u0300ng,,VN,,,\n").encode("cp1258"), "projects", "CP1258"),
    ("empty file", "", "projects", "empty"),
    ("heading only", PROJECTS, "projects", "no row"),
    ("ragged row", PROJECTS + "p,A\n", "projects", "row 2"),
    ("unknown role", DEALS + "p1,q1,friend,,none,\n", "deals", '"friend" is not one of owner'),
    ("unknown partner", DEALS + "p1,Sojits,owner,,none,\n", "deals", "q1 Sojitz"),
    ("unknown project", DEALS + "Nha may thep,q1,owner,,none,\n", "deals", "p1 Nhà máy thép"),
    ("same deal twice", DEALS + "p1,q1,owner,,none,\np1,q1,owner,,none,\n", "deals", "rows 2 and 3"),
    ("unknown kind of partner", PARTNERS + "q9,A,JP,shop,,\n", "partners", '"shop" is not one of company'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_bad_file_is_refused_and_nothing_is_written(load, stocked, two_of_each, text, kind, said):
    revision = stocked.revision()
    with pytest.raises(InputError) as refusal:
        load(text, kind=kind)
    assert said in str(refusal.value)
    assert "file.csv" in str(refusal.value)
    assert stocked.revision() == revision


def test_two_million_rows_are_refused(load, stocked):
    revision = stocked.revision()
    rows = b"p,A,,VN,,,\n" * 2_000_000
    with pytest.raises(InputError, match="rows; split the file"):
        load(PROJECTS.encode() + rows)
    assert stocked.revision() == revision


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"Nane": "name"}, "has no column"),
        ({"name": "nmae_en"}, "did you mean name_en"),
        ({"sector": "name"}, "all go to"),
    ],
)
def test_a_mapping_to_nothing_is_refused(load, mapping, said):
    with pytest.raises(InputError, match=said):
        load(PROJECTS + "p,A,,VN,,,\n", mapping=mapping)


def test_without_reference_tables_nothing_is_imported(store, tmp_path):
    (tmp_path / "f.csv").write_text(PROJECTS + "p,A,,VN,,,none\n")
    with pytest.raises(SourceError, match="matcher init"):
        import_file(store, tmp_path / "f.csv", kind="projects", source="s", actor="a")


@pytest.mark.parametrize(
    ("name", "vietnamese"),
    [("Cảng trung chuyển quốc tế Cần Giờ", True), ("Nhà máy thép Posco", True), ("Nhà máy", True), ("Thủ Thiêm", True),
     ("Container terminal", False), ("São Paulo metro", False), ("Café de Paris", False), ("Société Générale", False),
     ("Compañía de Jesús", False), ("METRO 2", False), ("", False), ("Đường sắt", True)],
)  # fmt: skip
def test_language_of_a_name(name, vietnamese):
    assert is_vietnamese(name) is vietnamese


@given(st.text())
def test_any_name_has_a_language(name):
    assert is_vietnamese(name) in (True, False)
