"""What is drawn once is drawn anew when it must be, and holds nothing of who read it first."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest
from fake_desk import KEYS, SECRET, FakeDesk
from fake_matchmaker import FakeMatchmaker
from offices import JP, PASSWORD, PORT, TOKYO, Offices
from starlette.testclient import TestClient

from api.app import create_app
from api.pages import changing, keeping, listing
from api.security import LOOPBACK
from matcher.records import MatchList, Query

HTML = {"accept": "text/html"}
LISTS = ("/projects", "/missions", "/countries")


class Counting(FakeMatchmaker):
    """The small world with the face of a service that keeps lists; counts what the engine was asked."""

    asked = 0
    engine_now = "fake-1"

    def stamp(self, query: Query) -> tuple[object, ...]:
        return self.engine_now, self.revision, self.as_of

    def kept(self, query: Query, **_: Any) -> None:
        return None

    def at_hand(self, query: Query, **_: Any) -> None:
        return None

    def match(self, query: Query, **asked: Any) -> MatchList:
        self.asked += 1
        return super().match(query, **asked)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def reader(counting: Counting) -> Iterator[TestClient]:
    app = create_app(
        lambda: counting, desk=lambda: nullcontext(FakeDesk()), hosts=(*LOOPBACK, "testserver"), secret=SECRET
    )
    with TestClient(app, headers=HTML, client=("127.0.0.1", 50_000)) as opened:
        yield opened


def get(reader: TestClient, path: str, key: str = "officer-key") -> str:
    answer = reader.get(path, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_engine_is_asked_once_for_the_same_list(reader: TestClient, counting: Counting) -> None:
    first = get(reader, "/countries/JP")
    assert get(reader, "/countries/JP") == first
    assert counting.asked == 1
    get(reader, "/countries/JP?lang=en")
    get(reader, "/countries/JP?sort=both")
    get(reader, "/countries/KR")
    assert counting.asked == 4


def test_a_new_engine_is_asked_again(reader: TestClient, counting: Counting) -> None:
    get(reader, "/countries/JP")
    counting.engine_now = "fake-2"
    get(reader, "/countries/JP")
    assert counting.asked == 2


def test_only_so_many_drawings_are_kept() -> None:
    drawings = listing.Drawings()
    for number in range(listing.KEPT + 1):
        drawings.put((number,), number)
    assert drawings.get((0,)) is None
    assert drawings.get((listing.KEPT,)) == listing.KEPT


@pytest.mark.parametrize("path", LISTS)
def test_a_kept_page_has_the_frame_of_its_reader(reader: TestClient, path: str) -> None:
    city = get(reader, path)
    post = get(reader, path, "mission-key")
    assert 'href="/imports"' in city
    assert 'href="/imports"' not in post
    assert "/missions/id-jakarta" in post
    assert get(reader, path) == city
    assert get(reader, path, "mission-key") == post


def test_who_may_not_export_is_offered_no_file(reader: TestClient) -> None:
    assert KEYS["mission-key"].may_export is False
    assert "format=xlsx" in get(reader, "/projects")
    assert "format=xlsx" not in get(reader, "/projects", "mission-key")


def test_a_kept_page_tells_what_was_done_only_to_whom_it_was_told(reader: TestClient) -> None:
    get(reader, "/projects")
    assert "Đã ghi dự án." in get(reader, "/projects?done=projects.HCMC-001")
    assert "Đã ghi dự án." not in get(reader, "/projects")


def test_new_facts_are_drawn_anew(offices: Offices) -> None:
    before = offices.get("city.office", "/projects", headers=HTML).text
    assert "Nhà máy mới" not in before
    body = {
        "name_vi": "Nhà máy mới", "status": "calling", "country": "VN", "source": "https://example.org",
        "source_on": "2026-11-01",
    }  # fmt: skip
    assert offices.post("city.office", "/v1/projects", body).status_code == 201
    assert "Nhà máy mới" in offices.get("city.office", "/projects", headers=HTML).text


def test_how_an_office_stands_is_told_to_it_alone(offices: Offices) -> None:
    """The list is drawn once; what stands beside each partner is the reader's own."""
    path = f"/projects/{PORT}"
    offices.get("tokyo.desk", path, headers=HTML)
    contact = {"partner_id": JP, "kind": "meeting", "held_on": "2026-11-01", "note": "nobody else reads this"}
    assert offices.post("tokyo.desk", "/v1/interactions", contact).status_code == 201
    own = offices.get("tokyo.desk", path, headers=HTML).text
    city = offices.get("city.office", path, headers=HTML).text
    other = offices.get("figures", path, headers=HTML).text
    assert "đã tiếp xúc 01/11/2026" in own
    assert "cơ quan khác đang tiếp xúc" not in own
    assert "cơ quan khác đang tiếp xúc" in city
    assert "đã tiếp xúc 01/11/2026" not in city
    assert "đang tiếp xúc" not in other  # an analyst has no business with who works where
    assert all("nobody else reads this" not in text for text in (own, city, other))


