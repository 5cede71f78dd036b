"""Missions, countries and partners as pages: what is shown to whom, what changed, search by name and by meaning."""

import csv
import re
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from fake_desk import FakeDesk
from fake_matchmaker import FakeMatchmaker
from offices import AE, JP, PORT, TOKYO, UAE, WATER, Offices
from starlette.testclient import TestClient

from api.pages import geography, treaties
from api.pages.changing import DAYS_BACK, day_asked
from api.pages.countries import embassies_first
from matcher.records import Query

HTML = {"accept": "text/html"}
PAGES = [
    "/missions",
    f"/missions/{TOKYO}",
    "/countries",
    "/countries/JP",
    "/partners",
    "/partners?q=water",
    f"/partners/{JP}",
]


def shown(client: TestClient, path: str, status: int = 200) -> str:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    return answer.text


def seen(offices: Offices, login: str, path: str, status: int = 200) -> str:
    answer = offices.get(login, path, headers=HTML)
    assert answer.status_code == status, answer.text
    return answer.text


def section(text: str, name: str) -> str:
    """The part of a page under the heading with this id."""
    found = re.search(rf'<section[^>]*aria-labelledby="{name}">(.*?)</section>', text, re.DOTALL)
    return found[1] if found else ""


def tomorrow() -> str:
    """A day after everything that a test wrote; the database tells days in UTC."""
    return "2999-01-01"


# Missions


def test_missions_are_marked_on_the_map_and_countries_lead_to_their_page(client: TestClient) -> None:
    text = shown(client, "/missions")
    assert text.count('class="mark"') >= 2, "Tokyo lies among the seats, and the legend"
    assert 'href="/missions/id-jakarta" tabindex="-1"' in text
    assert 'href="/countries/PG"' in text
    assert "world.svg" in text
    assert "Không có cơ quan nào khớp" in shown(client, "/missions?q=zzz")


def test_home_counts_partners_and_shades_what_the_mission_covers(client: TestClient) -> None:
    text = shown(client, f"/missions/{TOKYO}")
    assert re.search(r'class="value">1</span>', text), "one partner in Japan, none in Papua New Guinea"
    assert re.search(r'#JP" class="shade-5"', text)
    assert re.search(r'#PG" class="shade-0"', text)
    assert 'href="/partners?country=JP"' in text


@pytest.mark.parametrize(
    ("login", "told"),
    [("tokyo.desk", True), ("uae.desk", False), ("city.office", True), ("figures", True), ("keeper", True)],
)
def test_changes_are_told_to_the_mission_and_to_those_who_work_for_all(
    offices: Offices, login: str, told: bool
) -> None:
    text = seen(offices, login, f"/missions/{TOKYO}")
    assert ('id="changes"' in text) == told
    assert ('name="since"' in text) == told


def test_own_work_stands_on_the_own_home_only(offices: Offices) -> None:
    assert "việc đang chờ" in seen(offices, "tokyo.desk", f"/missions/{TOKYO}")
    for login, mission in (("tokyo.desk", UAE), ("city.office", TOKYO), ("figures", TOKYO)):
        assert "việc đang chờ" not in seen(offices, login, f"/missions/{mission}")


def test_the_first_visit_names_the_first_useful_thing_to_do(offices: Offices) -> None:
    text = seen(offices, "tokyo.desk", f"/missions/{TOKYO}")
    assert "Việc đầu tiên có ích" in text
    made = offices.post("tokyo.desk", "/v1/assignments", {"partner_id": JP, "stage": "prospect", "status": "active"})
    assert made.status_code == 201, made.text
    text = seen(offices, "tokyo.desk", f"/missions/{TOKYO}")
    assert "Việc đầu tiên có ích" not in text
    assert re.search(r'class="n">1</span> xác định', text)
    assert re.search(r'class="n">0</span> tiềm năng', text)


def test_nothing_is_compared_before_a_list_was_shown_and_then_nothing_changed(offices: Offices) -> None:
    before = section(seen(offices, "tokyo.desk", f"/missions/{TOKYO}?since=2026-01-01"), "changes")
    assert "chưa so sánh được" in before
    after = section(seen(offices, "tokyo.desk", f"/missions/{TOKYO}?since={tomorrow()}"), "changes")
    assert "Không có gì thay đổi" in after
    assert "Vì sao danh sách" not in after


