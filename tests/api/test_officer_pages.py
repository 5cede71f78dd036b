"""The officer's pages: projects found and printed, pairs understood and judged, partners compared, projects written."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import polars as pl
import pytest
from fake_matchmaker import FakeMatchmaker
from offices import AE, JP, KR, PORT, WATER, Offices
from starlette.testclient import TestClient
from test_pages import HTML, read

from api import present
from api.directory import Directory
from api.pages import listing
from api.pages.project_form import typed_of
from api.pictures import maps
from matcher.errors import SourceError
from matcher.jobs import opening
from matcher.records import Match, Query

NEW = {
    "name_vi": "Cảng cạn Củ Chi", "status": "preparing", "sector": "ports_logistics", "country": "VN",
    "value_min": "2.500.000.000.000", "value_max": "2.500.000.000.000,50", "value_currency": "VND",
    "value_usd_min": "95.000.000", "area_ha": "12,5", "green": "no", "announced_on": "01/09/2026",
    "announced_precision": "month", "source": "Quyết định 12", "source_on": "01/10/2026", "notes": "dòng một\ndòng hai",
}  # fmt: skip


def sent(offices: Offices, login: str, path: str, fields: Mapping[str, str]) -> httpx2.Response:
    return offices.ask(login, "POST", path, data={"lang": "vi", **fields}, headers={"accept": "text/html"})


def page(offices: Offices, login: str, path: str, status: int = 200) -> str:
    answer = offices.get(login, path, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    return answer.text


def hidden(text: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', text)
    assert found is not None, name
    return found[1].replace("&#34;", '"').replace("&quot;", '"').replace("&amp;", "&")


def wrong(text: str) -> set[str]:
    """Names of the fields that show an error."""
    return set(re.findall(r'data-error="(\w+)">', text))


def location(answer: httpx2.Response) -> str:
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


# The list of projects


def test_each_filter_tells_how_many_records_carry_its_field(client: TestClient) -> None:
    text = re.sub(r"\s+", " ", read(client, "/projects").text)
    for label in ("Ngành 9/9", "Tình trạng 9/9", "Hình thức 2/9", "Nhãn xanh 1/9", "Vốn từ (tr USD) 2/9"):
        assert label in text, label


def test_projects_are_filtered_by_value_as_it_is_typed(client: TestClient) -> None:
    assert "1 dự án trong 9" in read(client, "/projects?value_min=1.000,5").text
    english = read(client, "/projects?value_min=1,000.5&lang=en").text
    assert "Can Gio" in english
    assert "West Saigon" not in english
    assert "1 dự án trong 9" in read(client, "/projects?value_max=200").text
    assert "1 dự án trong 9" in read(client, "/projects?green=true").text
    told = read(client, "/projects?value_min=nhiều").text
    assert "Số vốn chưa đọc được" in told
    assert "9 dự án trong 9" in told


def test_the_file_of_a_list_has_the_filters_of_the_page(client: TestClient) -> None:
    links = read(client, "/projects?q=cang&value_min=1.000&sector=ports_logistics").links
    for form in ("xlsx", "csv"):
        address = next(x for x in links if f"format={form}" in x)
        asked = parse_qs(urlsplit(address).query)
        assert asked["value_usd_min"] == ["1000000000"]
        answer = client.get(address)
        assert answer.status_code == 200
        if form == "csv":
            assert answer.text.count("\n") == 2  # the heading and the port


def test_only_the_city_is_offered_to_write_projects(offices: Offices) -> None:
    for login, offered in (("city.office", True), ("keeper", True), ("tokyo.desk", False), ("figures", False)):
        assert ("/projects/new" in page(offices, login, "/projects")) is offered, login
        assert (f"/projects/{PORT}/edit" in page(offices, login, f"/projects/{PORT}")) is offered, login
        assert offices.get(login, "/projects/new").status_code == (200 if offered else 403), login


def test_files_are_offered_to_those_who_may_take_them_away(offices: Offices) -> None:
    for login, offered in (("tokyo.desk", True), ("tokyo.second", False)):
        for path in ("/projects", f"/projects/{PORT}"):
            assert ("format=xlsx" in page(offices, login, path)) is offered, (login, path)


# One project


def test_a_first_time_reader_is_told_why_the_first_is_first_what_speaks_against_it_and_how_sure(
    client: TestClient,
) -> None:
    text = read(client, f"/projects/{PORT}").text
    summary = text[text.index("Vì sao DP World đứng đầu") : text.index("Xem mọi căn cứ")]
    assert "A xếp trên B." in summary
    assert "Cùng ngành" in summary
    assert "Chưa có mặt ở Việt Nam" in summary
    assert "Không rõ quy mô vốn" in summary
    assert "trong 24 tháng: 1 trên 8,3" in summary
    assert "từ 1 trên 20 đến 1 trên 4,8" in summary
    for more in ("", "&print=short"):
        assert 'id="first"' not in client.get(f"/projects/{PORT}?cursor=fake.3{more}", headers=HTML).text


def test_an_engine_that_abstains_says_so_and_what_can_still_be_used(client: TestClient) -> None:
    text = read(client, f"/projects/{PORT}/partners/Px").text
    assert "Chưa ước tính xác suất." in text
    assert "chưa đủ dữ liệu" in text
    assert "vẫn dùng được để chọn đối tác" in text


def test_what_is_missing_leads_the_city_to_the_field(offices: Offices) -> None:
    text = page(offices, "city.office", f"/projects/{WATER}")
    for field in ("agency", "place", "source_on", "name_vi"):
        assert f"/projects/{WATER}/edit#f-{field}" in text, field
    form = page(offices, "city.office", f"/projects/{WATER}/edit")
    for field in re.findall(r"/edit#(f-\w+)", text):
        assert f'id="{field}"' in form, field


def test_freshness_is_told_in_words(client: TestClient, world: FakeMatchmaker) -> None:
    assert "xác nhận ngày 01/03/2026" in read(client, f"/projects/{PORT}").text
    assert "nguồn không ghi ngày" in read(client, f"/projects/{WATER}").text
    item = Directory(
        world.facts, missions=world.store.read("missions"), accreditation=world.store.read("accreditation")
    )
    project = item.get("projects", PORT)
    assert present.freshness({**project, "source_on": "2025-10-31"}, item.as_of) == "old"
    assert present.freshness({**project, "source_on": "2025-11-02"}, item.as_of) == "confirmed"


def test_a_printed_list_is_a_document_without_controls(client: TestClient) -> None:
    plain = client.get(f"/projects/{PORT}?country=JP", headers=HTML).text
    assert 'type="checkbox"' in plain
    assert "<details open>" not in plain
    paper = client.get(f"/projects/{PORT}?country=JP&print=1", headers=HTML).text
    main = paper[paper.index("<main") : paper.index("</main>")]
    assert "<details open><summary>Căn cứ đầy đủ" in main
    for control in ("<button", "<select", 'class="acts"', "format=xlsx", "<form"):
        assert control not in main, control
    for told in ("Bộ lọc:", "Nhật Bản", "Dữ liệu tính đến", "fake-1", "example.org"):
        assert told in main, told
    short = client.get(f"/projects/{PORT}?print=short", headers=HTML).text
    assert "<details open><summary>Căn cứ đầy đủ" not in short
    assert "<select" not in short[short.index("<main") :]
    assert client.get(f"/projects/{PORT}?print=2", headers=HTML).status_code == 422


def test_a_printed_list_is_longer_and_on_record(
    client: TestClient, desk: Any, world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SHOWN", 2)
    asked = []
    match = world.match
    monkeypatch.setattr(world, "match", lambda query, **more: asked.append(more["n"]) or match(query, **more))
    client.get(f"/projects/{PORT}?print=1", headers=HTML)
    assert asked == [listing.PRINTED]
    assert len(desk.lists) == 1


def test_a_project_that_the_engine_does_not_know_yet_is_shown(
    client: TestClient, world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has just written it does not wait until the engine has read everything anew."""
    old = world.facts
    newer = replace(old, projects=old.projects.with_columns(project_id=pl.col("project_id").replace("HCMC-009", "NEW")))
    monkeypatch.setattr(opening, "facts", lambda *_: newer)
    monkeypatch.setattr(FakeMatchmaker, "revision", property(lambda _: 1))
    world.store.revision_number = 2
    assert "Danh sách đối tác đang được tính" in read(client, "/projects/NEW").text
    text = read(client, f"/projects/{PORT}").text
    assert "đang được tính" not in text
    assert "Vì sao DP World đứng đầu" in text


