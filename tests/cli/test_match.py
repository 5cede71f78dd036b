"""What `matcher match` and `matcher explain` print, for all five questions and all formats."""

import csv
import io
import json
import re
from datetime import date

import fastexcel
import polars as pl
import pytest
from small_site import PORT, TOKYO

from matcher.cli.tables import as_text, match_list
from matcher.config import load
from matcher.jobs.matchmaker import Matchmaker
from matcher.jobs.sheets import COLUMNS, to_csv, to_xlsx
from matcher.records import Filters, Match, MatchList, Query

LIST_KEYS = {"query", "engine", "as_of", "matches", "next"}
MATCH_KEYS = {
    "rank", "project", "partner", "score", "probability", "abstained", "evidence", "screening", "route", "engine",
    "as_of",
}  # fmt: skip
EVIDENCE_KEYS = {"feature", "direction", "statement", "project_value", "partner_value", "contribution", "source", "on"}
DAY = ("--as-of", "2026-11-01")


@pytest.fixture
def partner(run) -> str:
    return run("match", "--project", PORT, "--n", "1", *DAY, "--format", "json").json["matches"][0]["partner"]["id"]


def test_json_has_the_objects_of_the_interface(run):
    found = run("match", "--project", PORT, "--n", "3", *DAY, "--format", "json").json
    assert found.keys() >= LIST_KEYS
    assert found["as_of"] == "2026-11-01"
    assert [m["rank"] for m in found["matches"]] == [1, 2, 3]
    for match in found["matches"]:
        assert match.keys() >= MATCH_KEYS
        assert (match["probability"] is None) != (match["abstained"] is None)
        assert match["screening"]["state"] == "not_yet"
        assert len(match["evidence"]) >= 3
        for piece in match["evidence"]:
            assert piece.keys() >= EVIDENCE_KEYS
            assert piece["direction"] in ("for", "against", "missing")
            assert piece["project_value"]
            assert piece["partner_value"]
            assert piece["statement"].keys() == {"vi", "en"}


def test_json_is_what_the_matchmaker_gives(run, settings_of_site, monkeypatch):
    for name, value in settings_of_site.items():
        monkeypatch.setenv(name, value)
    with Matchmaker(load().site()) as maker:
        own = maker.match(Query(project_id=PORT), n=3, as_of=date(2026, 11, 1)).to_json("en")
    assert run("match", "--project", PORT, "--n", "3", *DAY, "--format", "json", "--lang", "en").json == own


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["--project", PORT], {"project": PORT}),
        (["--mission", TOKYO], {"mission": TOKYO, "countries": ["JP", "MH"]}),
        (["--country", "jp"], {"countries": ["JP"]}),
        (["--text", "nhà máy xử lý nước thải"], {"text": "nhà máy xử lý nước thải"}),
    ],
)
def test_every_question_is_answered(run, words, asked):
    found = run("match", *words, *DAY, "--format", "json").json
    assert asked.items() <= found["query"].items()
    assert found["matches"]
    scores = [m["score"] for m in found["matches"]]
    assert scores == sorted(scores, reverse=True)


def test_a_partner_gets_projects(run, partner):
    found = run("match", "--partner", partner, *DAY, "--format", "json").json
    assert {m["partner"]["id"] for m in found["matches"]} == {partner}
    assert len({m["project"]["id"] for m in found["matches"]}) == len(found["matches"]) > 1


def test_a_country_gets_only_its_partners(run):
    found = run("match", "--country", "JP", *DAY, "--format", "json").json
    assert {m["partner"]["country"] for m in found["matches"]} == {"JP"}


