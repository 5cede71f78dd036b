"""Files that are sent by a form: previewed, corrected, committed, taken back; every fault by sheet, row and column."""

import csv
import html
import io
import re
from typing import Any

import httpx2
import psycopg
import pytest
import xlsxwriter
from offices import JP, Offices

from api.pages import import_templates
from api.pages.import_templates import TEMPLATES
from matcher.ingest.headings import field_of, split_unit
from matcher.ingest.neutral import fields_of

HTML = {"accept": "text/html"}
CITY = "city.office"


def page(offices: Offices, path: str, status: int = 200) -> str:
    answer = offices.get(CITY, path, headers=HTML)
    assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:1500]}"
    return html.unescape(answer.text)


def workbook(sheets: dict[str, list[list[Any]]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                sheet.write_row(i, 0, row)
    return out.getvalue()


def send(offices: Offices, content: bytes | None, name: str = "danh-sach.csv", **fields: str) -> httpx2.Response:
    files = None if content is None else {"file": (name, content)}
    data = {"kind": "partners", **fields}
    return offices.ask(CITY, "POST", "/imports", data=data, files=files, headers=HTML)


def sent(offices: Offices, content: bytes, name: str = "danh-sach.csv", **fields: str) -> str:
    """The address of the preview of a file."""
    answer = send(offices, content, name, **fields)
    assert answer.status_code == 303, f"{answer.status_code} {html.unescape(answer.text)[:2500]}"
    return str(answer.headers["location"])


def step(offices: Offices, path: str, **fields: str) -> httpx2.Response:
    return offices.ask(CITY, "POST", path, data=fields, headers=HTML)


PARTNERS = "Mã đối tác,Tên đối tác,Quốc gia,Loại hình\nmoi-1,Cảng Kobe,Nhật Bản,công ty\n".encode()


def there(offices: Offices, partner: str) -> bool:
    return offices.get(CITY, f"/v1/partners/{partner}").status_code == 200


def test_the_first_page_offers_templates_and_a_form(offices: Offices) -> None:
    text = page(offices, "/imports")
    assert 'enctype="multipart/form-data"' in text
    for kind in TEMPLATES:
        assert f"/imports/template/{kind}?format=xlsx" in text
    assert 'class="empty"' in text


def test_a_file_is_previewed_committed_and_taken_back(offices: Offices) -> None:
    location = sent(offices, PARTNERS, source="Sở Ngoại vụ", source_on="31/10/2026")
    preview = page(offices, location)
    assert "Chưa ghi gì." in preview
    assert "bản ghi mới" in preview
    assert "Sở Ngoại vụ" in preview
    assert "31/10/2026" in preview
    assert f'action="{location}/commit"' in preview
    assert not there(offices, "moi-1")
    done = step(offices, f"{location}/commit", key="once")
    assert done.headers["location"] == f"{location}?done=imports.{location.rpartition('/')[2]}"
    assert step(offices, f"{location}/commit", key="once").headers["location"] == done.headers["location"]
    assert there(offices, "moi-1")
    notice = page(offices, done.headers["location"])
    assert "Đã ghi dữ liệu của tệp." in notice
    assert f'action="{location}/undo"' in notice
    undone = step(offices, f"{location}/undo")
    assert "done=undone." in undone.headers["location"]
    assert not there(offices, "moi-1")
    assert "Đã hoàn tác" in page(offices, location)
    again = step(offices, f"{location}/undo")
    assert again.status_code == 409
    assert "đã được hoàn tác trước đó" in html.unescape(again.text)


def test_a_form_that_is_sent_twice_keeps_one_file(offices: Offices) -> None:
    assert sent(offices, PARTNERS, key="one") == sent(offices, PARTNERS, key="one")
    with psycopg.connect(offices.url) as connection:
        assert connection.execute("SELECT count(*) FROM import").fetchone() == (1,)
    other = send(offices, PARTNERS.replace(b"moi-1", b"moi-2"), key="one")
    assert other.status_code == 409, "another file under the same key is not the same request"


def test_a_faulty_workbook_names_sheet_row_and_column(offices: Offices) -> None:
    rows = [["Mã dự án", "Tên dự án", "Vốn (tỷ đồng)", "Ngày công bố", "Quốc gia"],
            ["X-1", "Cảng thứ nhất", "12,5 ty", "31/10/2026", "VN"],
            ["X-2", "", 100, "32/10/2026", "Nước lạ"]]  # fmt: skip
    location = sent(offices, workbook({"Dự án": rows}), "du-an.xlsx", kind="projects")
    text = page(offices, location)
    assert "Tệp còn lỗi, chưa ghi gì." in text
    assert "/commit" not in text
    table = text[text.index('id="errors"') :]
    told = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r'<tr role="row">(.*?)</tr>', table, re.S)]
    lines = [" ".join(t) for t in told]
    assert any("Dự án" in t and "Dòng: 2" in t and "Vốn (tỷ đồng)" in t and "Hãy ghi như 12,5" in t for t in lines)
    assert any("Dòng: 3" in t and "Ngày công bố" in t and "Hãy ghi như 31/12/2026" in t for t in lines)
    assert any("Dòng: 3" in t and "Quốc gia" in t and "Không có quốc gia này" in t for t in lines)
    for english in ("is not", "expected", "write ", "Sheet "):
        assert english not in " ".join(lines), english
    answer = offices.get(CITY, f"{location}?errors=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    listed = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert listed[0] == ["Trang tính", "Dòng", "Cột", "Đã ghi", "Cần sửa"]
    assert ["Dự án", "2", "Vốn (tỷ đồng)", "12,5 ty"] in [row[:4] for row in listed]
    english_page = page(offices, f"{location}?lang=en")
    assert "This is not an amount" in english_page or "This is not a number" in english_page
    refused = step(offices, f"{location}/commit")
    assert refused.status_code == 409
    assert "còn lỗi" in html.unescape(refused.text)


def test_a_form_without_a_file_or_with_a_wrong_day_is_told_at_its_field(offices: Offices) -> None:
    bare = send(offices, None, source="Sở Ngoại vụ")
    text = html.unescape(bare.text)
    assert bare.status_code == 422
    assert "Chưa chọn tệp" in text
    assert 'href="#f-file"' in text
    assert 'value="Sở Ngoại vụ"' in text
    wrong = send(offices, PARTNERS, source_on="hôm qua")
    assert wrong.status_code == 422
    assert 'href="#f-source_on"' in html.unescape(wrong.text)


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "rong.csv", "Tệp trống"),
        (b"PK\x03\x04 no workbook", "hong.xlsx", "Excel"),
        ("Mã đối tác;Tên đối tác\n".encode("utf-16"), "utf16.csv", "."),
        ("Màu,Mùi\nđỏ,thơm\n".encode(), "la.csv", "Tệp không có cột nào của danh mục đối tác"),
        ("Mã đối tác,Tên đối tác\n".encode(), "khong-dong.csv", "chưa có dòng dữ liệu"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_told_in_words(
    offices: Offices, content: bytes, name: str, said: str
) -> None:
    text = page(offices, sent(offices, content, name))
    assert said in text
    assert "cả tệp" in text
    assert 'lang="en">' not in text[text.index("<main") :], "nothing is left in English"


def test_a_column_under_another_name_is_read_again_as_chosen(offices: Offices) -> None:
    content = "Số hiệu riêng,Tên đối tác,Quốc gia\nrieng-1,Cảng Osaka,JP\n".encode()
    location = sent(offices, content)
    text = page(offices, location)
    assert "Tệp thiếu cột “Mã đối tác”" in text
    assert "Số hiệu riêng" in text
    assert "rieng-1" in text
    number = location.rpartition("/")[2]
    answer = offices.ask(CITY, "POST", "/imports", headers=HTML, data={
        "again": number, "c0": "partner_id", "c1": "name", "c2": "country",
    })  # fmt: skip
    assert answer.status_code == 303, html.unescape(answer.text)[:2000]
    again = str(answer.headers["location"])
    assert again != location
    assert "bản ghi mới" in page(offices, again)
    assert step(offices, f"{again}/commit").status_code == 303
    assert there(offices, "rieng-1")


def test_changes_are_shown_before_and_after(offices: Offices) -> None:
    text = page(offices, sent(offices, f"partner_id,name,description\n{JP},Kobe Port,Mô tả mới\n".encode()))
    assert "Ví dụ về thay đổi" in text
    assert "Mô tả mới" in text
    assert "bản ghi thay đổi" in text


def test_an_unread_column_is_a_warning_in_words(offices: Offices) -> None:
    text = page(
        offices, sent(offices, PARTNERS.replace(b"\n", ",Ghi chú lạ\n".encode(), 1).replace(b"ty\n", b"ty,x\n"))
    )
    assert "Cột “Ghi chú lạ” không được đọc." in text


def test_the_list_can_be_filtered(offices: Offices) -> None:
    good = sent(offices, PARTNERS, "tot.csv")
    sent(offices, b"", "xau.csv")
    text = page(offices, "/imports?state=refused")
    assert "xau.csv" in text
    assert "tot.csv" not in text
    assert good in page(offices, "/imports?kind=partners")
    assert offices.get(CITY, "/imports?state=x", headers=HTML).status_code == 422


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("kind", sorted(TEMPLATES))
def test_the_headings_of_a_template_are_those_that_the_reader_knows(kind: str, lang: str) -> None:
    for heading in TEMPLATES[kind]:
        name = heading.vi if lang == "vi" else heading.en
        assert (name if name in fields_of(kind) else field_of(name, kind)) == heading.field, name
        unit = split_unit(name)[1]
        assert ("usd" in heading.field) == (unit.of == "usd"), name
    assert len({h.field for h in TEMPLATES[kind]}) == len(TEMPLATES[kind])


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_a_template_that_is_filled_in_is_read(offices: Offices, lang: str, form: str) -> None:
    answer = offices.get(CITY, f"/imports/template/partners?format={form}&lang={lang}")
    assert answer.status_code == 200
    assert form in answer.headers["content-disposition"]
    assert "chưa có dòng dữ liệu" in page(offices, sent(offices, answer.content, f"mau.{form}")) or form == "xlsx"
    values = [h.example for h in TEMPLATES["partners"]]
    names = import_templates.headings("partners", "vi" if lang == "vi" else "en")
    location = sent(offices, workbook({"x": [names, values]}), "day.xlsx")
    text = page(offices, location)
    assert "Chưa ghi gì." in text, text[text.index("<main") :][:3000]


def test_missions_and_analysts_have_no_imports(offices: Offices) -> None:
    for login in ("tokyo.desk", "figures"):
        assert offices.get(login, "/imports", headers=HTML).status_code == 403
        assert (
            offices.ask(login, "POST", "/imports", files={"file": ("a.csv", PARTNERS)}, headers=HTML).status_code == 403
        )


def test_a_large_file_is_taken_and_a_larger_one_refused(offices: Offices) -> None:
    row = "moi-{n},Cảng số {n},JP,{pad}\n"
    many = "".join(row.format(n=n, pad="x" * 900) for n in range(2_000))
    content = f"partner_id,name,country,description\n{many}".encode()
    assert len(content) > 1 << 20
    assert "2.000" in page(offices, sent(offices, content, "lon.csv"))
    assert send(offices, b"x" * (21 << 20), "qua-lon.csv").status_code == 413


def test_a_preview_shows_what_will_be_stored_before_it_asks_for_the_write(offices: Offices) -> None:
    rows = 'Mã dự án,Tên dự án,Vốn (tỷ đồng),Quốc gia\nN-1,Cảng mới,"12,5",VN\nN-2,Cầu mới,1.234,VN\n'
    location = sent(offices, (rows + "".join(f"N-{i},Bến {i},7,VN\n" for i in range(3, 6))).encode(), kind="projects")
    text = page(offices, location)
    assert re.search(r"12,5 → <strong>12\.500\.000\.000\s+đồng</strong>", text), "billions are applied, and it is seen"
    doubt = text[text.index('id="warnings"') : text.index('id="new"')]
    assert "1 số có thể hiểu hai cách" in doubt
    assert re.search(r"1\.234 → 1\.234\.000\.000\.000\s+đồng", doubt)
    new = text[text.index('id="new"') : text.index('id="read"')]
    for told in (
        "Cảng mới",
        "N-1",
        "Cầu mới",
        "Bến 3",
        "12.500.000.000\u00a0VND",
        "đang kêu gọi",
        "Còn 2 bản ghi mới khác",
    ):
        assert told in new, told
    assert "Bến 4" not in new
    assert text.index('id="read"') < text.index(f'action="{location}/commit"'), "the button stands below what it writes"
    english = page(offices, f"{location}?lang=en")
    assert re.search(r"12,5 → <strong>12,500,000,000\s+VND</strong>", english)
    done = step(offices, f"{location}/commit")
    assert done.status_code == 303, "the preview is what is written"


def test_a_number_that_the_file_itself_knows_is_no_doubt(offices: Offices) -> None:
    rows = [["Mã dự án", "Tên dự án", "Vốn (tỷ đồng)", "Quốc gia"], ["E-1", "Cảng", 1.234, "VN"]]
    text = page(offices, sent(offices, workbook({"Dự án": rows}), "so.xlsx", kind="projects"))
    assert "hiểu hai cách" not in text
    assert re.search(r"1,234 → <strong>1\.234\.000\.000\s+đồng</strong>", text)