def test_a_kept_page_offers_each_reader_what_he_may_do(offices: Offices) -> None:
    """Readers without a mission differ by role and by the right to export."""
    for _ in range(2):  # drawn, then kept
        shown = {
            login: offices.get(login, "/projects", headers=HTML).text
            for login in ("city.office", "city.second", "figures")
        }
        assert {login for login, text in shown.items() if "format=xlsx" in text} == {"city.office", "figures"}
        assert {login for login, text in shown.items() if "/projects/new" in text} == {"city.office", "city.second"}


LISTED = (f"/projects/{PORT}", "/countries/JP", f"/missions/{TOKYO}", f"/partners/{JP}")


@pytest.mark.parametrize("path", LISTED)
def test_a_page_with_a_list_is_kept_and_still_tells_what_was_done_since(
    offices: Offices, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is drawn once; how the office stands, and whom its forms belong to, is put in for every request."""
    drawn = []
    draw = keeping.text_of

    def counting(request: Any, template: str, lang: Any, **context: Any) -> str:
        drawn.append(template)
        return draw(request, template, lang, **context)

    monkeypatch.setattr(keeping, "text_of", counting)
    before = offices.get("tokyo.desk", path, headers=HTML).text
    assert offices.get("tokyo.desk", path, headers=HTML).text == before
    assert "đã tiếp xúc" not in before
    for body in ({"kind": "meeting", "held_on": "2026-11-01"}, {"kind": "visit", "held_on": "2026-11-02"}):
        assert offices.post("tokyo.desk", "/v1/interactions", {"partner_id": JP, **body}).status_code == 201
    pair = {"partner_id": JP, "project_id": PORT}
    assert offices.post("tokyo.desk", "/v1/shortlists", pair).status_code == 201
    after = offices.get("tokyo.desk", path, headers=HTML).text
    assert "đã tiếp xúc 02/11/2026" in after
    assert "trong danh sách rút gọn" in after
    assert [template for template in drawn if template != "kept.html"] == drawn[:1]


@pytest.mark.parametrize("path", LISTED)
def test_a_kept_list_carries_the_token_of_who_reads_it(offices: Offices, path: str) -> None:
    tokens = []
    for _ in range(2):
        signed_in = offices.post(None, "/v1/session", {"login": "city.office", "password": PASSWORD})
        text = offices.client.get(path, headers=HTML).text
        form = text.partition('<form id="shortlist"')[2].partition("</form>")[0]
        token = signed_in.json()["csrf"]
        assert f'name="csrf" value="{token}"' in form
        assert f'name="back" value="{path}"' in form
        tokens.append(token)
    assert tokens[0] != tokens[1]


def test_a_missions_own_work_is_counted_anew(offices: Offices) -> None:
    home = f"/missions/{TOKYO}"
    assert "Chưa có công việc nào với đối tác" in offices.get("tokyo.desk", home, headers=HTML).text
    assert offices.post("tokyo.desk", "/v1/assignments", {"partner_id": JP, "project_id": PORT}).status_code == 201
    assert "Chưa có công việc nào" not in offices.get("tokyo.desk", home, headers=HTML).text
    assert "việc đang chờ" not in offices.get("city.office", home, headers=HTML).text


def test_a_comparison_with_lists_that_are_still_to_come_is_made_anew(offices: Offices) -> None:
    assert changing.settled("2026-11-01", date(2026, 11, 1))
    assert not changing.settled("2026-11-02", date(2026, 11, 1))
    coming = f"/missions/{TOKYO}?since=2099-01-01"
    assert "chưa so sánh được" in offices.get("tokyo.desk", coming, headers=HTML).text
    assert "Không có gì thay đổi" in offices.get("tokyo.desk", coming, headers=HTML).text  # with the list just shown


def test_a_title_may_hold_the_sign_that_parts_it_from_the_sites_name(reader: TestClient, counting: Counting) -> None:
    frame = counting.facts.projects
    named = frame.with_columns(name_vi=pl.lit("Cảng · giai đoạn 2"))
    counting.facts = replace(counting.facts, projects=named)
    counting.store.revision_number += 1
    for _ in range(2):
        assert "<title>Cảng · giai đoạn 2 · " in get(reader, f"/projects/{PORT}")


def test_of_two_missions_only_the_one_that_covers_the_country_is_offered_work(offices: Offices) -> None:
    for _ in range(2):
        assert "/pipeline/interactions/new?" in offices.get("tokyo.second", "/countries/JP", headers=HTML).text
        assert "/pipeline/interactions/new?" not in offices.get("uae.desk", "/countries/JP", headers=HTML).text
