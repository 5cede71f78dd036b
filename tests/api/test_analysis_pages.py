"""The analyst's pages over a real database: figures that follow what is kept, shown, judged and fitted."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import invented_report as invented
import psycopg
import pytest
from offices import JP, KR, PORT, WATER, Offices, StoredMatchmaker

from api.language import read_catalogue
from api.pages import analysis_counts, analysis_views
from api.pages.analysis_views import Line, Values, chart, kept_reports
from evaluation import kept
from evaluation.results import Report
from matcher.errors import SourceError
from matcher.records import TABLES
from matcher.store import Store

PAGES = ("/analysis", "/analysis/engines", "/analysis/drift", "/analysis/exposures", "/analysis/judgments")
HTML = {"accept": "text/html"}
NEWER: dict[str, Any] = {
    "engine": "e-new", "as_of": "2026-11-01", "in_use": True, "recorded_at": "2026-11-02T08:00:00+00:00",
    "features": ["sector", "host"], "seed": 1, "ranker_note": "linear", "counts": {"labels": 40},
    "metrics": {"chosen": {"RR": [0.3, 0.2, 0.4], "nDCG@10": [0.25, 0.2, 0.3]}},
}  # fmt: skip
OLDER: dict[str, Any] = {
    **NEWER, "engine": "e-old", "as_of": "2026-06-01", "in_use": False, "recorded_at": "2026-06-02T08:00:00+00:00",
    "features": ["sector", "gone"], "seed": 0, "metrics": {"chosen": {"nDCG@10": [0.1234, 0.1, 0.15]}},
}  # fmt: skip


@dataclass
class Seen(HTMLParser):
    """Elements, attributes and text of a page, headings in order; fails on an element that is not closed in order."""

    text_: list[str] = field(default_factory=list)
    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input", "br", "img", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text_.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.text_).split())

    def links(self) -> list[str]:
        return [str(a["href"]) for t, a in self.elements if t == "a"]


def page(offices: Offices, path: str, login: str = "figures", status: int = 200) -> Seen:
    """A page that keeps to the security policy and is well formed."""
    answer = offices.get(login, path, headers=HTML)
    assert answer.status_code == status, answer.text[:500]
    seen = Seen()
    seen.feed(answer.text)
    assert seen.open == []
    for tag, attributes in seen.elements:
        assert tag != "style"
        assert not [n for n in attributes if n == "style" or n.startswith("on")], (tag, attributes)
    ids = [a["id"] for _, a in seen.elements if a.get("id")]
    assert len(ids) == len(set(ids))
    levels = [int(t[1]) for t, _ in seen.elements if re.fullmatch("h[1-6]", t)]
    assert levels[:1] == [1]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels)), levels
    return seen


@pytest.fixture
def folder(offices: Offices, tmp_path: Path) -> Path:
    """Where the service looks for reports; empty."""
    offices.client.app.state.evaluation = tmp_path  # type: ignore[attr-defined]
    return tmp_path


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The engines on record: a newer one in use and an older one; a test may change the list."""
    known = [dict(NEWER), dict(OLDER)]
    monkeypatch.setattr(StoredMatchmaker, "engines", lambda _: list(known))
    return known


def reported(**changes: Any) -> Report:
    """Two sets of the invented evaluation."""
    return replace(invented.report(), datasets=(invented.result("cgit", 0), invented.result("land", 1)), **changes)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_page_stands_before_anything_was_kept_shown_or_judged(offices: Offices, path: str, lang: str) -> None:
    page(offices, f"{path}?lang={lang}")


def test_without_a_report_the_command_that_makes_one_is_told(offices: Offices, folder: Path) -> None:
    assert "python -m evaluation product --keep product" in page(offices, "/analysis").text
    kept.write(reported(), folder, "first")
    assert "--keep product" not in page(offices, "/analysis").text


