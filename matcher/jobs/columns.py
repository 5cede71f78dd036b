"""How the columns of a file are read: which field each goes to, as far as that can be told at all."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from matcher.errors import InputError
from matcher.ingest import csvfile, headings, neutral, xlsxfile
from matcher.jobs.reading import SEPARATORS

MAX_BYTES = 4 << 20
"""A larger file is not read again only to show its columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a file, the field that it is read as (None: it is not read), and its first values."""

    sheet: str | None
    name: str
    field: str | None
    values: tuple[str, ...]


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
        frames = _frames(content, sheet, lambda cells: sum(field_of(c) is not None for c in cells))
    except InputError:
        return ()
    found = []
    for name, frame in frames:
        taken: set[str] = set()
        for column in frame.columns:
            field = field_of(column)
            if field in taken and column not in mapping:
                field = None
            taken |= {field} if field else set()
            values = tuple(dict.fromkeys(v for v in frame[column].head(20) if v))[:3]
            found.append(Column(sheet=name, name=column, field=field, values=values))
    return tuple(found)


def _frames(
    content: bytes, sheet: str | None, heading: Callable[[list[str]], int]
) -> list[tuple[str | None, pl.DataFrame]]:
    if content.startswith((xlsxfile.ZIP, xlsxfile.OLE)):
        sheets, _left = xlsxfile.read_sheets(content, "", sheet=sheet, heading=heading)
        return [(s.name, s.cells) for s in sheets]
    with tempfile.TemporaryDirectory(prefix="matcher-columns-") as room:
        path = Path(room) / "sent"
        path.write_bytes(content)
        with csvfile.in_utf8(path, "") as text:
            return [(None, csvfile.read_cells(text, separators=SEPARATORS, name=""))]
