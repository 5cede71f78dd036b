"""Workbooks as an official makes them."""

import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import xlsxwriter

HEADING = ("STT", "Mã dự án", "Tên dự án", "Lĩnh vực", "Quốc gia", "Vốn (tỷ đồng)", "Ngày công bố", "Tình trạng")
GOOD = (
    (
        1,
        "DA-01",
        "Cảng trung chuyển Cần Giờ",
        "Cảng và logistics",
        "Việt Nam",
        12.5,
        date(2025, 3, 1),
        "Đang kêu gọi đầu tư",
    ),
    (2, "DA-02", "Nhà máy xử lý nước thải", "", "VN", "1.234,5", "31/12/2025", "Đã phê duyệt"),
    (3, "DA-03", "Tuyến metro số 9", "", "Việt Nam", "1.234", "01/02/2025", "calling"),
)
FAULTY = (
    *GOOD,
    (4, "DA-04", "Khu công nghệ", "", "Nhật Bổn", "12,5 ty", "31/02/2025", "đang mơ"),
    (5, "DA-01", "Trùng mã", "", "VN", "", "", "calling"),
    (6, "DA-06", "", "", "VN", 5, "", "calling"),
    (7, "DA-07", "=SUM(A1)", "", "", 5, "", "calling"),
)


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]], *, title: int = 0, hidden: Sequence[str] = ()) -> bytes:
    """An Excel workbook; `title` rows stand above each heading, text that looks like a formula stays text."""
    packed = io.BytesIO()
    with xlsxwriter.Workbook(packed, {"strings_to_formulas": False, "in_memory": True}) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            if title:
                sheet.write(0, 1, "DANH MỤC DỰ ÁN KÊU GỌI ĐẦU TƯ")
            for r, row in enumerate(rows, start=title):
                for c, value in enumerate(row):
                    if isinstance(value, date):
                        sheet.write_datetime(r, c, datetime(value.year, value.month, value.day), day)  # noqa: DTZ001
                    elif isinstance(value, str):
                        sheet.write_string(r, c, value) if value else None
                    else:
                        sheet.write(r, c, value)
    return packed.getvalue()
