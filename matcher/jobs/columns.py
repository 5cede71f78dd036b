"""How the columns of a file are read: which field each goes to, and what its first values become."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import polars as pl

from matcher.errors import InputError
from matcher.ingest import csvfile, headings, neutral, spoken, tables, xlsxfile
from matcher.ingest.tables import ROW, Problems
from matcher.ingest.xlsxfile import Sheet
from matcher.jobs.reading import SEPARATORS
from matcher.records import TABLES

MAX_BYTES = 4 << 20
"""A larger file is not read again only to show its columns."""
LOOKED_AT, SHOWN = 200, 3
"""Rows among which a column's first values are looked for, and how many of them are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A value as it is written, and as it will be stored; None: it is copied, or cannot be read.

    Attributes:
        own: the file itself says that it is a number or a date, so that its program shows it in its own way.
        doubtful: it could be another number, and other numbers of its sheet decided.
    """

    written: str
    stored: str | None
    own: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a file, the field that it is read as (None: it is not read), and its first values.

    Attributes:
        doubtful: how many different values could be read in two ways; of those the first stand in `doubts`.
    """

    sheet: str | None
    name: str
    field: str | None
    examples: tuple[Example, ...]
    doubts: tuple[Example, ...] = ()
    doubtful: int = 0

    @property
    def values(self) -> tuple[str, ...]:
        """The first values as they are written."""
        return tuple(e.written for e in self.examples)


def columns(content: bytes, *, kind: str, mapping: Mapping[str, str], sheet: str | None) -> tuple[Column, ...]:
    """The columns of a CSV file or a workbook; none where it cannot be read or is too large for a look.

    Args:
        mapping: file column -> field, for columns under another name.
        sheet: the one sheet that is read; None: every visible one.
    """
    if len(content) > MAX_BYTES:
        return ()
    fields = neutral.fields_of(kind)

    def field_of(column: str) -> str | None:
        if column in mapping:
            return mapping[column]
        found = column if column in fields else headings.field_of(column, kind)
        return found if found in fields else None

    try:
        sheets = _sheets(content, sheet, lambda cells: sum(field_of(c) is not None for c in cells))
    except InputError:
        return ()
    found = []
    for one in sheets:
        names: dict[str, str] = {}
        for column in one.cells.columns:
            field = field_of(column)
            if field and (field not in names.values() or column in mapping):
                names[column] = field
        read = _read(one, names, kind)
        for column in one.cells.columns:
            examples = read.get(column) or tuple(
                Example(written=v, stored=None) for v in dict.fromkeys(one.cells[column].head(LOOKED_AT)) if v
            )
            doubts = tuple(e for e in examples if e.doubtful)
            found.append(
                Column(sheet=one.name, name=column, field=names.get(column), examples=examples[:SHOWN],
                       doubts=doubts[:SHOWN], doubtful=len(doubts))
            )  # fmt: skip
    return tuple(found)


def _read(sheet: Sheet, names: Mapping[str, str], kind: str) -> dict[str, tuple[Example, ...]]:
    """Column -> its different values as they will be stored, of columns whose values are read and not only copied."""
    fields = neutral.fields_of(kind)
    types = {f: fields[f] for f in names.values() if fields[f] != pl.String or f in TABLES[kind].choices}
    once = {column: field for column, field in names.items() if list(names.values()).count(field) == 1}
    chosen = {column: field for column, field in once.items() if field in types}
    if not chosen or sheet.cells.is_empty():
        return {}
    unheard = Problems("", shown=0)
    cells = tables.tidy(sheet.cells.select(pl.col(c).alias(f) for c, f in chosen.items()), unheard, strict=False)
    cells = cells.insert_column(0, pl.Series(ROW, sheet.rows, pl.UInt32))
    own = None if sheet.own is None else sheet.own.select(pl.col(c).alias(f) for c, f in chosen.items())
    read = spoken.canonical(
        cells, kind, {f: types[f] for f in chosen.values()}, own=own,
        units={f: headings.split_unit(c)[1] for c, f in chosen.items()}, countries={},
        default=spoken.Way("." if all(c == f for c, f in names.items()) else None,
                           any(neutral.is_vietnamese(c) for c in names) or None),
        problems=unheard,
    )  # fmt: skip
    return {
        column: _examples(sheet.cells[column], read[field], None if own is None else own[field], types[field])
        for column, field in chosen.items()
    }


def _examples(written: pl.Series, read: pl.Series, own: pl.Series | None, dtype: pl.DataType) -> tuple[Example, ...]:
    """The different values of a column, in the order of the file."""
    found: dict[tuple[str, bool], Example] = {}
    for at, (text, value) in enumerate(zip(written, read, strict=True)):
        mine = own is not None and bool(own[at])
        if not text or (text, mine) in found:
            continue
        doubtful = dtype.is_numeric() and not mine and _reads(value, dtype) and spoken.number(text, None) is None
        found[text, mine] = Example(
            written=text, stored=value if _reads(value, dtype) else None, own=mine, doubtful=doubtful
        )
    return tuple(found.values())


def _reads(text: str, dtype: pl.DataType) -> bool:
    """The text, as a cell is read, is a value of its column; of others than numbers and days any is."""
    try:
        if dtype.is_numeric():
            return Decimal(text).is_finite()
        return dtype != pl.Date or bool(date.fromisoformat(text))
    except (InvalidOperation, ValueError):
        return False


def _sheets(content: bytes, sheet: str | None, heading: Callable[[list[str]], int]) -> list[Sheet]:
    if content.startswith((xlsxfile.ZIP, xlsxfile.OLE)):
        return list(xlsxfile.read_sheets(content, "", sheet=sheet, heading=heading)[0])
    with tempfile.TemporaryDirectory(prefix="matcher-columns-") as room:
        path = Path(room) / "sent"
        path.write_bytes(content)
        with csvfile.in_utf8(path, "") as text:
            cells = csvfile.read_cells(text, separators=SEPARATORS, name="")
    return [Sheet(name=None, cells=cells, rows=list(range(2, cells.height + 2)))]