def test_the_engine_stands_beside_the_report_before_and_the_best_simple_way(offices: Offices, folder: Path) -> None:
    older = reported(made_on="2026-10-01")
    engine = older.datasets[0].runs[-1]
    figures = {s: {m: replace(f, mean=0.111) for m, f in of.items()} for s, of in engine.figures.items()}
    result = replace(older.datasets[0], runs=(*older.datasets[0].runs[:-1], replace(engine, figures=figures)))
    kept.write(replace(older, datasets=(result,)), folder, "october")
    kept.write(reported(made_on="2026-11-20"), folder, "november")
    seen = page(offices, "/analysis")
    rows = seen.text.split("China Global Investment Tracker")
    places = [rows[1].index(told) for told in ("0,423", "0,111", "0,401")]  # now, before, the best of the others
    assert places == sorted(places)
    assert "Hồi quy logistic" in rows[1]
    assert "0,111" not in seen.text.split("Land Matrix")[1].split("Khi học")[0]  # not in the report before
    assert {"/analysis/reports/november", "/analysis/reports/october"} <= set(seen.links())


def test_a_rival_that_was_never_tested_is_not_called_beaten(offices: Offices, folder: Path) -> None:
    one = invented.result("cgit", 0)
    tested = tuple(c for c in one.comparisons if c.second == "random")
    kept.write(replace(reported(), datasets=(replace(one, comparisons=tested),)), folder, "x")
    text = page(offices, "/analysis?lang=en").text
    row = text.split("China Global Investment Tracker")[1].split("Data sets")[0]
    assert "Not tested" in row
    assert "Logistic regression" in row


def test_a_kept_report_is_a_page_with_all_its_parts_and_says_how_it_was_made(offices: Offices, folder: Path) -> None:
    kept.write(reported(), folder, "all")
    for lang, said in (("vi", "Bằng lời"), ("en", "In words")):
        seen = page(offices, f"/analysis/reports/all?lang={lang}")
        assert "python -m evaluation benchmark" in seen.text
        anchors = {link[1:] for link in seen.links() if link.startswith("#")}
        assert anchors <= {a["id"] for _, a in seen.elements if "id" in a}
        drawings = [a for t, a in seen.elements if t == "div" and a.get("role") == "img"]
        assert len(drawings) > 10
        assert all(a.get("aria-label") for a in drawings)
        assert sum(said in t for t in seen.text_) == len(drawings)


def test_what_is_no_report_is_told_and_does_not_hide_the_others(offices: Offices, folder: Path) -> None:
    kept.write(reported(), folder, "good")
    (folder / "odd.json").write_text(json.dumps({"datasets": [], "title": 3}))
    seen = page(offices, "/analysis?lang=en")
    assert "odd.json is no report of this program" in seen.text
    assert "/analysis/reports/good?lang=en" in seen.links()
    page(offices, "/analysis/reports/odd", status=503)
    assert "good" in page(offices, "/analysis/reports/nothing", status=404).text
    page(offices, "/analysis/reports/..%2Fodd", status=404)


def test_a_report_that_is_kept_again_is_shown_anew(folder: Path, offices: Offices) -> None:
    kept.write(reported(title="Erste"), folder, "x")
    assert "Erste" in page(offices, "/analysis/reports/x").text
    kept.write(reported(title="Zweite und neue"), folder, "x")
    assert "Zweite und neue" in page(offices, "/analysis/reports/x").text


def test_a_hostile_report_stays_text(offices: Offices, folder: Path) -> None:
    bad = "<script>alert(1)</script>"
    one = invented.result("cgit", 0)
    hostile = replace(one, name=bad, about={**one.about, "title": bad}, warnings=(bad,))
    kept.write(reported(title=bad, made_on=bad), folder, "x")
    kept.write(replace(reported(), datasets=(hostile,), configuration={"command": bad, bad: bad}), folder, "y")
    for path in ("/analysis", "/analysis/reports/x", "/analysis/reports/y"):
        assert bad not in offices.get("figures", path, headers=HTML).text
        page(offices, path)


def test_missions_do_not_see_the_evaluation(offices: Offices) -> None:
    for path in (*PAGES, "/analysis/reports/x"):
        assert offices.get("tokyo.desk", path, headers=HTML).status_code == 403
        assert offices.get("city.office", path, headers=HTML).status_code in (200, 404)