@pytest.mark.parametrize(
    "words",
    [["--filter", "country=JP", "kind=company"], ["--filter", "country=JP kind=company"],
     ["--filter", "country=jp", "--filter", "kind=company"]],
)  # fmt: skip
def test_filters_may_be_written_in_several_ways(run, words):
    found = run("match", "--project", PORT, "--n", "50", *DAY, "--format", "json", *words).json
    assert found["matches"]
    assert {(m["partner"]["country"], m["partner"]["kind"]) for m in found["matches"]} == {("JP", "company")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--project", "HCMC-34"], "HCMC-034"),
        (["--project", "Cần Giờ"], "HCMC-034"),
        (["--partner", "nobody"], "There is no partner"),
        (["--mission", "tokyo"], "jp-tokyo-embassy"),
        (["--country", "JAPAN"], "JP"),
        (["--text", " \n "], "empty"),
        (["--text", "x" * 20_001], "20,001"),
        (["--project", PORT, "--filter", "sectr=E"], "did you mean sector"),
        (["--project", PORT, "--filter", "sector=nonsense"], "nonsense"),
        (["--project", PORT, "--filter", "country=ZZ"], "ZZ"),
        (["--project", PORT, "--filter", "kind=banks"], "bank"),
        (["--project", PORT, "--filter", "ticket_usd=a lot"], "a lot"),
        (["--project", PORT, "--filter", "green=perhaps"], "true or false"),
        (["--project", PORT, "--filter", "country"], "FIELD=VALUE"),
    ],
)
def test_a_refusal_says_what_is_nearby(run, words, said):
    done = run("match", *words, *DAY)
    assert done.code == 1
    assert done.out == ""
    assert said in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "words",
    [[], ["--project", PORT, "--text", "port"], ["--project", PORT, "--n", "0"], ["--project", PORT, "--format", "pdf"],
     ["--project", PORT, "--as-of", "yesterday"], ["--project", PORT, "country=JP"],
     ["--project", PORT, "--format", "xlsx"]],
)  # fmt: skip
def test_wrong_usage_is_exit_code_2(run, words):
    assert run("match", *words).code == 2


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_table_shows_reasons_day_engine_and_candidates(run, lang):
    out = run("match", "--project", PORT, "--n", "5", *DAY, "--lang", lang).out
    engine = run("match", "--project", PORT, "--n", "1", *DAY, "--format", "json").json["engine"]
    assert "▲" in out
    assert engine in out
    assert ("01/11/2026" if lang == "vi" else "2026-11-01") in out
    assert ("hồ sơ" if lang == "vi" else "candidates") in out
    assert ("Cảng trung chuyển" if lang == "vi" else "Transshipment Port") in out


@pytest.mark.parametrize("width", [80, 120])
def test_table_fits_the_terminal(run, width):
    out = run("match", "--project", PORT, "--n", "5", *DAY, COLUMNS=str(width)).out
    assert max(map(len, out.splitlines())) <= width


def test_csv_and_xlsx_have_the_rows_of_the_list(run, tmp_path):
    found = run("match", "--project", PORT, "--n", "4", *DAY, "--format", "json").json
    run("match", "--project", PORT, "--n", "4", *DAY, "--out", str(tmp_path / "m.csv"))
    run("match", "--project", PORT, "--n", "4", *DAY, "--out", str(tmp_path / "m.xlsx"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "m.csv").read_text(encoding="utf-8"))))
    assert list(rows[0]) == list(COLUMNS)
    assert [r["partner_id"] for r in rows] == [m["partner"]["id"] for m in found["matches"]]
    book = fastexcel.read_excel(tmp_path / "m.xlsx")
    sheet = book.load_sheet(0).to_polars()
    assert sheet["partner_id"].to_list() == [r["partner_id"] for r in rows]
    about = book.load_sheet(1, header_row=None).to_polars()
    assert found["engine"] in about["__UNNAMED__1"].to_list()


def test_stdout_csv_equals_the_file(run, tmp_path):
    run("match", "--project", PORT, *DAY, "--out", str(tmp_path / "m.csv"))
    out = run("match", "--project", PORT, *DAY, "--format", "csv").out
    assert out == (tmp_path / "m.csv").read_text(encoding="utf-8")


def test_out_into_a_missing_folder_is_refused(run, tmp_path):
    done = run("match", "--project", PORT, *DAY, "--out", str(tmp_path / "no" / "m.csv"))
    assert done.code == 1
    assert "no such file" in done.err


def test_explain_shows_both_sides_and_the_next_candidate(run, partner):
    told = run("explain", "--project", PORT, "--partner", partner, *DAY, "--format", "json").json
    assert told["match"]["partner"]["id"] == partner
    assert told["match"]["rank"] == 1
    assert told["next"]["rank"] == 2
    assert told["contrast"]
    out = run("explain", "--project", PORT, "--partner", partner, *DAY, "--lang", "en").out
    assert "█" in out
    assert "Compared with the next" in out
    assert "What the city looks for" in out
    assert told["sentence"]["en"] in " ".join(out.split())
    assert told["next"]["partner"]["name"].split()[0] in out


def test_explain_of_an_unknown_pair_is_refused(run, partner):
    done = run("explain", "--project", "HCMC-O34", "--partner", partner)
    assert done.code == 1
    assert "HCMC-034" in done.err


