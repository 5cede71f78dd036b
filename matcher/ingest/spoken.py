"""Numbers, dates, flags, codes and lists as people write them -> as our reader wants them; what is unclear is noted.

`1.234,5` and `1,234.5` are the same number. `1.234` alone is 1234 to one reader and 1.234 to the other: other numbers
of the sheet decide, and where none does the cell is refused. So it is with 01/02/2020.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import NamedTuple

import polars as pl

from matcher.ingest import headings
from matcher.ingest.headings import Unit
from matcher.ingest.tables import ROW, Problems
from matcher.records import TABLES
from matcher.text import fold

WHY_NOT: Mapping[type[pl.DataType], str] = {
    pl.Int64: "is not a whole number; write 12",
    pl.Float64: "is not a number; write 12.5 or 12,5",
    pl.Decimal: "is not an amount; write 1200000, 1.200.000 or 1200000,50",
    pl.Date: "is not a date; write 31/12/2026 or 2026-12-31",
    pl.Boolean: "is not a flag; write true or false (có or không)",
}

_BOTH = {
    ",": re.compile(r"^-?\d{1,3}(\.\d{3})+,\d+$"), ".": re.compile(r"^-?\d{1,3}(,\d{3})+\.\d+$"),
}  # fmt: skip
_GROUPED = {",": re.compile(r"^-?\d{1,3}(\.\d{3}){2,}$"), ".": re.compile(r"^-?\d{1,3}(,\d{3}){2,}$")}
_SINGLE = re.compile(r"^-?\d+([.,])\d+$")
_UNCLEAR = re.compile(r"^-?[1-9]\d{0,2}[.,]\d{3}$")
_SPACED = re.compile(r"^-?\d{1,3}( \d{3})+([.,]\d+)?$")
_PLAIN = re.compile(r"^-?\d+(\.\d+)?([eE][+-]?\d{1,2})?$")
_DAY = re.compile(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})$")
_YEAR_FIRST = re.compile(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})$")
_TIMED = re.compile(r"^(\d{4}-\d{2}-\d{2})[ T]\d{2}:\d{2}:\d{2}(\.\d+)?$")


class Way(NamedTuple):
    """How the numbers and dates of one sheet are written: the decimal mark, and whether the day comes first."""

    mark: str | None
    day_first: bool | None


def mark_of(text: str) -> str | None:
    """The decimal mark that a number gives away; None when it could be either, or is no such number."""
    text = text.replace(" ", "") if _SPACED.match(text) else text
    for mark in ",.":
        if _BOTH[mark].match(text) or _GROUPED[mark].match(text):
            return mark
    found = _SINGLE.match(text)
    return found[1] if found and not _UNCLEAR.match(text) else None


def number(text: str, mark: str | None) -> str | None:
    """The number in plain digits with a point; the text itself when it is none; None when it could be two numbers."""
    text = text.replace(" ", "") if _SPACED.match(text) else text
    if _UNCLEAR.match(text):
        if mark is None:
            return None
    else:
        mark = mark_of(text)
    if mark is None or not re.fullmatch(r"-?[\d.,]+", text):
        return text
    plain = text.replace("." if mark == "," else ",", "").replace(",", ".")
    return plain if _PLAIN.match(plain) else text


def scaled(text: str, unit: Unit) -> str:
    """The plain number in ones instead of units; a text that is no number stays."""
    if unit.scale == 1 or not _PLAIN.match(text):
        return text
    return f"{(Decimal(text) * unit.scale).normalize():f}"


def day(text: str, *, day_first: bool | None) -> str | None:
    """The date as YYYY-MM-DD; the text itself when it is none; None when it could be two dates."""
    timed, year_first, written = _TIMED.match(text), _YEAR_FIRST.match(text), _DAY.match(text)
    if timed:
        return timed[1]
    if year_first:
        return _iso(int(year_first[1]), int(year_first[2]), int(year_first[3])) or text
    if not written:
        return text
    first, second, year = (int(part) for part in written.groups())
    if first <= 12 and second <= 12 and first != second and day_first is not True:
        return None
    return _iso(year, second, first) or text


def _iso(year: int, month: int, of_month: int) -> str | None:
    try:
        return date(year, month, of_month).isoformat()
    except ValueError:
        return None


def way_of(cells: pl.DataFrame, types: Mapping[str, pl.DataType], own: pl.DataFrame | None, default: Way) -> Way:
    """How a sheet is written, by those of its numbers and dates that can be read in one way only."""
    marks: set[str] = set()
    first: set[bool] = set()
    for column, dtype in types.items():
        values = cells[column] if own is None else cells[column].filter(~own[column])
        if dtype.is_numeric():
            marks |= {mark for text in values.unique() if (mark := mark_of(text))}
        elif dtype == pl.Date:
            parts = [_DAY.match(text) for text in values.unique()]
            first |= {int(p[1]) > 12 for p in parts if p and max(int(p[1]), int(p[2])) > 12}
    mark = marks.pop() if len(marks) == 1 else (None if marks else default.mark)
    return Way(mark=mark, day_first=first.pop() if len(first) == 1 else (None if first else default.day_first))


def canonical(
    cells: pl.DataFrame,
    kind: str,
    types: Mapping[str, pl.DataType],
    *,
    own: pl.DataFrame | None,
    units: Mapping[str, Unit],
    countries: Mapping[str, str],
    default: Way,
    problems: Problems,
) -> pl.DataFrame:
    """The cells as `tables.typed` reads them; a cell that could mean two things is noted and empty.

    Args:
        cells: text under the names of our fields, with `#row`.
        own: True where the file itself says that a cell is a number or a date.
        units: field -> unit of its column.
        countries: folded name -> code.
        default: how to read the sheet where none of its cells tells.
    """
    way = way_of(cells, types, own, default)
    done = [cells[ROW]]
    for column, dtype in types.items():
        values = cells[column]
        unit = units.get(column, headings.ONE)
        read = _reader(kind, column, dtype, way, unit, countries)
        if read is None:
            done.append(values)
            continue
        texts = {text: read(text) for text in values.unique() if text}
        unclear = [text for text, value in texts.items() if value is None]
        if own is not None and dtype.is_numeric():
            said = {t: scaled(t, unit) for t in values.filter(own[column]).unique()}
            values = pl.Series(
                column,
                [said[t] if mine else texts.get(t, "") or "" for t, mine in zip(values, own[column], strict=True)],
                pl.String,
            )
            doubt = cells.filter(cells[column].is_in(unclear) & ~own[column])
        else:
            doubt = cells.filter(values.is_in(unclear))
            values = values.replace(list(texts), ["" if v is None else v for v in texts.values()])
        for text in doubt[column].unique(maintain_order=True):
            why, expected = _doubt(text, dtype)
            problems.add(doubt.filter(pl.col(column) == text), column, why, expected)
        done.append(values)
    return pl.DataFrame(done)


def _doubt(text: str, dtype: pl.DataType) -> tuple[str, str]:
    if dtype == pl.Date:
        one, two, year = _DAY.match(text).groups()  # type: ignore[union-attr]  # only such a text is in doubt
        choice = f"{_iso(int(year), int(two), int(one))} or {_iso(int(year), int(one), int(two))}"
        return f"can be two dates; write {choice}", choice
    bare = re.sub(r"[., ]", "", text)
    choice = f"{bare} or {bare[:-3]}.{bare[-3:]}0"
    return f"can be two numbers; write {choice}", choice


def _reader(
    kind: str, column: str, dtype: pl.DataType, way: Way, unit: Unit, countries: Mapping[str, str]
) -> Callable[[str], str | None] | None:
    """What reads the cells of a column; None when they stay as they are."""
    table = TABLES[kind]
    read: Callable[[str], str | None] | None = None
    if dtype.is_numeric():
        read = partial(_amount, mark=way.mark, unit=unit)
    elif dtype == pl.Date:
        read = partial(day, day_first=way.day_first)
    elif dtype == pl.Boolean:
        read = _flag
    elif isinstance(dtype, pl.List):
        read = _list
    elif column in table.choices:
        read = partial(_code, kind=kind, column=column)
    elif table.refs.get(column) == "countries":
        read = partial(_country, countries=countries)
    return read


def _amount(text: str, *, mark: str | None, unit: Unit) -> str | None:
    read = number(text, mark)
    return None if read is None else scaled(read, unit)


def _list(text: str) -> str:
    return "|".join(dict.fromkeys(p.strip() for p in re.split(r"[|;,]", text) if p.strip()))


def _code(text: str, *, kind: str, column: str) -> str:
    return headings.code_of(text, kind, column) or text


def _country(text: str, *, countries: Mapping[str, str]) -> str:
    return countries.get(fold(text), text)


def _flag(text: str) -> str:
    plain = fold(text).strip()
    return "true" if plain in headings.TRUE else "false" if plain in headings.FALSE else text