# One pair


def test_a_pair_shows_both_sides_with_values_and_sources(client: TestClient) -> None:
    answer = client.get(f"/projects/{PORT}/partners/{AE}", headers=HTML).text
    one, other = answer.index('<div class="for"><h3>'), answer.index('<div class="against"><h3>')
    unknown = answer.index('<div class="unknown"><h3>')
    assert one < other < unknown
    for_, against, missing = answer[one:other], answer[other:unknown], answer[unknown:]
    assert "Cùng ngành" in for_
    assert "Chưa có mặt ở Việt Nam" in against
    assert "Cùng ngành" not in against
    assert "Không rõ quy mô vốn" in missing
    for side in (for_, against):
        for told in ("400 M USD", "100–900 M USD", "https://example.org/list", "01/03/2026"):
            assert told in side, told


def test_a_partner_that_is_not_first_is_told_what_the_first_has_more(
    client: TestClient, world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain, told = world.explain, []

    def third(project_id: str, partner_id: str, *, against: str | None = None) -> Any:
        told.append((partner_id, against))
        ahead = {"vi": "Đối tác đầu xếp trên nhờ: ngành.", "en": "The first is ahead by: sector."}
        return replace(explain(project_id, partner_id, against=against), ahead=ahead)

    path = f"/projects/{PORT}/partners/{JP}"
    assert "xếp trên nhờ: ngành" not in client.get(path, headers=HTML).text
    monkeypatch.setattr(world, "explain", third)
    assert "Đối tác đầu xếp trên nhờ: ngành." in client.get(path, headers=HTML).text
    assert "The first is ahead by: sector." in client.get(f"{path}?lang=en", headers=HTML).text
    assert told == [(JP, None)] * 2  # one question to the engine a page


def test_a_judgment_is_kept_shown_and_replaced(offices: Offices) -> None:
    path = f"/projects/{PORT}/partners/{JP}"
    fields = {"project_id": PORT, "partner_id": JP, "back": path}
    form = page(offices, "tokyo.desk", path)
    made = {**fields, "key": hidden(form, "key"), "grade": "2", "reason": "Có kinh nghiệm"}
    there = location(sent(offices, "tokyo.desk", "/judgments", made))
    assert there.startswith(f"{path}?done=judgments.")
    assert location(sent(offices, "tokyo.desk", "/judgments", made)) == there  # sent twice, written once
    assert len(offices.get("tokyo.desk", "/v1/judgments?history=true").json()["judgments"]) == 1
    seen = page(offices, "tokyo.desk", there)
    assert "Đã ghi đánh giá" in seen
    assert re.search(r'name="grade" value="2" required checked', seen)
    assert "Anh/chị đã đánh giá: 2 – phù hợp" in seen
    assert "Anh/chị đã đánh giá" not in page(offices, "city.office", path)


def test_a_list_that_another_office_was_shown_cannot_be_judged_from(offices: Offices) -> None:
    other = offices.get("uae.desk", f"/v1/projects/{PORT}/matches").headers["x-exposure-id"]
    fields = {"project_id": PORT, "partner_id": JP, "grade": "2", "exposure_id": other}
    assert sent(offices, "tokyo.desk", "/judgments", fields).status_code == 422
    assert not offices.get("figures", "/v1/judgments").json()["judgments"]


def test_a_judgment_without_a_grade_comes_back_with_what_was_typed(offices: Offices) -> None:
    fields = {"project_id": PORT, "partner_id": JP, "reason": "Cần hỏi thêm"}
    answer = sent(offices, "figures", "/judgments", fields)
    assert answer.status_code == 422
    assert "Hãy điền mục này." in answer.text
    assert "Cần hỏi thêm</textarea>" in answer.text
    assert sent(offices, "figures", "/judgments", {**fields, "grade": "7"}).status_code == 422
    assert sent(offices, "figures", "/judgments", {"partner_id": JP, "grade": "1"}).status_code == 422
    assert not offices.get("figures", "/v1/judgments").json()["judgments"]


def test_who_is_in_contact_is_told_without_what_they_do(offices: Offices) -> None:
    body = {"partner_id": JP, "project_id": PORT, "kind": "meeting", "held_on": "2026-11-01", "note": "secret talks"}
    assert offices.post("tokyo.desk", "/v1/interactions", body).status_code == 201
    path = f"/projects/{PORT}/partners/{JP}"
    own, city = page(offices, "tokyo.desk", path), page(offices, "city.office", path)
    assert "Cơ quan của anh/chị: đã tiếp xúc 01/11/2026" in re.sub(r"\s+", " ", own)
    assert "Cơ quan khác đang tiếp xúc" in city
    assert "secret talks" not in city
    assert "Ai đang làm việc" not in page(offices, "figures", path)
    side = page(offices, "city.office", f"/projects/{PORT}/compare?partner={JP}&partner={AE}")
    assert "cơ quan khác đang tiếp xúc" in side


def test_a_mission_is_offered_work_only_on_partners_of_its_countries(offices: Offices) -> None:
    for login, partner, offered in (("tokyo.desk", JP, True), ("tokyo.desk", AE, False), ("uae.desk", AE, True)):
        text = page(offices, login, f"/projects/{PORT}/partners/{partner}")
        assert ("/pipeline/interactions/new" in text) is offered, (login, partner)
        assert ("do cơ quan phụ trách nước đó ghi" in text) is not offered, (login, partner)
    listed = page(offices, "tokyo.desk", f"/projects/{PORT}")
    assert f"interactions/new?partner_id={JP}" in listed
    assert f"interactions/new?partner_id={AE}" not in listed
    assert f"interactions/new?partner_id={AE}" in page(offices, "city.office", f"/projects/{PORT}")


WORK = {"next_step": "gọi lại", "next_on": "2026-12-01", "value_usd": 1e6}


@pytest.mark.parametrize("path", ["/projects/{}", "/projects/{}/partners/" + JP, "/projects/{}/compare?partner=" + JP])
def test_work_on_another_project_is_not_taken_for_work_on_this_one(offices: Offices, path: str) -> None:
    """The tag beside a partner is of the project that the reader looks at, or names the other one."""

    def told(project: str, lang: str = "vi") -> str:
        text = page(offices, "tokyo.desk", path.format(project) + ("&" if "?" in path else "?") + f"lang={lang}")
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))

    made = offices.post("tokyo.desk", "/v1/assignments", {"partner_id": JP, "stage": "engaged", **WORK})
    assert made.status_code == 201, made.text
    contact = {"partner_id": JP, "kind": "meeting", "held_on": "2026-10-30"}
    assert offices.post("tokyo.desk", "/v1/interactions", contact).status_code == 201
    assert "tiếp cận – chưa gắn với dự án nào" in told(WATER)
    assert "đã tiếp xúc 30/10/2026, không gắn với dự án nào" in told(WATER)
    far = {"partner_id": JP, "project_id": PORT, "stage": "negotiating", **WORK}
    assert offices.post("tokyo.desk", "/v1/assignments", far).status_code == 201
    assert offices.post("tokyo.desk", "/v1/interactions", {**contact, "project_id": PORT}).status_code == 201
    port = "Cảng trung chuyển quốc tế Cần Giờ"
    assert f"đàm phán – dự án khác: {port}" in told(WATER)
    assert "negotiating – on another project: Can Gio transshipment port" in told(WATER, "en")
    assert "đàm phán" in told(PORT)
    assert "dự án khác" not in told(PORT)
    assert "không gắn với dự án nào" not in told(PORT)
    near = {"partner_id": JP, "project_id": WATER, "stage": "lead"}
    assert offices.post("tokyo.desk", "/v1/assignments", near).status_code == 201
    assert offices.post("tokyo.desk", "/v1/interactions", {**contact, "project_id": WATER}).status_code == 201
    here = told(WATER)  # this project's own work comes first, however far another has come
    assert "đàm phán" not in here
    assert "tiềm năng" in here
    assert "dự án khác" not in here


