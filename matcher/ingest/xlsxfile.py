"""An Excel workbook as text cells: its size, its kind and its extents are checked before it is unpacked for reading.

A workbook is a zip archive of XML. What it would unpack to is measured first; only the XML is kept, in a new archive
that says the truth about sizes, and a first pass over each sheet tells how far it reaches, which cells are text and
which hold an error. Only then are the values read.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers import expat

import fastexcel
import polars as pl

from matcher.errors import InputError
from matcher.ingest.csvfile import MAX_ROWS, nearest, refuse

MAX_BYTES = 64 * 1024 * 1024
MAX_UNPACKED = 200 * 1024 * 1024
MAX_CELLS, MAX_COLUMNS = 4_000_000, 500
MAX_PARTS = 2_000
HEADING_WITHIN = 20
"""Rows above the heading that may hold a title."""

ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOOK, _RELATIONS = "/".join(("xl", "workbook.xml")), "/".join(("xl", "_rels", "workbook.xml.rels"))
_SAVE = "open it in Excel and save it again as an Excel workbook (.xlsx)"
_MIDNIGHT = re.compile(r"^(\d{4}-\d{2}-\d{2}) 00:00:00$")
_PLACE = re.compile(r"^([A-Z]{1,3})([0-9]{1,7})$")
_VALUE = re.compile(r"^#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet: its cells as text under the names of its heading, and where they stand.

    Attributes:
        name: None for a CSV file.
        cells: '' where a cell is empty.
        rows: number of each row as Excel shows it.
        own: same shape: True where the program that wrote the file said itself that it is a number, date or flag.
        errors: cells that hold an error of Excel's: row, column, what it says.
    """

    name: str | None
    cells: pl.DataFrame
    rows: list[int]
    own: pl.DataFrame | None = None
    errors: tuple[tuple[int, str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class _Extent:
    """What the first pass over a sheet finds; rows and columns count from 0."""

    rows: int = 0
    columns: int = 0
    left: int = 2**14  # of the first column with a value, where the reader begins
    right: int = -1
    text: set[tuple[int, int]] = field(default_factory=set)
    errors: dict[tuple[int, int], str] = field(default_factory=dict)


def read_sheets(
    content: bytes, file: str, *, sheet: str | None, heading: Callable[[list[str]], int], max_rows: int = MAX_ROWS
) -> tuple[list[Sheet], dict[str, str]]:
    """The sheet of a name, or every visible one that is not empty; and the sheets that are left out, with the reason.

    Args:
        heading: how many of these cells are names of columns; the row with the most is the heading.

    Raises:
        InputError: no workbook, password-protected, damaged, too large, no such sheet, nothing in it.
    """
    parts = _parts(content, file)
    places = _places(parts, file)
    workbook = _open(parts, file)
    names = list(workbook.sheet_names)
    if sheet is not None and sheet not in names:
        refuse(
            file, f'there is no sheet "{sheet}"{nearest(sheet, names)}; it has {", ".join(names)}', seen=sheet,
            expected=f"one of {', '.join(names)}",
        )  # fmt: skip
    found: list[Sheet] = []
    left: dict[str, str] = {}
    total = 0
    for name in names if sheet is None else [sheet]:
        part = places.get(name)
        if part is None or part not in parts:
            left[name] = "holds no cells"
            continue
        extent = _scan(parts[part], file, name)
        total += extent.rows * extent.columns
        _refuse_large(file, name, extent, total, max_rows)
        loaded = _load(workbook, name, file)
        if sheet is None and loaded.visible != "visible":
            left[name] = "is hidden"
            continue
        made = _sheet(loaded.to_polars(), extent, file, name, heading)
        if made is None:
            left[name] = "is empty"
        else:
            found.append(made)
    if not found:
        why = "; ".join(f'sheet "{name}" {reason}' for name, reason in left.items())
        refuse(file, f"there is nothing to read ({why}); expected a heading and at least one row")
    return found, left


# --- the archive ------------------------------------------------------------------------------------------------------


def _parts(content: bytes, file: str) -> dict[str, bytes]:
    """The XML parts of the archive, unpacked.

    Raises:
        InputError: it is no such archive, or would unpack to too much.
    """
    if content.startswith(OLE):
        if "EncryptedPackage".encode("utf-16-le") in content:
            refuse(file, "the workbook is protected by a password; remove it (File, Info, Protect Workbook) and save")
        refuse(file, f"this is a workbook of the old format (.xls), or a damaged one; {_SAVE}", expected=".xlsx")
    if len(content) > MAX_BYTES:
        refuse(file, f"{len(content):,} bytes are more than the {MAX_BYTES:,} of a workbook; split it")
    parts: dict[str, bytes] = {}
    room = MAX_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [e for e in archive.infolist() if e.filename.lower().endswith((".xml", ".rels"))]
            if len(archive.infolist()) > MAX_PARTS:
                refuse(file, f"the workbook has more than {MAX_PARTS:,} parts; {_SAVE}")
            for entry in entries:
                if entry.flag_bits & 1:
                    refuse(file, "the workbook is protected by a password; remove it and save")
                with archive.open(entry) as stream:
                    parts[entry.filename.lstrip("/")] = data = stream.read(room + 1)
                room -= len(data)
                if room < 0:
                    refuse(
                        file, f"the workbook unpacks to more than {MAX_UNPACKED // 2**20} MB; split it",
                        expected=f"at most {MAX_UNPACKED} bytes",
                    )  # fmt: skip
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError, struct.error) as error:
        _damaged(file, error)
    if _BOOK not in {name.lower() for name in parts}:
        refuse(file, f"this is a zip archive but no Excel workbook (.xlsx); {_SAVE}", expected="an Excel workbook")
    return parts


def _damaged(file: str, error: Exception) -> NoReturn:
    said = (str(error).splitlines() or [""])[0]
    raise InputError(
        f"{file}: the workbook is damaged or incomplete ({said}); {_SAVE}",
        [{"pointer": "", "seen": said, "expected": "a whole workbook"}],
    ) from error


def _open(parts: Mapping[str, bytes], file: str) -> Any:
    """The workbook of these parts: an archive of ours, whose sizes are those that were measured."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    try:
        return fastexcel.read_excel(packed.getvalue())
    except fastexcel.FastExcelError as error:
        _damaged(file, error)


def _load(workbook: Any, name: str, file: str) -> Any:
    try:
        return workbook.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
    except fastexcel.FastExcelError as error:
        _damaged(file, error)


# --- XML --------------------------------------------------------------------------------------------------------------


def _parse(
    data: bytes,
    file: str,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] = lambda _: None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Calls back for the elements of a part, named without their namespace.

    Raises:
        InputError: it is not XML, or declares entities, which no workbook does.
    """

    def doctype(*_: object) -> NoReturn:
        refuse(file, f"a part of the workbook declares a document type, which no spreadsheet program writes; {_SAVE}")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = lambda name, attributes: start(name.rpartition(":")[2], attributes)
    parser.EndElementHandler = lambda name: end(name.rpartition(":")[2])
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        _damaged(file, error)


def _places(parts: Mapping[str, bytes], file: str) -> dict[str, str]:
    """Sheet name -> the part that holds its cells."""
    ids: dict[str, str] = {}
    targets: dict[str, str] = {}

    def sheet(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            wanted = next((v for k, v in attributes.items() if k.rpartition(":")[2] == "id"), "")
            ids[attributes.get("name", "")] = wanted

    def relation(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("Type", "").rpartition("/")[2] == "worksheet":
            target = attributes.get("Target", "")
            targets[attributes.get("Id", "")] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"

    _parse(parts.get(_BOOK, b"<none/>"), file, sheet)
    _parse(parts.get(_RELATIONS, b"<none/>"), file, relation)
    return {name: targets[wanted] for name, wanted in ids.items() if wanted in targets}


def _scan(data: bytes, file: str, sheet: str) -> _Extent:
    """How far a sheet reaches, which of its cells are text and which are errors."""
    found = _Extent()
    at = [-1, -1]  # row, column
    held: list[str] = []
    error = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal error
        if name in ("v", "is"):
            found.left, found.right = min(found.left, at[1]), max(found.right, at[1])
            held.clear()  # of what stands before the value, a formula
        elif name == "row":
            number = attributes.get("r", "")
            at[0], at[1] = int(number) - 1 if number.isdecimal() and len(number) < 9 else at[0] + 1, -1
        elif name == "c":
            place = _PLACE.match(attributes.get("r", ""))
            if place:
                at[0], at[1] = int(place[2]) - 1, _column(place[1])
            elif "r" in attributes:
                refuse(file, f'sheet "{sheet}" has a cell at "{attributes["r"][:20]}", which is no place; {_SAVE}')
            else:
                at[1] += 1
            kind = attributes.get("t", "n")
            if kind in ("s", "str", "inlineStr"):
                found.text.add((at[0], at[1]))
            error = kind == "e"
            held.clear()
            found.rows, found.columns = max(found.rows, at[0] + 1), max(found.columns, at[1] + 1)
            if found.rows > 2**20 or found.columns > 2**14 or len(found.text) > MAX_CELLS:
                refuse(file, f'sheet "{sheet}" is larger than a sheet can be; {_SAVE}')

    def end(name: str) -> None:
        if name == "c" and error:
            said = "".join(held)
            found.errors[at[0], at[1]] = said if _VALUE.match(said) else "#ERROR!"

    def text(piece: str) -> None:
        if error:
            held.append(piece)

    _parse(data, file, start, end, text)
    return found


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _refuse_large(file: str, sheet: str, extent: _Extent, total: int, max_rows: int) -> None:
    if extent.rows > max_rows + HEADING_WITHIN:
        refuse(
            file, f'sheet "{sheet}" reaches down to row {extent.rows:,}, more than {max_rows:,} rows; split it, or '
            "delete the rows below the last record", seen=f"{extent.rows} rows", expected=f"at most {max_rows} rows",
        )  # fmt: skip
    if extent.columns > MAX_COLUMNS:
        refuse(
            file, f'sheet "{sheet}" has {extent.columns:,} columns, more than {MAX_COLUMNS}; delete those beside the '
            "records", seen=f"{extent.columns} columns", expected=f"at most {MAX_COLUMNS} columns",
        )  # fmt: skip
    if total > MAX_CELLS:
        refuse(file, f"the sheets have more than {MAX_CELLS:,} cells; split the workbook", seen=f"{total} cells")


# --- cells ------------------------------------------------------------------------------------------------------------


def _sheet(
    grid: pl.DataFrame, extent: _Extent, file: str, name: str, heading: Callable[[list[str]], int]
) -> Sheet | None:
    """The records below the heading; None where a sheet has no cell with anything in it."""
    offset = extent.left if extent.right >= 0 else 0
    if grid.width not in (0, extent.right - offset + 1):
        refuse(file, f'sheet "{name}" has cells that cannot be placed; {_SAVE}')
    width = offset + grid.width
    lines = [
        [*[""] * offset, *("" if v is None else _MIDNIGHT.sub(r"\1", v.strip()) for v in row)]
        for row in grid.iter_rows()
    ]
    filled = [i for i, line in enumerate(lines) if any(line) or any((i, c) in extent.errors for c in range(width))]
    if not filled:
        return None
    above = [i for i in filled if i <= filled[0] + HEADING_WITHIN]
    top = max(above, key=lambda i: (heading([v for v in lines[i] if v]), -i))
    if not heading([v for v in lines[top] if v]):
        top = filled[0]
    below = [i for i in filled if i > top]
    used = [c for c in range(width) if lines[top][c] or any(lines[i][c] or (i, c) in extent.errors for i in below)]
    titles: list[str] = []
    for c in used:
        title = " ".join(lines[top][c].split())
        if not title:
            refuse(
                file, f'sheet "{name}", row {top + 1}: column {_letters(c)} has cells but no name; name it or empty it',
                pointer=f"/{name}/{top + 1}", expected="a column name",
            )  # fmt: skip
        if title in titles:
            refuse(
                file, f'sheet "{name}": column "{title}" occurs twice; keep one of them',
                pointer=f"/{name}/{top + 1}/{title}", seen=title, expected="each column once",
            )  # fmt: skip
        titles.append(title)
    cells = {t: [lines[i][c] for i in below] for t, c in zip(titles, used, strict=True)}
    own = {
        t: [bool(lines[i][c]) and (i, c) not in extent.text for i in below] for t, c in zip(titles, used, strict=True)
    }
    errors = [
        (i + 1, t, extent.errors[i, c]) for i in below for t, c in zip(titles, used, strict=True)
        if (i, c) in extent.errors
    ]  # fmt: skip
    return Sheet(
        name=name, cells=pl.DataFrame(cells, schema=dict.fromkeys(titles, pl.String)), rows=[i + 1 for i in below],
        own=pl.DataFrame(own, schema=dict.fromkeys(titles, pl.Boolean)), errors=tuple(errors),
    )  # fmt: skip


def _letters(column: int) -> str:
    letters = ""
    number = column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