def test_demo_prints_three_projects_one_mission_and_the_way_on(run):
    out = run("demo", "--lang", "en").out
    assert out.count("Partners for the project") == 3
    assert "Embassy of Viet Nam in Japan" in out
    assert re.search(r"matcher explain --project HCMC-\d+ --partner \S+", out)


def _list(name: str) -> MatchList:
    match = Match(
        rank=1, project_id="p", project_name={"vi": None, "en": "=1+1"}, partner_id="q", partner_name=name,
        partner_country="JP", partner_kind="company", score=1.0, probability=None, abstained={"vi": "ít", "en": "few"},
        evidence=(), engine="e", as_of=date(2026, 1, 2),
    )  # fmt: skip
    return MatchList(
        query=Query(project_id="p"), filters=Filters(country=("JP",)), engine="e", as_of=date(2026, 1, 2),
        matches=(match,), candidates=1, coverage={"country": 1.0},
    )  # fmt: skip


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "+1", "-2", "@SUM(A1)", "\tx"])
def test_no_cell_runs_as_a_formula(name, tmp_path):
    frame = pl.DataFrame({"name": [name, "Sojitz"], "score": [-1.0, 2.0]})
    rows = list(csv.DictReader(io.StringIO(to_csv(frame))))
    assert [r["name"] for r in rows] == ["'" + name, "Sojitz"]
    assert rows[0]["score"] == "-1.0"
    (tmp_path / "m.xlsx").write_bytes(to_xlsx(_list(name), "en", "asked"))
    sheet = fastexcel.read_excel(tmp_path / "m.xlsx").load_sheet(0).to_polars()
    assert sheet["partner_name"][0] == name  # as text: a formula would read as its value, 0


def test_brackets_in_a_name_are_no_markup():
    assert "[red]Acme[/red]" in as_text(match_list(_list("[red]Acme[/red]"), "en", "asked"))


def test_json_of_a_list_without_matches_is_valid(run):
    found = run("match", "--project", PORT, "--filter", "country=AQ", *DAY, "--format", "json")
    assert found.code == 0
    assert json.loads(found.out)["matches"] == []


def test_any_two_partners_are_compared(run, partner):
    words = ("explain", "--project", PORT, "--partner", partner, *DAY)
    ranked = run("match", "--project", PORT, "--n", "5", *DAY, "--format", "json").json["matches"]
    other = ranked[4]["partner"]["id"]
    told = run(*words, "--against", other, "--format", "json").json
    assert (told["next"], told["against"]["partner"]["id"], told["against"]["rank"]) == (None, other, 5)
    lead = told["match"]["score"] - told["against"]["score"]
    assert sum(d["difference"] for d in told["contrast"]) == pytest.approx(lead, abs=1e-5)  # printed to six digits
    out = run(*words, "--against", other, "--lang", "vi").out
    assert f"So với {ranked[4]['partner']['name']}" in " ".join(out.split())
    assert run(*words, "--against", partner).code == 1
    assert run(*words, "--against", "nobody").code == 1


def test_a_list_says_what_the_city_looks_for_and_why_the_first_is_ahead(run):
    found = run("match", "--project", PORT, "--n", "3", *DAY, "--format", "json", "--lang", "en").json
    out = " ".join(run("match", "--project", PORT, "--n", "3", *DAY, "--lang", "en").out.split())
    assert found["ahead"] in out
    assert "What the city looks for" in out
    for match in found["matches"]:
        city = match["city"]
        assert city["of"] == len(city["criteria"]) == 5  # a strategic investor is asked for equity too
        assert city["gate"]["state"] == "not_screened"
        assert all(c["rule"]["source"] and c["rule"]["on"] for c in city["criteria"])


def test_a_list_is_ordered_by_both_sides(run):
    by_partner = run("match", "--project", PORT, "--n", "50", *DAY, "--format", "json").json
    both = run("match", "--project", PORT, "--n", "50", "--sort", "both", *DAY, "--format", "json", "--lang", "en").json
    assert both["query"]["sort"] == "both"
    assert "both" not in by_partner["query"]
    ids = [[m["partner"]["id"] for m in found["matches"]] for found in (by_partner, both)]
    assert ids[0] != ids[1]
    assert sorted(ids[0]) == sorted(ids[1])
    assert both["notes"][0].startswith("The first 50")
    assert run("match", "--project", PORT, "--sort", "city").code == 2