@pytest.mark.parametrize("path", ["/projects/{}", "/projects/{}/partners/" + JP, "/projects/{}/compare?partner=" + JP])
def test_a_result_that_waits_to_be_verified_is_told_to_whom_it_may_be(offices: Offices, path: str) -> None:
    result = {
        "partner_id": JP, "project_id": PORT, "result": "lost", "lost_reason": "price", "decided_on": "2026-11-01",
        "source": "https://example.org/lost",
    }  # fmt: skip
    made = offices.post("tokyo.desk", "/v1/outcomes", result)
    assert made.status_code == 201, made.text
    for login, told in (("tokyo.desk", True), ("city.office", True), ("uae.desk", False), ("figures", False)):
        assert ("đang chờ xác nhận" in page(offices, login, path.format(PORT))) is told, login
    assert "dự án khác đang chờ xác nhận" in page(offices, "city.office", path.format(WATER))
    verdict = {"verdict": "verified"}
    assert offices.post("city.office", f"/v1/outcomes/{made.json()['id']}/verification", verdict).status_code < 300
    assert "đang chờ xác nhận" not in page(offices, "city.office", path.format(PORT))


# Why a list gives no probability


def test_why_there_is_no_probability_is_said_once_where_it_is_the_same_for_all(
    client: TestClient, world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    match = world.match

    def abstaining(query: Query, reasons: tuple[str, ...], **asked: Any) -> Any:
        found = match(query, **asked)
        told = [{"vi": reasons[i % len(reasons)], "en": "?"} for i in range(len(found.matches))]
        matches = [replace(m, probability=None, abstained=w) for m, w in zip(found.matches, told, strict=True)]
        return replace(found, matches=tuple(matches))

    def body() -> tuple[str, set[str]]:
        text = client.get(f"/projects/{PORT}", headers=HTML).text
        text = text[text.index('id="compare"') : text.index("</main>")]
        head = text[: text.index("</thead>")].count("<th ")
        return text, {str(head - int(n)) for n in re.findall(r'class="more">\s*<td role="cell" colspan="(\d)"', text)}

    text, beside = body()
    assert 'class="odds"' in text
    assert beside == {"0"}  # what stands below a row is as wide as the table
    monkeypatch.setattr(world, "match", lambda query, **asked: abstaining(query, ("vì ít",), **asked))
    text, beside = body()
    assert text.count("vì ít") == 1
    assert 'class="odds"' not in text
    assert beside == {"0"}
    monkeypatch.setattr(world, "match", lambda query, **asked: abstaining(query, ("vì ít", "vì cũ"), **asked))
    text, _ = body()
    assert text.count("vì ít") > 1
    assert 'class="odds"' in text


def test_a_deal_that_stands_in_one_reason_is_not_told_again_in_the_next(world: FakeMatchmaker) -> None:
    directory = Directory(
        world.facts, missions=world.store.read("missions"), accreditation=world.store.read("accreditation")
    )
    match = world.match(Query(project_id=PORT), n=1).matches[0]
    first, *_ = match.evidence
    told = [("for", 3.0, "3 thương vụ: A; B"), ("for", 2.0, "2 thương vụ: B; C"), ("against", -1.0, "A")]
    pieces = tuple(replace(first, direction=d, contribution=c, partner_value={"vi": v, "en": v}) for d, c, v in told)
    row = present.row(replace(match, evidence=pieces), directory, "vi", 3.0)
    assert [bar.partner_value for bar in row.told] == ["3 thương vụ: A; B", "C", ""]
    assert [bar.partner_value for bar in row.bars] == [v for _, _, v in told]  # the full evidence tells all


# Several partners


def test_what_cannot_be_compared_is_neither_better_nor_worse(
    client: TestClient, world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain = world.explain

    def unsure(project_id: str, partner_id: str, *, against: str | None = None) -> Any:
        found = explain(project_id, partner_id, against=against)
        rows = [replace(d, second_known=d.reason != "sector") for d in found.contrast]
        return replace(found, contrast=tuple(rows))

    def row() -> str:
        text = client.get(f"/projects/{PORT}/compare?partner={AE}&partner={JP}", headers=HTML).text
        table = text[text.index('class="evidence contrast"') :]
        return next(r for r in table.split("<tr ") if "ngành nghề" in r)

    assert 'class="for"' in row()
    assert "+0,50" in row()
    monkeypatch.setattr(world, "explain", unsure)
    assert 'class="missing"' in row()
    assert "không so sánh được: chưa rõ ở " in row()


def columns(text: str) -> list[str]:
    head = text[text.index('<table class="sidebyside') :]
    return re.findall(r'/partners/([^"?]+)', head[: head.index("</thead>")])


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("", [AE, "Pfr"]), (f"partner={JP}", [JP, AE]), (f"partner={KR}&partner={JP}&partner={KR}", [KR, JP]),
     (f"partner={KR}&partner={JP}&partner=Px", [KR, JP, "Px"]),
     ("&".join(f"partner={p}" for p in (KR, JP, "Px", "Pfr", AE)), [KR, JP, "Px", "Pfr"])],
)  # fmt: skip
def test_one_to_five_chosen_partners(client: TestClient, asked: str, shown: list[str]) -> None:
    text = client.get(f"/projects/{PORT}/compare?{asked}", headers=HTML).text
    assert sorted(columns(text)) == sorted(shown)
    assert ("nhiều nhất 4 đối tác" in text) is (asked.count("partner=") > 4)
    assert ("Chưa chọn đối tác nào" in text) is (not asked)
    assert "Vì sao " in text
    assert "Chênh lệch điểm" in text