# Engines.


def test_two_engines_are_compared_in_measures_and_manifest(offices: Offices, engines: Any) -> None:
    seen = page(offices, "/analysis/engines?first=e-old&second=e-new")
    assert "0,250" in seen.text
    assert "0,123" in seen.text
    for told in ("host", "gone", "01/06/2026", "01/11/2026"):
        assert told in seen.text
    assert "100%" in seen.text  # the small world does not change its mind
    text = page(offices, "/analysis/engines").text
    assert "So sánh" in text
    assert "Khác nhau ở đâu" not in text


def test_lists_that_differ_are_told_with_who_came_and_who_left(
    offices: Offices, engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    @dataclass
    class Turned:
        world: Any
        engine: str

        def match(self, query: Any, *, n: int, offset: int, filters: Any) -> Any:
            asked.append(self.engine)
            found = self.world.match(query, n=n, filters=filters)
            cut = found.matches[1:] if self.engine == "e-new" else found.matches[:-1]
            return replace(found, matches=tuple(cut))

    monkeypatch.setattr(StoredMatchmaker, "past", lambda self, engine, **_: Turned(self, engine))
    seen = page(offices, "/analysis/engines?first=e-old&second=e-new")
    assert "100%" not in seen.text
    assert f"/projects/{PORT}" in seen.links()
    once = len(asked)
    assert once >= 2
    page(offices, "/analysis/engines?first=e-old&second=e-new")
    assert len(asked) == once  # the same pair, facts and day: made once
    page(offices, "/analysis/engines?first=e-new&second=e-old")
    assert len(asked) == 2 * once


def test_an_engine_that_cannot_be_opened_leaves_the_rest_of_the_comparison(
    offices: Offices, engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Any, engine: str, **_: Any) -> None:
        raise SourceError(f'The engine "{engine}" is gone')

    monkeypatch.setattr(StoredMatchmaker, "past", gone)
    text = page(offices, "/analysis/engines?first=e-old&second=e-new").text
    assert 'The engine "e-old" is gone' in text
    assert "Khác nhau ở đâu" in text


def test_while_one_comparison_is_made_another_is_told_to_come_back() -> None:
    memory = analysis_counts.Memory()
    memory.of("ready", lambda: 1)

    def meanwhile() -> int:
        assert memory.of("ready", lambda: 2, wait=False) == 1
        with pytest.raises(SourceError, match="in a few seconds"):
            memory.of("other", lambda: 3, wait=False)
        return 4

    assert memory.of("slow", meanwhile) == 4
    assert memory.of("slow", lambda: 5, wait=False) == 4
    with pytest.raises(ZeroDivisionError):
        memory.of("broken", lambda: 1 // 0)
    assert memory.of("broken", lambda: 6, wait=False) == 6
    for i in range(2 * analysis_counts.KEPT):
        memory.of(i, lambda: True)
    assert memory.of("slow", lambda: 7) == 7


def test_engines_that_are_unknown_or_the_same_are_refused_with_a_way_out(offices: Offices, engines: Any) -> None:
    assert "e-new" in page(offices, "/analysis/engines?first=nope&second=e-new", status=404).text
    assert "hai phiên bản khác nhau" in page(offices, "/analysis/engines?first=e-new&second=e-new").text
    engines.pop()
    assert "Mới có một phiên bản" in page(offices, "/analysis/engines").text
    engines.clear()
    assert "matcher fit" in page(offices, "/analysis/engines").text
    assert "matcher fit" in page(offices, "/analysis").text
    assert "matcher fit" in page(offices, "/analysis/drift").text


# Drift.


def test_rows_that_came_after_the_fit_are_counted(offices: Offices, engines: Any) -> None:
    engines[0]["recorded_at"] = "2099-01-01T00:00:00+00:00"
    assert "Không có bản ghi nào mới" in page(offices, "/analysis/drift").text
    engines[0]["recorded_at"] = "2020-01-01T00:00:00+00:00"
    text = page(offices, "/analysis/drift").text
    with Store.open(offices.url) as store:
        for table, name in (("projects", "các dự án"), ("partners", "các đối tác")):
            assert re.search(rf"{name} Mới ?: {store.read(table).height} ", text), table


def test_without_the_time_of_the_fit_drift_is_unknown(offices: Offices) -> None:
    assert "Chưa rõ fake-1 được huấn luyện lúc nào" in page(offices, "/analysis/drift").text


def test_the_index_waits_until_the_periods_are_apart_and_have_lists(offices: Offices, engines: Any) -> None:
    offices.get("city.office", f"/v1/projects/{PORT}/matches")
    engines[0]["recorded_at"] = f"{_today(offices)}T00:00:00+00:00"
    text = page(offices, "/analysis/drift").text
    assert "Chưa đủ thời gian" in text
    assert text.count("ít thay đổi") == 1  # in the help alone
    engines[0]["recorded_at"] = "2020-01-01T00:00:00+00:00"
    assert "Quá ít danh sách" in page(offices, "/analysis/drift").text


def test_the_index_is_told_with_its_band_when_there_are_lists_enough(offices: Offices, engines: Any) -> None:
    engines[0]["recorded_at"] = "2020-01-01T00:00:00+00:00"
    for project in (PORT, WATER):
        offices.get("city.office", f"/v1/projects/{project}/matches")
    with psycopg.connect(offices.url) as connection:  # thirty lists of one partner after the fit, thirty of another now
        for day, partner in (("2020-01-05", JP), ("now", KR)):
            for _ in range(30):
                connection.execute(
                    'WITH made AS (INSERT INTO exposure (engine_id, as_of, revision, query, filters, n, "offset",'
                    " n_items, candidates, channel, lang, actor, shown_at) VALUES ('e', '2020-01-01', 1,"
                    " '{\"project\": \"p\"}', '{}', 10, 0, 1, 4, 'page', 'vi', 'u1', %s) RETURNING exposure_id)"
                    " INSERT INTO exposure_item (exposure_id, rank, project_id, partner_id, score, probability)"
                    " SELECT exposure_id, 1, 'p', %s, 1, 0.03 FROM made",
                    [day, partner],
                )
    text = page(offices, "/analysis/drift").text
    assert "thay đổi nhiều" in text
    assert re.search(r"Hàn Quốc\s0%\s→\s80%", text)
    assert "0,0300 →" in text


# Exposures and judgments.


def _today(offices: Offices) -> date:
    with psycopg.connect(offices.url) as connection:
        return connection.execute("SELECT (now() AT TIME ZONE 'UTC')::date").fetchone()[0]  # type: ignore[index,no-any-return]


def test_lists_that_were_shown_are_audited(offices: Offices) -> None:
    assert "Chưa có danh sách nào được xem" in page(offices, "/analysis/exposures").text
    for login in ("tokyo.desk", "city.office"):
        offices.get(login, f"/v1/projects/{PORT}/matches")
    offices.get("city.office", f"/v1/partners/{JP}/matches")
    seen = page(offices, "/analysis/exposures")
    assert "3 danh sách" in seen.text
    assert "2 danh sách có nhiều đối tác cạnh tranh" in seen.text
    assert f"/partners/{JP}" in seen.links()
    own = page(offices, "/analysis/exposures", login="city.office").text
    assert "2 danh sách" in own
    assert "phần của cơ quan mình" in own
    for days in ("0", "367", "x"):
        assert offices.get("figures", f"/analysis/exposures?days={days}", headers=HTML).status_code == 422
    page(offices, "/analysis/exposures?days=14&lang=en")


def test_judgments_agreement_and_disputes(offices: Offices) -> None:
    assert "Chưa ai chấm cặp nào" in page(offices, "/analysis/judgments").text
    offices.get("city.office", f"/v1/projects/{PORT}/matches")
    for login, grade in (("city.office", 0), ("tokyo.desk", 0)):
        pair = {"project_id": PORT, "partner_id": JP, "grade": grade, "reason": "<b>no</b>"}
        assert offices.post(login, "/v1/judgments", pair).status_code == 201
    seen = page(offices, "/analysis/judgments")
    assert "1 cặp được hai người trở lên chấm; cần 10" in seen.text
    disputed = seen.text.split("người dùng thấy không phù hợp")[1].split("Người dùng thấy phù hợp nhất")[0]
    assert "Không có cặp nào" not in disputed
    assert f"/projects/{PORT}/partners/{JP}" in seen.links()
    assert "<b>no</b>" in seen.text  # as text, not as an element
    assert "2" in page(offices, "/analysis").text


def test_agreement_is_told_when_enough_pairs_have_two_judges(offices: Offices) -> None:
    with Store.open(offices.url) as store:
        some = store.read("partners").select("partner_id")["partner_id"].to_list()
        project = store.read("projects")
        more = project.head(1).to_dicts()[0]
        rows = [{**more, "project_id": f"T-{i}"} for i in range(12)]
        store.append("projects", type(project)(rows, schema=TABLES["projects"].columns), source="s", actor="t")
    for i in range(12):
        for login in ("city.office", "tokyo.desk"):
            pair = {"project_id": f"T-{i}", "partner_id": some[0], "grade": i % 4}
            assert offices.post(login, "/v1/judgments", pair).status_code == 201
    text = page(offices, "/analysis/judgments?lang=en").text
    assert "1.00 agreement (alpha)" in text
    assert "1.00–1.00" in text


# Drawings.


def lines(*values: dict[str, tuple[float, float, float]]) -> Sequence[tuple[Line, Values]]:
    return [(Line(heading="", name=str(i)), v) for i, v in enumerate(values)]


def test_values_share_one_scale_and_keep_their_order() -> None:
    made = chart(lines({"now": (0.3, 0.2, 0.39), "rival": (0.1, 0.0, 0.2)}, {"now": (0.05, 0.0, 0.1)}))
    assert made.top == 0.4
    assert made.kinds == ("now", "rival")
    first, second = made.lines
    assert first.dots["rival"].x < first.dots["now"].x
    assert second.dots["now"].x < first.dots["rival"].x
    dot = first.dots["now"]
    assert dot.x1 is not None
    assert dot.x2 is not None
    assert dot.x1 < dot.x < dot.x2 <= analysis_views.WIDTH
    assert [round(v, 2) for v, _ in made.ticks] == [0.0, 0.1, 0.2, 0.3, 0.4]


def test_a_value_that_does_not_exist_is_not_drawn() -> None:
    nothing = float("nan")
    (line,) = chart(lines({"now": (nothing, nothing, nothing), "before": (0.2, nothing, nothing)})).lines
    assert set(line.dots) == {"before"}
    assert line.dots["before"].x1 is None


def test_reports_are_read_once_while_they_stay_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.write(reported(), tmp_path, "x")
    (first,) = kept_reports(tmp_path)
    monkeypatch.setattr(kept, "read", lambda *_: pytest.fail("read again"))
    assert kept_reports(tmp_path)[0] is first
    assert kept_reports(None) == kept_reports(tmp_path / "missing") == []


def test_every_name_of_the_pages_has_an_english_one() -> None:
    catalogue = read_catalogue("en")
    tables = (
        analysis_views.TABLE_NAMES, analysis_views.FIELD_NAMES, analysis_views.DIFFERENCE_NAMES,
        analysis_views.COUNT_NAMES, analysis_views.CHANNEL_NAMES, analysis_views.LANGUAGE_NAMES,
        analysis_views.SHIFT_NAMES,
    )  # fmt: skip
    same = {text for table in tables for text in table.values() if catalogue.gettext(text) == text}
    assert same == set()
    for table, fields in analysis_views.FIELDS.items():
        assert set(fields) <= set(TABLES[table].columns)
        assert set(fields) <= set(analysis_views.FIELD_NAMES)
    assert set(analysis_views.TABLE_NAMES) <= set(TABLES)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Another test's database may have the same identifiers."""
    yield
    analysis_counts._kept.clear()
