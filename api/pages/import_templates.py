"""Empty workbooks to fill in: headings that the reader of files knows, with what belongs under each."""

import csv
import io
from collections.abc import Mapping
from typing import NamedTuple

import xlsxwriter

from api.language import _
from api.pages import telling
from api.schemas import Lang
from matcher.ingest import neutral
from matcher.records import TABLES

SHEETS: Mapping[str, str] = {
    "projects": _("Dự án"), "partners": _("Đối tác"), "deals": _("Thương vụ"), "activities": _("Hoạt động"),
}  # fmt: skip
MUST, MAY = _("Cần điền."), _("Để trống nếu chưa rõ.")
EXAMPLE = _("Ví dụ: %(value)s.")
ERROR_COLUMNS = (_("Trang tính"), _("Dòng"), _("Cột"), _("Đã ghi"), _("Cần sửa"))
"""Headings of the list of errors."""


class Heading(NamedTuple):
    """A column of a template: its field, its heading in both languages, and an example of a value."""

    field: str
    vi: str
    en: str
    example: str


TEMPLATES: Mapping[str, tuple[Heading, ...]] = {
    "projects": (
        Heading("project_id", "Mã dự án", "Project code", "HCMC-101"),
        Heading("name_vi", "Tên tiếng Việt", "Vietnamese name", "Cảng cạn Long Bình"),
        Heading("name_en", "Tên tiếng Anh", "English name", "Long Binh dry port"),
        Heading("description", "Mô tả", "description", "Cảng cạn 50 ha"),
        Heading("sector", "Lĩnh vực", "sector", "logistics"),
        Heading("country", "Quốc gia", "country", "VN"),
        Heading("place", "Địa điểm", "Location", "Long Bình, Thủ Đức"),
        Heading("area_ha", "Diện tích (ha)", "Area (ha)", "50"),
        Heading("value_usd", "Tổng vốn đầu tư (triệu USD)", "Total investment (million USD)", "120"),
        Heading("value_vnd", "Tổng vốn đầu tư (tỷ đồng)", "Total investment (billion VND)", "3000"),
        Heading("form", "Hình thức đầu tư", "Form of investment", "PPP"),
        Heading("status", "Tình trạng", "Project status", "đang kêu gọi"),
        Heading("agency", "Cơ quan chủ trì", "Lead agency", "Sở Tài chính"),
        Heading("announced_on", "Ngày công bố", "Announcement date", "31/10/2026"),
        Heading("notes", "Ghi chú", "Remarks", ""),
        Heading("source", "Nguồn", "source", "https://example.org/danh-muc"),
        Heading("source_on", "Ngày nguồn", "Source date", "31/10/2026"),
    ),
    "partners": (
        Heading("partner_id", "Mã đối tác", "Partner code", "example-1"),
        Heading("name", "Tên đối tác", "Partner name", "Example Harbour Works"),
        Heading("name_local", "Tên bản ngữ", "Local name", ""),
        Heading("country", "Quốc gia", "country", "JP"),
        Heading("kind", "Loại hình", "Partner type", "công ty"),
        Heading("sector", "Lĩnh vực hoạt động", "sector", "cảng biển"),
        Heading("description", "Giới thiệu", "Profile", ""),
        Heading("ticket_usd_min", "Mức đầu tư tối thiểu (triệu USD)", "Minimum investment (million USD)", "20"),
        Heading("ticket_usd_max", "Mức đầu tư tối đa (triệu USD)", "Maximum investment (million USD)", "200"),
        Heading("website", "Trang web", "Site", "https://example.org"),
        Heading("source", "Nguồn", "source", "https://example.org/annual-report"),
        Heading("source_on", "Ngày nguồn", "Source date", "31/10/2026"),
    ),
    "deals": (
        Heading("deal_id", "Mã thương vụ", "Deal code", "deal-1"),
        Heading("project_id", "Mã dự án", "Project code", "HCMC-001"),
        Heading("partner_id", "Mã đối tác", "Partner code", "example-1"),
        Heading("role", "Vai trò", "role", "nhà đầu tư"),
        Heading("status", "Tình trạng", "Deal status", "đã ký"),
        Heading("closed_on", "Ngày ký", "Closing date", "31/10/2026"),
        Heading("value_usd", "Giá trị (triệu USD)", "Deal value (million USD)", "120"),
        Heading("source", "Nguồn", "source", "https://example.org/news"),
        Heading("source_on", "Ngày nguồn", "Source date", "31/10/2026"),
    ),
    "activities": (
        Heading("activity_id", "Mã hoạt động", "Activity code", "activity-1"),
        Heading("kind", "Loại hoạt động", "Type", "forum"),
        Heading("name_vi", "Tên tiếng Việt", "Vietnamese name", "Diễn đàn đầu tư"),
        Heading("name_en", "Tên tiếng Anh", "English name", "Investment forum"),
        Heading("country", "Quốc gia", "country", "JP"),
        Heading("with_whom", "Đơn vị phối hợp", "Counterpart", ""),
        Heading("held_on", "Ngày tổ chức", "Date", "31/10/2026"),
        Heading("fact", "Nội dung", "Result", ""),
        Heading("source", "Nguồn", "source", "https://example.org/news"),
        Heading("source_on", "Ngày nguồn", "Source date", "31/10/2026"),
    ),
}
"""Kind of record -> the columns that are asked for most; files may have others."""


def headings(kind: str, lang: Lang) -> list[str]:
    """The headings of a template in the reader's language."""
    return [h.vi if lang == "vi" else h.en for h in TEMPLATES[kind]]


def as_csv(kind: str, lang: Lang) -> bytes:
    """The headings alone, as a CSV file that spreadsheet programs open in the right encoding."""
    out = io.StringIO(newline="")
    csv.writer(out).writerow(headings(kind, lang))
    return out.getvalue().encode("utf-8-sig")


def as_workbook(kind: str, lang: Lang) -> bytes:
    """The headings in a workbook that tells at each cell what belongs there, and offers the values of a list."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet(telling.say(SHEETS[kind], lang))
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        sheet.freeze_panes(1, 0)
        required = {*TABLES[kind].required} - {*neutral.filled(kind), "source"}
        for place, (heading, name) in enumerate(zip(TEMPLATES[kind], headings(kind, lang), strict=True)):
            sheet.write_string(0, place, name, bold)
            sheet.set_column(place, place, max(14, min(34, len(name) + 2)))
            sheet.data_validation(1, place, 2_000, place, _help(kind, heading, lang, heading.field in required))
    return out.getvalue()


def _help(kind: str, heading: Heading, lang: Lang, required: bool) -> dict[str, object]:
    """What Excel says at a cell of the column; a list of values where there is one."""
    said = [telling.say(MUST if required else MAY, lang)]
    if heading.example:
        said.append(telling.say(EXAMPLE, lang) % {"value": heading.example})
    title = telling.field_name(heading.field, lang, kind)[:32]
    shown: dict[str, object] = {"input_title": title, "input_message": " ".join(said)[:255]}
    choices = TABLES[kind].choices.get(heading.field)
    if choices:
        told = [telling.cell_word(code, f"{kind}.{heading.field}", lang) for code in choices]
        if all(told) and len(",".join(told)) <= 250 and not any("," in t for t in told):
            return shown | {"validate": "list", "source": told, "error_type": "warning"}
    return shown | {"validate": "any"}