def test_a_pair_that_is_new_since_then_is_told_with_the_reason(offices: Offices) -> None:
    seen(offices, "tokyo.desk", f"/missions/{TOKYO}")
    project = {
        "name_vi": "Nhà máy nước mới", "status": "calling", "sector": "water_wastewater", "isic": ["37"],
        "source": "tests", "source_on": "2026-11-01",
    }  # fmt: skip
    made = offices.post("city.office", "/v1/projects", project)
    assert made.status_code == 201, made.text
    new_id = made.json()["id"]
    text = seen(offices, "tokyo.desk", f"/missions/{TOKYO}?since={tomorrow()}")
    told = section(text, "changes")
    assert f'href="/projects/{new_id}/partners/{JP}"' in told
    assert "Nhà máy nước mới – Nippon Water" in told
    assert re.search(r"●</span>mới", told)
    assert "Dữ liệu về dự án hoặc đối tác đã được bổ sung hay sửa." in told
    assert "Mô hình xếp hạng đã được thay" not in told
    assert re.search(r'class="value">[1-9]\d*</span><span class="label"><a href="#changes">', text)


def test_a_day_may_be_typed_either_way_and_what_is_no_day_is_said(offices: Offices) -> None:
    as_of = date(2026, 11, 1)
    assert day_asked("05/10/2026", as_of) == (date(2026, 10, 5), None)
    assert day_asked("2026-10-05", as_of) == (date(2026, 10, 5), None)
    assert day_asked("  ", as_of) == (as_of - timedelta(days=DAYS_BACK), None)
    assert day_asked("31/02/2026", as_of) == (as_of - timedelta(days=DAYS_BACK), "31/02/2026")
    text = seen(offices, "tokyo.desk", f"/missions/{TOKYO}?since=<b>soon")
    assert "“&lt;b&gt;soon” không phải là ngày" in text
    assert 'aria-invalid="true"' in text


@pytest.mark.parametrize("path", [f"/missions/{TOKYO}", "/countries/JP", f"/partners/{JP}", "/partners?q=water"])
def test_a_page_with_a_list_is_one_list_on_record(client: TestClient, desk: FakeDesk, path: str) -> None:
    answer = client.get(path, headers=HTML)
    assert answer.headers["x-exposure-id"] == "1"
    assert len(desk.lists) == 1


@pytest.mark.parametrize("path", ["/missions", "/countries", "/partners"])
def test_a_page_without_a_list_is_not_on_record(client: TestClient, desk: FakeDesk, path: str) -> None:
    shown(client, path)
    assert desk.lists == []


# Countries


def test_countries_count_partners_missions_and_name_what_is_unknown(client: TestClient) -> None:
    text = shown(client, "/countries")
    assert "5 đối tác đã có hồ sơ, ở 4 nước" in text
    assert "Chưa rõ trụ sở của 1 đối tác" in text
    assert "1 nước chưa có hồ sơ đối tác" in text, "Papua New Guinea is covered but has no partner"
    assert 'href="/missions/id-jakarta"' in text
    found = shown(client, "/countries?q=nhat")
    assert "Nhật Bản" in found
    assert 'href="/countries/FR"' not in found
    assert "Không có nước nào khớp" in shown(client, "/countries?q=zzz")


def test_a_country_shows_ties_posts_and_its_pairs(client: TestClient, world: FakeMatchmaker) -> None:
    old = world.facts.reference.country_ties
    row = dict.fromkeys(old.columns) | {
        "country": "JP", "kind": "partnership", "level": "comprehensive_strategic", "status": "current",
        "in_force_on": date(2023, 11, 30), "in_force_precision": "month", "source": "https://example.org/tie",
    }  # fmt: skip
    fta = dict.fromkeys(old.columns) | {"country": "JP", "kind": "fta", "name": "CPTPP", "status": "in_force"}
    ended = dict.fromkeys(old.columns) | {
        "country": "JP",
        "kind": "partnership",
        "level": "strategic",
        "status": "superseded",
    }
    object.__setattr__(world.facts.reference, "country_ties", pl.DataFrame([ended, fta, row], schema=old.schema))
    text = shown(client, "/countries/jp")
    ties = section(text, "ties")
    assert ties.index("đối tác chiến lược toàn diện") < ties.index("CPTPP") < ties.index("đã được nâng cấp")
    assert "11/2023" in ties
    assert "Đại sứ quán Việt Nam tại Nhật Bản" in text
    assert "Nippon Water" in section(text, "pairs")
    assert "DP World" not in section(text, "pairs")
    listed = shown(client, "/countries")
    assert "đối tác chiến lược toàn diện" in listed
    assert "thương mại tự do" in listed
    assert "bảo hộ đầu tư" not in listed


