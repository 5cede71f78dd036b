"""The pipeline's pages over a real database: what is written, shown, refused and taken back by forms."""

import html
import re
from datetime import date, timedelta
from typing import Any

import httpx2
import psycopg
import pytest
from offices import AE, JP, KR, PORT, UAE, WATER, Offices

HTML = {"accept": "text/html"}
TOKYO_DESK, UAE_DESK, CITY = "tokyo.desk", "uae.desk", "city.office"
KINDS = ("interactions", "shortlists", "assignments", "outcomes")


def page(offices: Offices, login: str | None, path: str, status: int = 200) -> str:
    answer = offices.get(login, path, headers=HTML)
    assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:2000]}"
    return html.unescape(answer.text)


def send(offices: Offices, login: str | None, path: str, **fields: Any) -> httpx2.Response:
    return offices.ask(login, "POST", path, data={k: str(v) for k, v in fields.items()}, headers=HTML)


def written(offices: Offices, login: str, path: str, **fields: Any) -> str:
    """Where a form that is accepted leads to."""
    answer = send(offices, login, path, **fields)
    assert answer.status_code == 303, f"{answer.status_code} {html.unescape(answer.text)[:3000]}"
    return str(answer.headers["location"])


def number_of(location: str) -> int:
    found = re.search(r"done=\w+\.(\d+)", location)
    assert found, location
    return int(found[1])


