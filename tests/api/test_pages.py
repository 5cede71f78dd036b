"""The pages: both languages, escaping, what is named as missing, words that no catalogue lacks."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from fake_matchmaker import ACCREDITATION, MISSIONS, FakeMatchmaker
from starlette.testclient import TestClient

from api import language, present
from api.directory import Directory
from api.language import any_day, cited, environment, percent, sources, url, usd_range
from matcher.records import Query

HTML = {"accept": "text/html,application/xhtml+xml"}
API = Path(language.__file__).parent
PAGES = [
    "/projects", "/projects/HCMC-001", "/projects/HCMC-002", "/projects/PAST-1", "/projects/HCMC-001/partners/Pjp",
    "/projects/HCMC-001/compare", "/projects/new", "/projects/HCMC-001/edit",
    "/partners/P288437fb", "/partners/Pjp", "/partners/Px", "/missions", "/missions/id-jakarta", "/missions/ae-embassy",
    "/nowhere", "/projects/nothing",
]  # fmt: skip


class Page(HTMLParser):
    """What a test asks about a page: links, labels, roles, languages, anything that CSP would stop."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self.langs: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in ("meta", "link", "input", "line", "rect", "circle", "br"):
            self.open.append(tag)
        if tag == "a":
            self.links.append(given["href"] or "")
        if tag in ("link", "script", "img"):
            self.loaded.append((given.get("href") or given.get("src") or "").partition("?v=")[0])
        self.inline += [k for k in given if k == "style" or k.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        if given.get("lang"):
            self.langs.add(given["lang"] or "")
        if tag == "td":
            assert given.get("role") == "cell"
        if tag == "th":
            assert given.get("scope") in ("col", "row", "rowgroup")

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "rect", "circle"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(client: TestClient, path: str, status: int = 200) -> Page:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return Page(answer.text)


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_page_is_well_formed_and_loads_only_its_own_sheet(client: TestClient, path: str, lang: str) -> None:
    page = read(client, f"{path}?lang={lang}", 404 if "no" in path.rsplit("/", 1)[-1] else 200)
    assert set(page.loaded) == {"/static/style.css", "/static/icon.svg", "/static/desk.js"}
    assert page.inline == []
    assert lang in page.langs
    assert all(link.startswith(("/", "#", "https://example.org/")) for link in page.links)


def test_english_stays_english_from_link_to_link(client: TestClient) -> None:
    for path in ("/projects", "/projects/HCMC-001", "/missions/id-jakarta", "/partners/Pjp"):
        page = read(client, f"{path}?lang=en")
        inner = [x for x in page.links if x.startswith("/") and not x.startswith("/v1")]
        assert [x for x in inner if "lang=en" not in x] == [path]  # the way back to Vietnamese, at the same place


@pytest.mark.parametrize(
    "path", ["/projects", "/projects/HCMC-001", "/projects/HCMC-001/partners/Pjp", "/partners/P288437fb", "/missions"]
)
def test_vietnamese_is_the_default_and_english_has_no_vietnamese_words_of_ours(client: TestClient, path: str) -> None:
    assert "dự án" in read(client, path).text.casefold()
    english = read(client, f"{path}?lang=en").text
    assert not re.search(r"chưa|không|nguồn|đối tác", english.replace("Sở Tài chính", ""))


def test_names_are_escaped_and_hostile_addresses_are_not_links(client: TestClient) -> None:
    assert "Nippon Water <b>&" in read(client, "/partners/Pjp").text
    assert "<b>&" not in client.get("/partners/Pjp").text
    assert not [x for x in read(client, "/partners/P288437fb").links if x.startswith("javascript")]
    assert "<script>" not in client.get("/projects?q=<script>alert(1)</script>").text


def test_project_list_puts_calls_first_and_counts_coverage(client: TestClient) -> None:
    page = read(client, "/projects")
    assert page.text.index("Cần Giờ") < page.text.index("Tây Sài Gòn") < page.text.index("Dự án thử 9")
    assert "9 dự án trong 9" in page.text  # past investments are no offer
    assert "≈\u00a04.800" in page.text
    assert "150–250" in page.text
    assert "chưa rõ vốn" in page.text


def test_project_list_filters_and_offers_a_way_out(client: TestClient) -> None:
    assert "Cần Giờ" not in read(client, "/projects?q=nuoc+thai").text
    assert "Tây Sài Gòn" in read(client, "/projects?q=nuoc+thai&sector=&status=&form=").text
    nothing = read(client, "/projects?q=zzz")
    assert "Không có dự án nào khớp" in nothing.text
    assert "/projects" in nothing.links


def test_project_names_its_weak_points_and_missing_facts(client: TestClient) -> None:
    port = read(client, "/projects/HCMC-001").text
    assert "Vốn bằng USD là ước tính" in port
    assert "trước ngày 01/07/2025" in port
    assert "Chưa có nhãn xanh" in port
    water = read(client, "/projects/HCMC-002").text
    assert "Nguồn không ghi ngày" in water
    assert "Tên tiếng Việt do người biên tập dịch" in water
    assert "Chưa có cơ quan đầu mối" in water


def test_matches_show_reasons_by_shape_probability_and_abstention(client: TestClient) -> None:
    answer = client.get("/projects/HCMC-001", headers=HTML).text
    text = Page(answer).text
    for sign in "▲▼?":
        assert sign in text
    assert "1 trên 8,3, gấp 40 lần đối tác trung bình" in text
    assert "(từ 1 trên 20 đến 1 trên 4,8)" in text
    assert "thương vụ trong 24 tháng" in text
    assert "chưa đủ dữ liệu" in text
    assert '<span class="local" lang="ja">日本水道株式会社</span>' in answer
    assert '<span class="local" lang="ko">한국항만</span>' in answer


def test_filters_of_a_project_reach_the_list_and_the_downloads(client: TestClient) -> None:
    page = read(client, "/projects/HCMC-001?country=JP&kind=")
    assert "DP World" not in page.text
    assert [x for x in page.links if "format=xlsx" in x] == [
        "/v1/projects/HCMC-001/matches?country=JP&n=200&format=xlsx&lang=vi"
    ]
    for link in page.links:
        if link.startswith("/v1/projects/"):
            assert client.get(link).status_code == 200


def test_mission_names_countries_without_partners_and_unknown_accreditation(client: TestClient) -> None:
    page = read(client, "/missions/id-jakarta")
    assert "Pa-pua Niu Ghi-nê" in page.text
    assert "Chưa có hồ sơ đối tác của PG" in page.text
    assert "Chưa rõ cơ quan này có kiêm nhiệm" in read(client, "/missions/ae-embassy").text


STORED = ("/pipeline", "/imports", "/analysis")
"""Pages of what the database alone knows; they are walked over a real one."""


def test_every_link_of_our_own_leads_somewhere(client: TestClient) -> None:
    seen, waiting = set(), ["/projects", "/missions", "/projects?lang=en"]
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 120:
            continue
        seen.add(path)
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 200, path
        if "text/html" in answer.headers["content-type"]:
            waiting += [x for x in Page(answer.text).links if x.startswith("/") and not x.startswith(STORED)]
    assert len(seen) > 30


def test_names_are_sorted_as_a_reader_looks_them_up(client: TestClient) -> None:
    """Đ stands beside D and not after Z: names are compared without diacritics."""
    text = read(client, "/projects/HCMC-001").text
    assert text.index("Các Tiểu vương quốc") < text.index("Hàn Quốc") < text.index("Nhật Bản") < text.index("Pháp")


def test_refusals_in_a_browser_are_pages_and_elsewhere_problems(client: TestClient) -> None:
    assert "ports_logistics" in read(client, "/projects?sector=ports", 422).text
    assert "/projects/HCMC-001" in read(client, "/projects/HCMC-01", 404).links
    assert client.get("/projects/HCMC-01").headers["content-type"] == "application/problem+json"
    assert client.get("/v1/projects/x", headers=HTML).headers["content-type"] == "application/problem+json"


def words() -> set[str]:
    """Every text that templates and code mark for translation."""
    with (API / "web" / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(API, methods, options)
    return {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found}


def catalogue(lang: str) -> Catalog:
    path = API / "web" / "locale" / lang / "LC_MESSAGES" / "messages.po"
    return read_po(io.BytesIO(path.read_bytes()), locale=lang, abort_invalid=True)


def forms(text: object) -> tuple[str, ...]:
    """The forms of a text that has one for several things, too."""
    return (text,) if isinstance(text, str) else tuple(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_no_word_is_missing_in_a_catalogue_and_none_is_left_over(lang: str) -> None:
    marked = words()
    assert len(marked) > 150
    told = {forms(m.id)[0]: m for m in catalogue(lang) if m.id}
    assert {w for w in marked if w not in told or not all(forms(told[w].string)) or told[w].fuzzy} == set()
    assert set(told) - marked == set()


def test_vietnamese_is_the_original_and_placeholders_survive_translation() -> None:
    for message in catalogue("vi"):
        assert not message.id or forms(message.id)[0] == forms(message.string)[0]
    holders = re.compile(r"%\(\w+\)s")
    for message in catalogue("en"):
        for form in forms(message.string):
            assert sorted(holders.findall(forms(message.id)[0])) == sorted(holders.findall(form)), message.id


def test_templates_hold_no_unmarked_words() -> None:
    """Vietnamese letters outside of a translation mark would show up in English."""
    marked = "\n".join(words())
    letters = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
    for path in sorted((API / "web" / "templates").glob("*.html")):
        text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"\{%-?\s*trans.*?endtrans\s*-?%\}", "", text, flags=re.DOTALL)
        text = (
            re.sub(r"_\('[^']*'\)|pgettext\('[^']*', '[^']*'\)", "", text)
            .replace("Tiếng Việt", "")
            .replace("Cảng Cần Giờ", "")
        )
        text = re.sub(r'<span lang="vi">.*?</span>', "", text)  # marked as what it is
        assert not letters.search(text), (path.name, letters.search(text))
    assert "Tiếng Việt" not in marked


def test_an_unknown_address_has_the_frame_of_its_reader_and_a_stranger_has_none(client: TestClient) -> None:
    own = read(client, "/nowhere", 404)
    assert {"/projects", "/analysis", "/help"} <= set(own.links)
    for key in ("", "Bearer nobody", "nonsense"):
        stranger = client.get("/nowhere", headers=HTML | {"authorization": key})
        assert stranger.status_code == 404
        assert "/analysis" not in Page(stranger.text).links
        assert "/sign-in" in Page(stranger.text).links


def test_what_is_nearby_is_named_in_the_language_of_the_page(client: TestClient) -> None:
    names = {"vi": "Đại sứ quán Việt Nam tại Nhật Bản", "en": "Embassy in Japan"}
    for lang, name in names.items():
        page = read(client, f"/missions/id-jakart?lang={lang}", 404)
        assert name in page.text
    far = read(client, "/projects/qqqqqq", 404)
    assert not [a for a in far.links if a.startswith("/projects/") and "qqqqqq" not in a]
    assert "/projects" in far.links


def test_values_are_printed_as_readers_write_them() -> None:
    assert usd_range(4.8e9, 4.8e9, "vi", estimated=True) == "≈\u00a04.800"
    assert usd_range(1.5e6, 2.25e8, "en") == "1.5–225"
    assert usd_range(None, 2e8, "vi") == "≤ 200"
    assert usd_range(None, None, "vi") is None
    assert any_day("2026-10-12", "vi") == "12/10/2026"
    assert any_day("2026-10-31", "vi", "month") == "10/2026"
    assert any_day("2026-12-31", "en", "year") == "2026"
    assert (percent(0.004, "vi"), percent(0.0, "vi"), percent(0.125, "vi")) == ("<\u00a01%", "0%", "12%")
    assert sources("own table ; https://a.example/x ; javascript:alert(1)") == [
        ("own table", None), ("a.example", "https://a.example/x"), ("javascript:alert(1)", None),
    ]  # fmt: skip
    commit = "b1987a62f9412564fa33c5e9193a65319bc504a3"
    assert sources(f"github a/b-c@{commit}:x y.csv") == [("a/b-c y.csv", f"https://github.com/a/b-c/blob/{commit}/x")]
    assert sources(f"a/b@{commit}:d/e.csv (Wikidata)") == [
        ("Wikidata", f"https://github.com/a/b/blob/{commit}/d/e.csv")
    ]
    assert sources(f"a/b@{commit}:d.csv (AOW.OL)")[0][0] == "a/b (AOW.OL)", "no words: the file keeps its name"
    long = f"https://unctad.org/x (via github a/b@{commit} c.dta)"
    assert sources(long) == [(f"unctad.org (via github a/b@{commit[:7]} c.dta)", "https://unctad.org/x")]
    assert "<details" not in cited(long, None, None, "en", "undated")
    told = cited(long, None, None, "en", "undated", "In full")
    assert '<a href="https://unctad.org/x" rel="noopener noreferrer external">UNCTAD</a>, undated' in told
    assert f'<summary>In full</summary><span lang="en">{long}</span>' in told
    assert "<details" not in cited("own table ; https://a.example/x", None, None, "en", "undated", "In full")
    assert url("/x", "en", {"a": "1", "b": ""}) == "/x?a=1&lang=en"
    assert url("/x", "vi") == "/x"


def test_local_names_get_the_language_of_their_script() -> None:
    assert present.local_language("日本水道", ["ja"]) == "ja"
    assert present.local_language("新興", ["zh-Hant"]) == "zh"
    assert present.local_language("トヨタ", None) == "ja"
    assert present.local_language("한국", ["en"]) == "ko"
    assert present.local_language("Électricité", ["fr"]) == "fr"
    assert present.local_language(None, ["fr"]) is None


def test_row_shows_the_two_strongest_for_the_strongest_against_and_all_unknown(world: FakeMatchmaker) -> None:
    directory = Directory(world.facts, missions=MISSIONS, accreditation=ACCREDITATION)
    fits, misses = present.rows(world.match(Query(project_id="HCMC-002"), n=5), directory, "vi")[::4]
    assert [b.statement for b in fits.strongest_for] == ["Cùng ngành", "Là doanh nghiệp"]
    assert misses.strongest_against is not None
    assert misses.strongest_against.statement == "Khác ngành"
    assert misses.unknown == ("Không rõ quy mô vốn",)
    assert [b.direction for b in misses.bars] == ["for", "against", "against", "missing"]
    assert fits.bars[0].width == present.BAR_HALF  # the largest contribution of the list fills its half
    for bar in misses.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= 2 * present.BAR_HALF
        assert bar.direction != "missing" or bar.width == 0


def test_both_environments_hold_every_template() -> None:
    for lang in language.LANGUAGES:
        env = environment(lang)
        for name in env.list_templates(extensions=["html"]):
            env.get_template(name)


def test_beside_the_reasons_stands_what_the_city_looks_for(client: TestClient) -> None:
    for path in ("/projects/HCMC-001", "/partners/Pjp", "/missions/id-jakarta", "/projects/HCMC-001/partners/Pjp"):
        text = read(client, path).text
        assert "Thành phố cần gì" in text, path
        assert "đã biết 2 trên 3 tiêu chí" in text, path
        assert "Chưa rà soát" in text, path
        assert "Nghị quyết 98/2023/QH15" in text, path
    english = read(client, "/projects/HCMC-001?lang=en").text
    assert "What the city looks for" in english
    assert "2 of 3 criteria known" in english


def test_a_stop_is_shown_with_its_source_and_removes_nobody(client: TestClient) -> None:
    page = read(client, "/projects/HCMC-001")
    assert "Dừng: phải kiểm tra" in page.text
    assert "https://example.org/un" in page.links
    assert "15/09/2017" in page.text


def test_the_order_is_one_click_away_and_keeps_the_filters(client: TestClient) -> None:
    page = read(client, "/projects/HCMC-001?country=JP")
    assert "/projects/HCMC-001?sort=both&country=JP" in page.links
    both = read(client, "/projects/HCMC-001?sort=both&country=JP")
    assert "/projects/HCMC-001?country=JP" in both.links
    assert "/v1/projects/HCMC-001/matches?country=JP&sort=both&n=200&format=xlsx&lang=vi" in both.links
    assert read(client, "/projects/HCMC-001?sort=city", 422).text


def test_a_list_says_why_the_first_is_ahead_of_the_second(client: TestClient) -> None:
    assert read(client, "/projects/HCMC-001").text.count("A xếp trên B.") == 1
    assert "A is ahead of B." in read(client, "/projects/HCMC-001?lang=en").text
    assert "A xếp trên B." not in read(client, "/partners/Pjp").text


def test_two_partners_are_compared_by_a_form(client: TestClient) -> None:
    answer = client.get(
        "/projects/HCMC-001/compare?first=Pjp&second=P288437fb&lang=en", headers=HTML, follow_redirects=False
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == "/projects/HCMC-001/compare?partner=Pjp&partner=P288437fb&lang=en"
    page = read(client, answer.headers["location"])
    assert "Compare partners" in page.text
    assert "DP World" in page.text
    assert "Difference in score" in page.text
    elsewhere = client.get(
        "/projects/..%2F..%2Fx/compare?first=%2F%2Fevil.example&second=b", headers=HTML, follow_redirects=False
    )
    assert not elsewhere.headers.get("location", "/projects/").startswith("//")