def test_ties_are_told_by_kind_year_and_document_own_ones_before_those_through_a_bloc() -> None:
    empty = dict.fromkeys(("level", "name", "in_force_on", "in_force_precision", "signed_on", "ended_on"))
    rows = [
        empty | {"kind": "fta", "name": "EU–Viet Nam FTA (EVFTA)", "status": "in_force"},
        empty | {"kind": "partnership", "level": "eu_comprehensive_strategic", "status": "current"},
        empty | {"kind": "bit", "name": "France - Viet Nam BIT (1992)", "status": "in_force"},
        empty | {"kind": "visa", "name": "Unilateral visa exemption (44/NQ-CP)", "status": "in_force"},
        empty | {"kind": "fta", "name": "Something new", "status": "signed"},
        empty | {"kind": "partnership", "level": "strategic", "status": "superseded",
                 "in_force_on": date(2014, 3, 31), "in_force_precision": "month", "ended_on": date(2023, 11, 30)},
        empty | {"kind": "partnership", "level": "comprehensive", "status": "current",
                 "in_force_on": date(2023, 11, 30), "in_force_precision": "month"},
    ]  # fmt: skip
    ties = treaties.told(rows)
    assert [(t.kind, t.through) for t in ties] == [
        ("partnership", None), ("fta", None), ("bit", None), ("visa", None), ("partnership", "qua EU"),
        ("fta", "qua EU"), ("partnership", None),
    ]  # fmt: skip
    assert [t.title % t.values for t in ties][2:4] == [
        "Hiệp định khuyến khích và bảo hộ đầu tư (1992)",
        "Miễn thị thực đơn phương (44/NQ-CP)",
    ]
    assert (ties[1].name, ties[0].name) == ("Something new", None)
    assert (ties[-1].until, ties[-1].until_precision) == (date(2023, 11, 30), "month")
    assert treaties.level(rows) == ("comprehensive", True)
    assert treaties.level(rows[:2]) == (None, True), "that of the European Union is not its own"


def test_every_agreement_of_the_table_has_a_name_in_vietnamese() -> None:
    with (Path(__file__).parents[2] / "data" / "country_ties.csv").open(encoding="utf-8", newline="") as file:
        names = {row["name"] for row in csv.DictReader(file) if row["kind"] == "fta"}
    assert names <= set(treaties.AGREEMENTS)


def test_embassies_stand_before_consulates_and_posts_of_neighbours() -> None:
    posts = [
        {"id": "a", "type": "consulate_general", "country": "JP"}, {"id": "b", "type": "embassy", "country": "KR"},
        {"id": "c", "type": "permanent_mission", "country": "JP"}, {"id": "d", "type": "embassy", "country": "JP"},
    ]  # fmt: skip
    assert [m["id"] for m in embassies_first(posts, "JP")] == ["d", "a", "c", "b"]


def test_the_distance_is_that_of_the_capitals_as_evidence_has_it() -> None:
    places = {"VN": (21.0245, 105.8412), "JP": (35.6895, 139.6917), "FR": (48.8534, 2.3488), "XX": (None, None)}
    directory = SimpleNamespace(countries={c: {"lat": lat, "lon": lon} for c, (lat, lon) in places.items()})
    far = {c: geography.capitals_km(directory, c) for c in places}  # type: ignore[arg-type]
    assert far == {"VN": None, "JP": 3700, "FR": 9200, "XX": None}


def test_an_unknown_country_names_those_nearby_and_one_without_partners_the_first_step(client: TestClient) -> None:
    text = shown(client, "/countries/JPP", 404)
    assert '<a href="/countries/JP">Nhật Bản</a>' in text
    empty = shown(client, "/countries/PG")
    assert "Chưa có hồ sơ đối tác của nước này" in empty
    assert 'href="/imports"' in empty


# Partners


def test_names_are_found_with_and_without_diacritics_and_in_local_script(client: TestClient) -> None:
    for words in ("societe generale", "Société", "日本水道", "한국항만", "nippon WATER"):
        text = section(shown(client, f"/partners?q={words}"), "named")
        assert "1 đối tác." in text, words
    assert 'lang="ja">日本水道株式会社' in section(shown(client, "/partners?q=nippon"), "named")


