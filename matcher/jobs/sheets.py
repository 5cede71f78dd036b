"""Match lists as flat rows for CSV and Excel; the same rows for command line and API."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from io import BytesIO

import polars as pl
import xlsxwriter

from matcher.records import DAY, INT, NUM, TEXT, Direction, Match, MatchList
from matcher.text import FORMULA_STARTS, day, number

COLUMNS: dict[str, pl.DataType] = {
    "rank": INT, "project_id": TEXT, "project_name": TEXT, "partner_id": TEXT, "partner_name": TEXT,
    "partner_country": TEXT, "partner_kind": TEXT, "score": NUM, "probability": NUM, "probability_low": NUM,
    "probability_high": NUM, "outcome": TEXT, "horizon_days": INT, "abstained": TEXT, "reasons_for": TEXT,
    "reasons_against": TEXT, "missing": TEXT, "city_value": NUM, "city_known": INT, "city_criteria": INT,
    "city_met": TEXT, "city_not_met": TEXT, "city_unknown": TEXT, "city_stop": TEXT, "as_of": DAY, "engine": TEXT,
}  # fmt: skip
_WIDTHS = {
    "rank": 6, "project_name": 44, "partner_name": 40, "reasons_for": 70, "reasons_against": 50, "missing": 50,
    "abstained": 36, "city_met": 44, "city_not_met": 36, "city_unknown": 44, "city_stop": 36, "engine": 22,
}  # fmt: skip


def rows(found: MatchList, lang: str) -> pl.DataFrame:
    """One row per match, with the columns of `COLUMNS`; names and reasons in `lang`."""
    return pl.DataFrame([_row(m, lang) for m in found.matches], schema=COLUMNS, orient="row")


def name(match: Match, lang: str) -> str:
    """The project's name in `lang`, else in the other language, else its identifier."""
    other = "en" if lang == "vi" else "vi"
    return match.project_name.get(lang) or match.project_name.get(other) or match.project_id


def to_csv(frame: pl.DataFrame) -> str:
    """A frame as CSV; a cell that a spreadsheet would run as a formula starts with an apostrophe."""
    text = [column for column, kind in frame.schema.items() if kind == TEXT]
    return frame.with_columns(
        pl.when(pl.any_horizontal([pl.col(column).str.starts_with(sign) for sign in FORMULA_STARTS]))
        .then("'" + pl.col(column))
        .otherwise(pl.col(column))
        .alias(column)
        for column in text
    ).write_csv()


def unmarked(column: str) -> pl.Expr:
    """A text column without the apostrophes that `to_csv` put before what a spreadsheet would run."""
    marked = pl.any_horizontal([pl.col(column).str.starts_with(f"'{sign}") for sign in FORMULA_STARTS])
    return pl.when(marked).then(pl.col(column).str.slice(1)).otherwise(pl.col(column)).alias(column)


def to_xlsx(found: MatchList, lang: str, asked: str) -> bytes:
    """An Excel workbook: the rows, and a sheet that says what was asked, as of when, of which engine."""
    vi = lang == "vi"
    return workbook(
        rows(found, lang), title="Kết quả" if vi else "Matches", about=about_list(found, lang, asked),
        about_title="Câu hỏi" if vi else "Question", widths=_WIDTHS,
    )  # fmt: skip


def workbook(
    frame: pl.DataFrame,
    *,
    title: str,
    about: Sequence[tuple[str, str]],
    about_title: str,
    widths: Mapping[str, float],
) -> bytes:
    """An Excel workbook: a sheet with the frame's rows, and one with labels and texts about them.

    Text is stored as text: nothing is run as a formula or turned into a link.
    """
    buffer = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(buffer, options) as book:
        wrap = book.add_format({"text_wrap": True, "valign": "top"})
        head = book.add_format({"bold": True, "bottom": 1, "valign": "top"})
        formats = {
            NUM: book.add_format({"num_format": "0.0000", "valign": "top"}),
            DAY: book.add_format({"num_format": "yyyy-mm-dd", "valign": "top"}),
        }
        sheet = book.add_worksheet(title)
        for place, (column, kind) in enumerate(frame.schema.items()):
            sheet.set_column(place, place, widths.get(column, 14), formats.get(kind, wrap))
            sheet.write_string(0, place, column, head)
        for line, row in enumerate(frame.iter_rows(), start=1):
            for place, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(line, place, value)
                elif value is not None:
                    sheet.write(line, place, value)
        sheet.freeze_panes(1, 0)
        if frame.height:
            sheet.autofilter(0, 0, frame.height, frame.width - 1)
        sheet.set_landscape()
        sheet.repeat_rows(0)
        second = book.add_worksheet(about_title)
        second.set_column(0, 0, 28, head)
        second.set_column(1, 1, 90, wrap)
        for line, (label, value) in enumerate(about):
            second.write_string(line, 0, label)
            second.write_string(line, 1, value)
    return buffer.getvalue()


def about_list(found: MatchList, lang: str, asked: str) -> list[tuple[str, str]]:
    """Label and text of everything a reader must know about a list: question, day, engine, coverage, notes."""
    vi = lang == "vi"
    chosen = {
        f.name: getattr(found.filters, f.name)
        for f in fields(found.filters)
        if getattr(found.filters, f.name) not in ((), None)
    }
    shown = "; ".join(f"{k} = {', '.join(v) if isinstance(v, tuple) else v}" for k, v in chosen.items())
    return [
        ("Câu hỏi" if vi else "Asked", asked),
        ("Bộ lọc" if vi else "Filters", shown or ("không" if vi else "none")),
        ("Tính đến ngày" if vi else "As of", day(found.as_of, lang)),
        ("Phiên bản mô hình" if vi else "Engine", found.engine),
        ("Số hồ sơ được so sánh" if vi else "Candidates", number(found.candidates, lang)),
        *(
            ((f"Có dữ liệu: {field}" if vi else f"Carry {field}"), f"{number(share * 100, lang, 1)}%")
            for field, share in found.coverage.items()
        ),
        *(("Lưu ý" if vi else "Note", note[lang]) for note in found.notes),
    ]


def _row(match: Match, lang: str) -> list[object]:
    p = match.probability
    return [
        match.rank, match.project_id, name(match, lang), match.partner_id, match.partner_name, match.partner_country,
        match.partner_kind, round(match.score, 6), p and p.value, p and p.low, p and p.high, p and p.outcome,
        p and p.horizon_days, match.abstained and match.abstained[lang], _reasons(match, "for", lang),
        _reasons(match, "against", lang), _reasons(match, "missing", lang), *_city(match, lang), match.as_of,
        match.engine,
    ]  # fmt: skip


def _city(match: Match, lang: str) -> list[object]:
    """The city's side: figure, criteria known and in all, those met, not met and not known, and what stops the pair."""
    side = match.city
    if side is None:
        return [None] * 7
    told = {
        outcome: "; ".join(c.statement[lang] for c in side.criteria if c.outcome == outcome) or None
        for outcome in ("yes", "no", "unknown")
    }
    stop = side.gate.statement[lang] if side.gate.state == "stop" else None
    value = None if side.value is None else round(side.value, 4)
    return [value, side.known, len(side.criteria), told["yes"], told["no"], told["unknown"], stop]


def _reasons(match: Match, direction: Direction, lang: str) -> str | None:
    return "; ".join(e.statement[lang] for e in match.evidence if e.direction == direction) or None