def count(offices: Offices, table: str) -> int:
    with psycopg.connect(offices.url) as connection:
        (n,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone() or (0,)
    return int(n)


def today(offices: Offices) -> date:
    with psycopg.connect(offices.url) as connection:
        (day,) = connection.execute("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date").fetchone() or (None,)
    assert isinstance(day, date)
    return day


def interaction(offices: Offices, login: str = TOKYO_DESK, partner: str = JP, **more: Any) -> int:
    fields = {"partner_id": partner, "kind": "meeting", "held_on": "01/11/2026", **more}
    return number_of(written(offices, login, "/pipeline/interactions/new", **fields))


def assignment(offices: Offices, login: str = TOKYO_DESK, partner: str = JP, **more: Any) -> int:
    fields = {"partner_id": partner, "stage": "lead", "status": "active", **more}
    return number_of(written(offices, login, "/pipeline/assignments/new", **fields))


def outcome(offices: Offices, login: str = TOKYO_DESK, partner: str = JP, **more: Any) -> int:
    fields = {
        "partner_id": partner, "project_id": PORT, "result": "won", "role": "investor", "decided_on": "01/11/2026",
        "source": "Biên bản", **more,
    }  # fmt: skip
    return number_of(written(offices, login, "/pipeline/outcomes/new", **fields))


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("path", ["", "?view=table", *(f"/{k}" for k in KINDS[:2]), "/outcomes", "/reminders"])
def test_first_use_says_what_to_do(offices: Offices, path: str, lang: str) -> None:
    joint = "&" if "?" in path else "?"
    text = page(offices, TOKYO_DESK, f"/pipeline{path}{joint}lang={lang}")
    assert 'class="empty"' in text
    assert 'class="button"' in text


def test_a_contact_takes_two_clicks(offices: Offices) -> None:
    form = page(offices, TOKYO_DESK, f"/pipeline/interactions/new?partner_id={JP}&project_id={PORT}")
    day = today(offices)
    assert f'value="{day:%d/%m/%Y}"' in form
    assert '<option value="meeting" selected>' in form
    assert f'<option value="{PORT}" selected>' in form
    sent = dict(re.findall(r'<input[^>]* name="(\w+)" value="([^"]*)"', form))
    sent |= {"kind": "meeting", "project_id": PORT}
    location = written(offices, TOKYO_DESK, "/pipeline/interactions/new", **sent)
    number = number_of(location)
    notice = page(offices, TOKYO_DESK, location)
    assert "Đã ghi tiếp xúc." in notice
    assert f'action="/pipeline/interactions/{number}/undo"' in notice
    read = offices.get(TOKYO_DESK, f"/v1/interactions/{number}").json()
    assert (read["held_on"], read["kind"], read["project"]["id"]) == (day.isoformat(), "meeting", PORT)


def test_a_form_that_is_sent_twice_writes_once(offices: Offices) -> None:
    fields = {"partner_id": JP, "kind": "visit", "held_on": "01/11/2026", "key": "one-click"}
    first = written(offices, TOKYO_DESK, "/pipeline/interactions/new", **fields)
    assert written(offices, TOKYO_DESK, "/pipeline/interactions/new", **fields) == first
    assert count(offices, "interaction") == 1
    undo = f"/pipeline/interactions/{number_of(first)}/undo"
    written(offices, TOKYO_DESK, undo, key="undone-once")
    written(offices, TOKYO_DESK, undo, key="undone-once")
    assert offices.get(TOKYO_DESK, f"/v1/interactions/{number_of(first)}").status_code == 404


@pytest.mark.parametrize(
    ("lang", "said"), [("vi", "Ngày tiếp xúc: Hãy nhập ngày theo dạng"), ("en", "Date of contact")]
)
def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(offices: Offices, lang: str, said: str) -> None:
    fields = {"partner_id": JP, "kind": "meeting", "held_on": "hôm qua", "note": "giữ lại", "lang": lang}
    answer = send(offices, TOKYO_DESK, "/pipeline/interactions/new", **fields)
    assert answer.status_code == 422
    text = html.unescape(answer.text)
    assert 'role="alert"' in text
    assert '<a href="#f-held_on">' in text
    assert said in text
    assert 'id="f-held_on-error"' in text
    assert 'value="hôm qua"' in text
    assert ">giữ lại</textarea>" in text
    assert count(offices, "interaction") == 0
    ahead = f"{today(offices) + timedelta(days=40):%d/%m/%Y}"
    late = html.unescape(send(offices, TOKYO_DESK, "/pipeline/interactions/new", **fields | {"held_on": ahead}).text)
    assert ("Ngày này chưa đến" if lang == "vi" else "has not come yet") in late
    assert f'value="{ahead}"' in late


def test_an_unknown_partner_leads_to_a_search(offices: Offices) -> None:
    text = page(offices, TOKYO_DESK, "/pipeline/interactions/new?partner_id=nobody")
    assert "Không có đối tác mang mã “nobody”" in text
    found = page(offices, TOKYO_DESK, "/pipeline/interactions/new?q=P")
    assert "/pipeline/interactions/new?partner_id=" in found


def test_who_else_works_on_the_partner_is_said_before_anything_is_sent(offices: Offices) -> None:
    form = f"/pipeline/interactions/new?partner_id={JP}"
    assert "Chưa có cơ quan nào khác" in page(offices, TOKYO_DESK, form)
    interaction(offices, CITY)
    assert "Cơ quan khác cũng đang làm việc" in page(offices, TOKYO_DESK, form)
    assignment(offices, CITY, lead="yes")
    text = page(offices, TOKYO_DESK, form)
    assert "Thành phố là cơ quan đầu mối của đối tác này" in text
    refused = send(offices, TOKYO_DESK, "/pipeline/assignments/new", partner_id=JP, stage="lead", status="active",
                   lead="yes")  # fmt: skip
    assert refused.status_code == 409
    assert "hãy bỏ chọn ô “đầu mối”" in html.unescape(refused.text)


def test_a_card_moves_one_stage_and_back(offices: Offices) -> None:
    number = assignment(offices)
    board = page(offices, TOKYO_DESK, "/pipeline")
    assert f'id="a{number}"' in board
    assert 'name="stage" value="prospect"' in board
    path = f"/pipeline/assignments/{number}"
    location = written(offices, TOKYO_DESK, path, part="stage", stage="prospect", version=1, back="/pipeline#a1")
    assert location.startswith("/pipeline?done=assignments.")
    assert offices.get(TOKYO_DESK, f"/v1/assignments/{number}").json()["stage"] == "prospect"
    written(offices, TOKYO_DESK, path, part="stage", stage="lead", version=2)
    assert offices.get(TOKYO_DESK, f"/v1/assignments/{number}").json()["stage"] == "lead"


def test_a_stage_that_needs_more_opens_the_form_with_the_fields_marked(offices: Offices) -> None:
    number = assignment(offices, next_step="Gọi lại")
    path = f"/pipeline/assignments/{number}"
    answer = send(offices, TOKYO_DESK, path, part="stage", stage="negotiating", version=1)
    text = html.unescape(answer.text)
    assert answer.status_code == 422
    assert '<option value="negotiating" selected>' in text
    assert 'value="Gọi lại"' in text
    assert "Giai đoạn “đàm phán” cần có: Giá trị (USD)" in text
    assert '<a href="#f-project_id">' in text
    full = {"version": 1, "stage": "negotiating", "status": "active", "next_step": "Gọi lại", "project_id": PORT,
            "value_usd": "12,5"}  # fmt: skip
    written(offices, TOKYO_DESK, path, **full)
    read = offices.get(TOKYO_DESK, f"/v1/assignments/{number}").json()
    assert (read["stage"], read["value_usd"], read["lead"]) == ("negotiating", 12_500_000, False)
    assert 'value="12,50"' in page(offices, TOKYO_DESK, path)


def test_a_full_form_clears_what_it_leaves_empty(offices: Offices) -> None:
    number = assignment(offices, next_step="Gọi lại", lead="yes", project_id=PORT)
    written(offices, TOKYO_DESK, f"/pipeline/assignments/{number}", version=1, stage="lead", status="active")
    read = offices.get(TOKYO_DESK, f"/v1/assignments/{number}").json()
    assert (read["next_step"], read["lead"], read["project"]) == (None, False, None)


def test_a_stale_edit_is_refused_and_both_versions_are_shown(offices: Offices) -> None:
    number = assignment(offices, next_step="Gọi lại")
    path = f"/pipeline/assignments/{number}"
    fields = {"version": 1, "stage": "lead", "status": "active"}
    written(offices, "tokyo.second", path, **fields, next_step="Gửi hồ sơ")
    answer = send(offices, TOKYO_DESK, path, **fields, next_step="Hẹn gặp")
    text = html.unescape(answer.text)
    assert answer.status_code == 409
    assert "đã được người khác sửa" in text
    assert "Bản mới nhất: Gửi hồ sơ" in text
    assert 'value="Hẹn gặp"' in text
    assert 'name="version" value="2"' in text
    assert offices.get(TOKYO_DESK, f"/v1/assignments/{number}").json()["next_step"] == "Gửi hồ sơ"
    written(offices, TOKYO_DESK, path, **fields | {"version": 2}, next_step="Hẹn gặp")
    assert offices.get(TOKYO_DESK, f"/v1/assignments/{number}").json()["next_step"] == "Hẹn gặp"


def test_the_history_says_what_changed(offices: Offices) -> None:
    number = assignment(offices, next_step="Gọi lại")
    path = f"/pipeline/assignments/{number}"
    written(offices, TOKYO_DESK, path, version=1, stage="prospect", status="paused", next_step="Gọi lại")
    text = page(offices, TOKYO_DESK, path)
    assert "Giai đoạn: tiềm năng → xác định" in text
    assert "Trạng thái công việc: đang làm → tạm dừng" in text
    assert "Bước tiếp theo: Gọi lại" in text
    assert "Gọi lại → Gọi lại" not in text
    assert "anh/chị" in text


def test_an_undo_takes_back_and_can_be_taken_back(offices: Offices) -> None:
    number = interaction(offices)
    path = f"/pipeline/interactions/{number}"
    location = written(offices, TOKYO_DESK, f"{path}/undo", back=f"{path}?done=interactions.{number}")
    assert location == f"/pipeline/interactions?done=undone.{number}", "the page of a withdrawn record is no more"
    assert "Đã hoàn tác." in page(offices, TOKYO_DESK, location)
    page(offices, TOKYO_DESK, path, 404)
    assert written(offices, TOKYO_DESK, f"{path}/undo", back=path).startswith(path)
    assert "Lịch sử" in page(offices, TOKYO_DESK, path)


@pytest.mark.parametrize("kind", ["interactions", "assignments"])
def test_another_office_s_record_is_not_there(offices: Offices, kind: str) -> None:
    number = interaction(offices) if kind == "interactions" else assignment(offices)
    path = f"/pipeline/{kind}/{number}"
    text = page(offices, UAE_DESK, path, 404)
    assert "Pjp" not in text
    fields = {"version": 1, "kind": "visit", "held_on": "01/11/2026", "stage": "prospect", "status": "active"}
    assert send(offices, UAE_DESK, path, **fields).status_code == 404
    assert send(offices, UAE_DESK, f"{path}/undo").status_code == 404


def test_a_partner_of_other_countries_is_refused_in_words(offices: Offices) -> None:
    fields = {"partner_id": KR, "kind": "meeting", "held_on": "01/11/2026"}
    answer = send(offices, TOKYO_DESK, "/pipeline/interactions/new", **fields)
    assert answer.status_code == 403
    text = html.unescape(answer.text)
    assert "Cơ quan của anh/chị phụ trách" in text
    assert "is at home in" not in text


def test_a_pair_from_a_match_row_is_kept_once(offices: Offices) -> None:
    back = f"/projects/{PORT}"
    location = written(offices, TOKYO_DESK, "/pipeline/shortlists", pair=f"{PORT} {JP}", back=back)
    assert location.startswith(f"{back}?done=shortlists.")
    assert written(offices, TOKYO_DESK, "/pipeline/shortlists", pair=f"{PORT} {JP}", back=back) == back
    assert count(offices, "shortlist") == 1
    text = page(offices, TOKYO_DESK, "/pipeline/shortlists")
    assert "Rút khỏi danh sách" in text
    written(offices, TOKYO_DESK, f"/pipeline/shortlists/{number_of(location)}/undo")
    assert 'class="empty"' in page(offices, TOKYO_DESK, "/pipeline/shortlists")


def test_an_address_to_go_back_to_is_of_this_site(offices: Offices) -> None:
    fields = {"partner_id": JP, "kind": "meeting", "held_on": "01/11/2026"}
    for back in ("https://example.org/x", "//example.org/x", "javascript:alert(1)"):
        location = written(offices, TOKYO_DESK, "/pipeline/interactions/new", back=back, **fields)
        assert location.startswith("/pipeline/interactions")


def test_an_outcome_is_verified_by_another_person(offices: Offices) -> None:
    number = outcome(offices)
    path = f"/pipeline/outcomes/{number}"
    assert "chờ xác nhận" in page(offices, TOKYO_DESK, path)
    assert f'action="{path}/verification"' not in page(offices, TOKYO_DESK, path)
    assert f'action="{path}/verification"' in page(offices, CITY, path)
    bare = send(offices, CITY, f"{path}/verification", verdict="rejected", version=1)
    assert bare.status_code == 422
    assert "Hãy nêu lý do bác" in html.unescape(bare.text)
    location = written(offices, CITY, f"{path}/verification", verdict="verified", version=1)
    assert "đã xác nhận" in page(offices, CITY, location)
    again = send(offices, CITY, f"{path}/verification", verdict="verified", version=1)
    assert again.status_code == 409
    own = outcome(offices, CITY, KR)
    assert "/verification" not in page(offices, CITY, f"/pipeline/outcomes/{own}")
    mine = send(offices, CITY, f"/pipeline/outcomes/{own}/verification", verdict="verified", version=1)
    assert mine.status_code == 403
    assert "Hãy nhờ người khác xác nhận" in html.unescape(mine.text)


def test_a_stage_won_waits_for_a_verified_outcome(offices: Offices) -> None:
    more = {"project_id": PORT, "expected_on": "01/12/2026", "value_usd": "40"}
    number = assignment(offices, stage="committed", next_step="Ký", **more)
    path = f"/pipeline/assignments/{number}"
    move = {"part": "stage", "stage": "won", "version": 1}
    refused = send(offices, TOKYO_DESK, path, **move)
    assert refused.status_code == 422
    assert "đã được người khác xác nhận" in html.unescape(refused.text)
    done = outcome(offices)
    written(offices, CITY, f"/pipeline/outcomes/{done}/verification", verdict="verified", version=1)
    written(offices, TOKYO_DESK, path, **move)


def test_the_city_gives_work_to_a_mission_that_covers_the_partner(offices: Offices) -> None:
    form = page(offices, CITY, f"/pipeline/assignments/new?partner_id={AE}")
    assert f'<option value="{UAE}">' in form
    assert 'value="id-jakarta"' not in form
    number = assignment(offices, CITY, AE, mission_id=UAE, next_step="Liên hệ")
    assert f'id="a{number}"' in page(offices, UAE_DESK, "/pipeline")
    assert f'id="a{number}"' in page(offices, CITY, "/pipeline")


def test_the_board_counts_and_marks_what_is_late(offices: Offices) -> None:
    day = today(offices)
    late = f"{day - timedelta(days=3):%d/%m/%Y}"
    assignment(offices, stage="engaged", next_step="Gọi lại", next_on=late, value_usd="100")
    assignment(offices, stage="engaged", next_step="Gửi hồ sơ", project_id=WATER)
    assignment(offices, status="lost", lost_reason="Giá đất", lost_to_country="SG")
    text = page(offices, TOKYO_DESK, "/pipeline")
    assert f"quá hạn 3 ngày (hẹn {late})" in text
    row = re.search(r"tiếp cận</th>.*?</tr>", text, re.S)
    assert row
    assert 'width="200.0"' in row[0]
    assert "(1 trên 2 việc)" in row[0]
    assert "Giá đất" in text
    assert "quá hạn 3 ngày" in page(offices, TOKYO_DESK, "/pipeline/reminders")


@pytest.mark.parametrize("sort", ["new", "next", "value", "stage"])
def test_the_table_is_sorted_and_filtered(offices: Offices, sort: str) -> None:
    first = assignment(offices, stage="prospect", value_usd="5", next_on="01/12/2026")
    second = assignment(offices, value_usd="900", next_on="05/12/2026", lead="yes")
    text = page(offices, TOKYO_DESK, f"/pipeline?view=table&sort={sort}")
    places = [int(n) for n in re.findall(r'class="name" href="/pipeline/assignments/(\d+)"', text)]
    assert places == ([first, second] if sort in ("next", "stage") else [second, first])
    only = page(offices, TOKYO_DESK, "/pipeline?view=table&stage=prospect&lead=no")
    assert re.findall(r'class="name" href="/pipeline/assignments/(\d+)"', only) == [str(first)]
    assert "/v1/assignments?stage=prospect&lead=false" in only
    link = re.search(r'"(/v1/assignments[?][^"]*)&format=xlsx', only)
    assert link
    answer = offices.get(TOKYO_DESK, link[1])
    assert [a["id"] for a in answer.json()["assignments"]] == [first]


def test_lists_go_on_to_the_next_page(offices: Offices) -> None:
    for n in range(52):
        offices.post(TOKYO_DESK, "/v1/interactions",
                     {"partner_id": JP, "kind": "meeting", "held_on": "2026-11-01", "note": f"số {n}."})  # fmt: skip
    text = page(offices, TOKYO_DESK, "/pipeline/interactions?kind=meeting")
    assert "số 51." in text
    assert "số 1." not in text
    following = re.search(r'href="(/pipeline/interactions\?cursor=[^"]*)"', text)
    assert following
    last = page(offices, TOKYO_DESK, following[1])
    assert "số 1." in last
    assert "số 51." not in last


def test_a_wrong_filter_is_refused_without_a_crash(offices: Offices) -> None:
    for path in ("?stage=x&view=table", "?lead=x", "/interactions?kind=x", "/outcomes?verified=x", "/reminders?kind=x",
                 "/interactions?cursor=x", "/reminders?cursor=x"):  # fmt: skip
        assert offices.get(TOKYO_DESK, f"/pipeline{path}", headers=HTML).status_code == 422, path


def test_an_analyst_has_no_pipeline(offices: Offices) -> None:
    for path in ("/pipeline", "/pipeline/interactions", "/pipeline/assignments/new"):
        page(offices, "figures", path, 403)


def test_reminders_are_counted_by_kind_and_cause(offices: Offices) -> None:
    outcome(offices)
    text = page(offices, CITY, "/pipeline/reminders")
    assert "báo hôm nay" in text
    assert "Kết quả chờ xác nhận (1)" in text
    assert "Mở để xác nhận" in text
    whole = offices.get(CITY, "/v1/reminders").json()["total"]
    counts = [int(n) for n in re.findall(r"kind=\w+\"[^>]*>[^<]+\((\d+)\)</a>", text)]
    assert len(counts) == 4
    assert sum(counts) == whole, "every reminder is counted under its kind"
    assert f"tất cả ({whole})" in text
    groups = [int(n) for n in re.findall(r"<summary>Nguồn [^<]+: (\d+)</summary>", text)]
    assert sum(groups) == sum(counts[2:]), "and under its cause"


def test_a_day_of_a_decision_is_never_filled_in_for_the_reader(offices: Offices) -> None:
    text = page(offices, TOKYO_DESK, f"/pipeline/outcomes/new?partner_id={JP}&project_id={PORT}")
    assert re.search(r'name="decided_on" value=""', text)
    assert text.index("Kết quả được tính sau khi một người khác xác nhận.") < text.index(
        '<button type="submit">Ghi kết quả'
    )


def test_who_opens_work_twice_is_shown_what_is_open_already(offices: Offices) -> None:
    form = f"/pipeline/assignments/new?partner_id={JP}&project_id={PORT}"
    assert "đã có công việc đang mở" not in page(offices, TOKYO_DESK, form)
    number = offices.post(TOKYO_DESK, "/v1/assignments", {"partner_id": JP, "project_id": PORT}).json()["id"]
    again = page(offices, TOKYO_DESK, form)
    assert "đã có công việc đang mở" in again
    assert f"/pipeline/assignments/{number}" in again
    assert "đã có công việc đang mở" not in page(offices, CITY, form)  # that is another office's