def test_a_search_by_meaning_asks_the_engine_with_the_filters(
    client: TestClient, world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    match = FakeMatchmaker.match

    def spy(self: FakeMatchmaker, query: Query, **more: object) -> object:
        asked.append((query, more["filters"]))
        return match(self, query, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(FakeMatchmaker, "match", spy)
    text = shown(client, "/partners?q=c%E1%BA%A3ng+container&country=AE&kind=company")
    ((query, filters),) = asked
    assert query.text == "cảng container"
    assert (filters.country, filters.kind) == (("AE",), ("company",))
    alike = section(text, "alike")
    assert "DP World" in alike
    assert "Nippon" not in alike
    assert "Không có tên nào khớp" in section(text, "named")


def test_filters_pages_and_order_of_partners(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.pages import partners

    text = section(shown(client, "/partners"), "named")
    names = re.findall(r'rowheader"><a href="/partners/(\w+)"', text)
    assert names == ["Pkr", AE, JP, "Pfr", "Px"], "by name"
    assert 'id="alike"' not in shown(client, "/partners?kind=fund")
    assert "1 đối tác." in shown(client, "/partners?kind=fund")
    of_water = section(shown(client, "/partners?sector=water_wastewater"), "named")
    assert JP in of_water
    assert AE not in of_water
    assert "Không có đối tác nào qua bộ lọc" in shown(client, "/partners?kind=fund&country=JP")
    monkeypatch.setattr(partners, "SHOWN", 2)
    second = shown(client, "/partners?page=2&lang=en")
    assert "page 2 of 3" in second
    assert re.findall(r'rowheader"><a href="/partners/(\w+)', second) == [JP, "Pfr"]
    assert "lang=en" in re.findall(r'<nav class="pager".*?href="([^"]+)"', second, re.DOTALL)[0]
    assert client.get("/partners?page=0", headers=HTML).status_code == 422
    assert client.get("/partners?country=Nowhere", headers=HTML).status_code == 422


def test_an_engine_that_is_missing_leaves_the_names(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from matcher.errors import SourceError

    def no_engine(*_: object, **__: object) -> object:
        raise SourceError("No engine is there.")

    monkeypatch.setattr(FakeMatchmaker, "match", no_engine)
    text = shown(client, "/partners?q=nippon")
    assert "Nippon Water" in section(text, "named")
    assert "No engine is there." in section(text, "alike")


def test_who_works_on_a_partner_is_told_and_what_belongs_to_others_is_not(offices: Offices) -> None:
    contact = {"partner_id": JP, "kind": "meeting", "held_on": "2026-10-20", "note": "<i>Asked about water"}
    assert offices.post("tokyo.desk", "/v1/interactions", contact).status_code == 201
    work = {"partner_id": JP, "project_id": WATER, "stage": "prospect", "status": "active", "lead": True}
    assert offices.post("tokyo.desk", "/v1/assignments", work).status_code == 201
    own = section(seen(offices, "tokyo.second", f"/partners/{JP}"), "offices")
    assert "20/10/2026" in own
    assert "&lt;i&gt;Asked about water" in own
    assert "Nhà máy xử lý nước thải Tây Sài Gòn" in own
    assert "Đại sứ quán Việt Nam tại Nhật Bản" in own, "it leads"
    assert "chưa có cơ quan nào khác tiếp xúc" in own
    city = section(seen(offices, "city.office", f"/partners/{JP}"), "offices")
    assert "đang tiếp xúc với đối tác này" in city
    assert "Đại sứ quán Việt Nam tại Nhật Bản" in city
    assert "Asked about water" not in city
    analyst = section(seen(offices, "figures", f"/partners/{JP}"), "offices")
    assert "Tài khoản này không xem công việc" in analyst
    assert "Đại sứ quán" not in analyst


def test_a_contact_is_one_click_away_for_those_who_act(offices: Offices) -> None:
    assert f"/pipeline/interactions/new?partner_id={JP}" in seen(offices, "tokyo.desk", f"/partners/{JP}")
    assert "/pipeline/interactions/new" not in seen(offices, "figures", f"/partners/{JP}")


def test_the_footprint_is_a_map_with_the_home_country(client: TestClient) -> None:
    text = section(shown(client, f"/partners/{AE}"), "places")
    assert '#AE" class="home"' in text
    assert re.search(r'#VN" class="shade-\d"', text)
    assert "Quần đảo Trường Sa (Việt Nam)" in text
    assert "nước của đối tác" in text
    assert "<figure" not in section(shown(client, "/partners/Px"), "places"), "nothing is known of it"


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_whole_in_english_and_carry_nothing_that_the_policy_stops(client: TestClient, path: str) -> None:
    text = shown(client, f"{path}{'&' if '?' in path else '?'}lang=en")
    assert not re.search(r"\sstyle=|<style|\son\w+=", text)
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids)), "an id stands twice"
    levels = [int(n) for n in re.findall(r"<h([1-6])", text)]
    assert levels[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(levels)), "a level of headings is left out"
    main = re.sub(r'<td role="cell" class="standing">.*?</td>', "", text.partition("<main")[2], flags=re.DOTALL)
    for words in ("Đối tác", "Quốc gia", "Cơ quan", "Bản đồ", "Dự án"):
        assert words not in main, words
    assert PORT in shown(client, f"/missions/{TOKYO}")