def test_the_best_of_the_chosen_stands_first_and_is_compared_with_the_next(
    client: TestClient, world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain, places = world.explain, {JP: 7, KR: 2, AE: 5}
    asked = []

    def ranked(project_id: str, partner_id: str, *, against: str | None = None) -> Any:
        asked.append((partner_id, against))
        found = explain(project_id, partner_id, against=against)
        following = replace(found.following, rank=places.get(found.following.partner_id, 9))
        return replace(found, match=replace(found.match, rank=places[partner_id]), following=following)

    monkeypatch.setattr(world, "explain", ranked)
    text = client.get(f"/projects/{PORT}/compare?partner={JP}&partner={KR}&partner={AE}", headers=HTML).text
    assert columns(text) == [KR, AE, JP]
    assert asked[-1] == (KR, AE)


def test_what_was_not_chosen_is_not_on_record_and_what_was_shown_is(client: TestClient, desk: Any) -> None:
    client.get(f"/projects/{PORT}/compare?partner={JP}&partner={KR}", headers=HTML)
    assert desk.lists == []
    client.get(f"/projects/{PORT}/compare", headers=HTML)
    assert len(desk.lists) == 1


def test_an_unknown_partner_cannot_be_compared(client: TestClient) -> None:
    assert client.get(f"/projects/{PORT}/compare?partner=P288437f&partner={JP}", headers=HTML).status_code == 404


def test_facts_stay_readable_without_an_engine(
    client: TestClient, world: FakeMatchmaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise SourceError("There is no engine.")

    monkeypatch.setattr(world, "match", missing)
    for path in (f"/projects/{PORT}", f"/projects/{PORT}/compare", f"/projects/{PORT}?print=1"):
        text = read(client, path).text
        assert "Chưa xếp hạng được." in text, path
        assert "Cần Giờ" in text, path
    monkeypatch.setattr(world, "explain", missing)
    assert client.get(f"/projects/{PORT}/partners/{JP}", headers=HTML).status_code == 503


def test_reasons_stand_side_by_side_on_one_scale(world: FakeMatchmaker) -> None:
    directory = Directory(
        world.facts, missions=world.store.read("missions"), accreditation=world.store.read("accreditation")
    )
    found: list[Match] = list(world.match(Query(project_id=WATER), n=5).matches)[::4]
    side = present.comparison(found, directory, "vi")
    first = side["reasons"][0]
    assert first.label == "ngành nghề"  # differs most
    assert [cell.direction for cell in first.cells] == ["for", "against"]
    assert first.cells[0].width == present.BAR_HALF
    assert first.cells[1].width == pytest.approx(present.BAR_HALF * 0.4 / 0.6, abs=0.1)


# Projects that are written


def test_a_new_project_is_written_as_it_was_typed(offices: Offices) -> None:
    form = page(offices, "city.office", "/projects/new")
    fields = {**NEW, "key": hidden(form, "key")}
    there = location(sent(offices, "city.office", "/projects/new", fields))
    made = re.fullmatch(r"/projects/(HCMC-N\d+)\?done=projects\.\1", there)
    assert made is not None
    told = offices.get("city.office", f"/v1/projects/{made[1]}").json()
    assert (told["value_min"], told["value_max"]) == ("2500000000000", "2500000000000.5")
    assert (told["value_usd_min"], told["area_ha"], told["green"]) == (95_000_000.0, 12.5, False)
    assert (told["announced_on"], told["source_on"], told["isic"]) == ("2026-09-01", "2026-10-01", ["52"])
    assert told["notes"] == "dòng một dòng hai"
    assert location(sent(offices, "city.office", "/projects/new", fields)) == there
    assert offices.get("city.office", "/v1/projects?q=cu+chi").json()["total"] == 1
    seen = page(offices, "city.office", there)
    assert "Đã ghi dự án." in seen
    assert f"/projects/{made[1]}/edit" in seen


def test_what_is_wrong_stands_at_its_field_and_everything_typed_stays(offices: Offices) -> None:
    bad = {**NEW, "value_max": "100", "area_ha": "rất rộng", "source": "", "source_on": "32/13/2026", "isic": "9999x"}
    answer = sent(offices, "city.office", "/projects/new", bad)
    assert answer.status_code == 422
    assert {"area_ha", "source", "source_on"} <= wrong(answer.text)
    assert "Hãy nhập một số, ví dụ 12,5." in answer.text
    for typed in ("rất rộng", "32/13/2026", "9999x", "Cảng cạn Củ Chi", "2.500.000.000.000"):
        assert f'value="{typed}"' in answer.text, typed
    assert 'id="wrong"' in answer.text
    answer = sent(offices, "city.office", "/projects/new", {**NEW, "value_max": "100", "isic": "9999x"})
    assert {"value_min", "isic"} <= wrong(answer.text)
    assert offices.get("city.office", "/v1/projects?q=cu+chi").json()["total"] == 0


def test_live_checks_tell_the_same_and_write_nothing(offices: Offices) -> None:
    def check(fields: Mapping[str, str], path: str = "/projects/check") -> dict[str, str]:
        answer = sent(offices, "city.office", path, fields)
        assert answer.status_code == 200, answer.text
        found: dict[str, str] = answer.json()["errors"]
        return found

    assert check(NEW) == {}
    assert check({**NEW, "source_on": "01/01/2999"}).keys() == {"source_on"}
    assert check({}).keys() >= {"status", "source", "source_on"}
    told = check({**NEW, "value_min": "ba tỷ"})
    assert told == {"value_min": "Hãy nhập số tiền bằng chữ số, ví dụ 12500000 hoặc 12500000,50."}
    assert offices.get("city.office", "/v1/projects?q=cu+chi").json()["total"] == 0
    assert check({"status": "calling"}, f"/projects/check?project_id={PORT}").keys() >= {"source", "source_on"}
    assert sent(offices, "tokyo.desk", "/projects/check", NEW).status_code == 403


def edited(offices: Offices, path: str) -> dict[str, str]:
    """The fields of a form as a browser would send them back."""
    text = page(offices, "city.office", path)
    fields = {name: hidden(text, name) for name in ("key", "version", "read")}
    return fields | dict(json.loads(fields["read"]))


def test_an_edit_changes_what_was_edited_and_nothing_else(offices: Offices) -> None:
    before = offices.get("city.office", f"/v1/projects/{PORT}").json()
    fields = edited(offices, f"/projects/{PORT}/edit")
    assert (fields["value_usd_min"], fields["source_on"]) == ("4.800.000.000", "01/03/2026")
    fields |= {"agency": "", "area_ha": "572,25", "name_en": "Can Gio <port>"}
    there = location(sent(offices, "city.office", f"/projects/{PORT}/edit", fields))
    assert there == f"/projects/{PORT}?done=undersource.{PORT}"
    now = offices.get("city.office", f"/v1/projects/{PORT}").json()
    assert {k for k in now if now[k] != before[k]} == {"agency", "area_ha", "name"}
    assert (now["agency"], now["area_ha"], now["name"]["en"]) == (None, 572.25, "Can Gio <port>")
    saved = page(offices, "city.office", there)
    assert "Can Gio &lt;port&gt;" in saved
    assert "Nguồn giữ nguyên như cũ" in saved, "nobody takes an old source for that of a new value"
    more = edited(offices, f"/projects/{PORT}/edit") | {"area_ha": "580", "source": "https://example.org/moi"}
    there = location(sent(offices, "city.office", f"/projects/{PORT}/edit", more))
    assert there == f"/projects/{PORT}?done=projects.{PORT}"


def test_an_edit_in_english_reads_english_numbers(offices: Offices) -> None:
    text = page(offices, "city.office", f"/projects/{PORT}/edit?lang=en")
    fields = {name: hidden(text, name) for name in ("key", "version", "read")}
    fields |= dict(json.loads(fields["read"])) | {"area_ha": "1,572.5", "lang": "en"}
    assert fields["value_usd_min"] == "4,800,000,000"
    assert location(sent(offices, "city.office", f"/projects/{PORT}/edit", fields)).endswith("lang=en")
    assert offices.get("city.office", f"/v1/projects/{PORT}").json()["area_ha"] == 1572.5


def test_an_edit_needs_its_source_and_day(offices: Offices) -> None:
    fields = edited(offices, f"/projects/{WATER}/edit") | {"name_en": "Typed and kept"}
    answer = sent(offices, "city.office", f"/projects/{WATER}/edit", fields)
    assert answer.status_code == 422
    assert wrong(answer.text) == {"source_on"}
    assert "Typed and kept" in answer.text
    assert offices.get("city.office", f"/v1/projects/{WATER}").json()["name"]["en"] != "Typed and kept"


def test_a_stale_edit_shows_what_changed_and_keeps_what_was_typed(offices: Offices) -> None:
    path = f"/projects/{PORT}/edit"
    mine, theirs = edited(offices, path), edited(offices, path)
    location(sent(offices, "city.second", path, theirs | {"agency": "HEPZA", "area_ha": "600", "place": "Thạnh An"}))
    answer = sent(offices, "city.office", path, mine | {"agency": "Sở Xây dựng", "name_en": "Typed by me"})
    assert answer.status_code == 412
    assert "chưa có gì được ghi" in answer.text
    table = answer.text[answer.text.index("Thay đổi ở nơi khác") : answer.text.index("<form class")]
    for told in ("Sở Tài chính", "HEPZA", "Sở Xây dựng", "600", "Thạnh An", "khác với bản mới"):
        assert told in table, told
    for kept in ("Sở Xây dựng", "Typed by me", "600", "Thạnh An"):  # own words, and the new ones elsewhere
        assert f'value="{kept}"' in answer.text, kept
    again = {name: hidden(answer.text, name) for name in ("version", "read")}
    resolved = mine | again | {"agency": "Sở Xây dựng", "name_en": "Typed by me", "area_ha": "600", "place": "Thạnh An"}
    location(sent(offices, "city.office", path, resolved | {"key": "another"}))
    now = offices.get("city.office", f"/v1/projects/{PORT}").json()
    assert (now["agency"], now["area_ha"], now["place"], now["name"]["en"]) == (
        "Sở Xây dựng", 600.0, "Thạnh An", "Typed by me",
    )  # fmt: skip


def test_a_stale_edit_is_told_before_what_is_wrong_with_it(offices: Offices) -> None:
    """Else the form would come back with the new version and the old values, and sending it would undo a change."""
    path = f"/projects/{PORT}/edit"
    mine = edited(offices, path)
    location(sent(offices, "city.second", path, mine | {"agency": "HEPZA", "key": "theirs"}))
    assert sent(offices, "city.office", path, mine | {"area_ha": "rất rộng"}).status_code == 412


def test_what_is_on_record_survives_the_form_unchanged(world: FakeMatchmaker) -> None:
    from api.pages.project_form import _changes

    directory = Directory(
        world.facts, missions=world.store.read("missions"), accreditation=world.store.read("accreditation")
    )
    for project_id in (PORT, WATER):
        item = directory.get("projects", project_id)
        for lang in ("vi", "en"):
            typed = typed_of(item, lang)  # type: ignore[arg-type]
            needed = typed | {"source_on": typed.get("source_on", "01/10/2026")}
            assert _changes(needed, needed, lang).model_dump(exclude_unset=True) == {}  # type: ignore[arg-type]


def test_places_are_named_as_readers_write_them(client: TestClient) -> None:
    assert maps.place_names("Phu Loi islet, Can Gio", "vi") == "Cù lao Phú Lợi"
    assert maps.place_names("District 1 - Binh Chanh", "vi") == "Quận 1, Bình Chánh"
    assert maps.place_names("District 1 - Binh Chanh", "en") is None
    assert maps.place_names("Nowhere at all", "vi") is None
    assert maps.place_names(None, "vi") is None
