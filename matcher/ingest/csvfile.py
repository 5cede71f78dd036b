"""A CSV file as text cells: encoding, structure and size are checked before anything is believed.

One pass over the bytes in blocks counts records and fields, so that a file of the wrong kind or of millions
of rows is refused within seconds and without being held in memory; only then does polars parse it.
"""

import codecs
import csv
import difflib
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl

from matcher.errors import InputError

MAX_ROWS = 200_000
MAX_BYTES = 512 * 1024 * 1024  # 200,000 rows of 2.5 kB; a single endless line must not fill the memory
_BLOCK = 4 * 1024 * 1024

_SAVE = 'save it as "CSV UTF-8 (comma delimited)" and try again'
_BOMS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
# Vietnamese Windows writes a tone as a mark of its own after the vowel; in no other 8-bit code page do
# these bytes regularly follow a vowel.
_VOWELS, _TONES = set("aeiouyăâêôơưAEIOUYĂÂÊÔƠƯ"), set("\u0300\u0301\u0303\u0309\u0323")


def refuse(file: str, what: str, *, pointer: str = "", seen: str = "", expected: str = "") -> NoReturn:
    """Raises the InputError for one problem that concerns the file as a whole."""
    raise InputError(f"{file}: {what}", [{"pointer": pointer, "seen": seen, "expected": expected}])


def nearest(name: str, among: Iterable[str]) -> str:
    """' (nearest: a, b)' or nothing: the names that resemble one that does not exist."""
    near = difflib.get_close_matches(name, list(among), n=3, cutoff=0.5)
    return f" (nearest: {', '.join(near)})" if near else ""


def read_cells(path: Path, *, max_rows: int = MAX_ROWS, separators: str = ",", name: str | None = None) -> pl.DataFrame:
    """Every cell of a CSV file as a string, empty cells as ''; the heading gives the column names.

    Args:
        separators: those that are understood; the heading tells which one the file has.
        name: of the file in messages; default: that of the path.

    Raises:
        InputError: not there, not UTF-8, NUL bytes, empty, another separator, a row with too few or too many
            cells, an unclosed quotation mark, a column named twice, more than `max_rows` rows.
    """
    file = name or path.name
    if not path.is_file():
        refuse(file, f"{path} is not a file; give the path of a CSV file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        refuse(file, f"{size:,} bytes are more than the {MAX_BYTES:,} that are read at once; split the file")
    with path.open("rb") as stream:
        head = stream.read(65536)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        refuse(file, "the file is empty; expected a heading and at least one row")
    _refuse_other_formats(file, head)
    separator = _separator(head, separators)
    _scan(path, file, max_rows, ord(separator))
    header = _header(file, head, separator)
    try:
        cells = pl.read_csv(path, separator=separator, infer_schema=False, quote_char='"', glob=False).fill_null("")
    except pl.exceptions.PolarsError as e:  # the scan lets no file through that is known to end here
        refuse(file, f"the file cannot be read as CSV: {str(e).splitlines()[0]}")
    if cells.width != len(header):  # a first line that one reader skips and the other takes for the heading
        refuse(file, f"the heading has {len(header)} names for {cells.width} columns; begin the file with the heading")
    cells.columns = header
    return cells


def _separator(head: bytes, separators: str) -> str:
    """The separator that divides the heading into most cells; the first one where none does."""
    line = head.decode("utf-8-sig", errors="ignore").partition("\n")[0]
    outside = "".join(line.split('"')[::2])
    return max(separators, key=outside.count)


@contextmanager
def in_utf8(path: Path, name: str) -> Iterator[Path]:
    """The file, or a copy in UTF-8 of one whose byte order mark says UTF-16, as Excel writes "Unicode text".

    Raises:
        InputError: it is not what its mark says.
    """
    with path.open("rb") as stream:
        mark = stream.read(2)
        if mark not in _BOMS:
            yield path
            return
        decoder = codecs.getincrementaldecoder("utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be")()
        with tempfile.TemporaryDirectory(prefix="matcher-import-") as room:
            copy = Path(room) / "copy.csv"
            with copy.open("wb") as out:
                try:
                    while block := stream.read(_BLOCK):
                        out.write(decoder.decode(block).encode())
                    decoder.decode(b"", final=True)
                except UnicodeError:
                    refuse(name, f"the file begins as UTF-16 but is damaged; {_SAVE}", seen="UTF-16", expected="UTF-8")
            yield copy


def _refuse_other_formats(file: str, head: bytes) -> None:
    if head.startswith(b"PK\x03\x04"):
        refuse(file, f"this is a zip archive, perhaps an Excel workbook, not a CSV file; open it in Excel and {_SAVE}")
    if b"\r" in head and b"\n" not in head:
        refuse(file, f"lines end with CR alone, as in old Macintosh files; {_SAVE}", seen="CR", expected="LF or CRLF")
    for bom, name in _BOMS.items():
        if head.startswith(bom):
            refuse(file, f"the text is encoded in {name}; expected UTF-8; {_SAVE}", seen=name, expected="UTF-8")
    if head.count(b"\0") * 5 > len(head):  # every other byte of Latin text is 0
        refuse(file, f"the text seems to be UTF-16; expected UTF-8; {_SAVE}", seen="UTF-16", expected="UTF-8")


def _guess_encoding(block: bytes) -> str:
    """The likely encoding of text that is not UTF-8."""
    text = block.decode("cp1258", errors="replace")
    marks = [i for i, c in enumerate(text) if c in _TONES]
    after_vowel = sum(1 for i in marks if i and text[i - 1] in _VOWELS)
    letters = sum(text.count(c) for c in "đơưăĐƠƯĂ")
    if (after_vowel >= 1 and after_vowel * 2 >= len(marks)) or (letters >= 3 and not marks):
        return "Windows-1258 (CP1258, Vietnamese)"
    return "an 8-bit code page such as Windows-1252"


def _header(file: str, head: bytes, separator: str) -> list[str]:
    text = head.decode("utf-8-sig", errors="ignore")  # the scan has proved UTF-8; the block may end inside a character
    header = [name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=separator))]
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        seen = ";" if ";" in header[0] else "tab"
        refuse(file, f"the cells are separated by {seen!r}; expected commas; {_SAVE}", seen=seen, expected=",")
    for i, name in enumerate(header):
        if not name:
            refuse(file, f"column {i + 1} has no name; name it or remove it", pointer="/1", expected="a column name")
        if name in header[:i]:
            refuse(
                file,
                f'column "{name}" occurs twice, as columns {header.index(name) + 1} and {i + 1}; keep one of them',
                pointer=f"/1/{name}", seen=name, expected="each column once",
            )  # fmt: skip
    return header


def _scan(path: Path, file: str, max_rows: int, separator: int) -> None:
    """Checks bytes and structure; reads no further than the first thing that is wrong."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    records = commas = open_quote = 0  # whole records so far; commas of the record at hand; 1 inside quotation marks
    expected: int | None = None
    last = 10  # the byte before the block
    with path.open("rb") as stream:
        if stream.read(3) != codecs.BOM_UTF8:
            stream.seek(0)
        while block := stream.read(_BLOCK):
            if (at := block.find(b"\0")) >= 0:
                row = records + 1 + block.count(b"\n", 0, at)
                refuse(file, f"row {row} holds a NUL byte; the file is damaged or not text; {_SAVE}", pointer=f"/{row}")
            try:
                decoder.decode(block)
            except UnicodeDecodeError as e:
                row = records + 1 + block.count(b"\n", 0, e.start)
                name = _guess_encoding(block)
                refuse(
                    file, f"row {row} is not UTF-8; the text seems to be encoded in {name}; {_SAVE}",
                    pointer=f"/{row}", seen=name, expected="UTF-8",
                )  # fmt: skip
            codes = np.frombuffer(block, dtype=np.uint8)
            inside = (np.cumsum(codes == 34, dtype=np.int64) + open_quote) & 1
            ends = np.flatnonzero((codes == 10) & (inside == 0))
            _refuse_stray_quote(file, codes, inside, last, open_quote, records, ends, separator)
            seen = np.cumsum((codes == separator) & (inside == 0), dtype=np.int64)
            per_record = np.diff(seen[ends], prepend=-commas)
            if ends.size:
                expected = int(per_record[0]) if expected is None else expected
                wrong = np.flatnonzero(per_record != expected)
                if wrong.size and records + wrong[0] <= max_rows:
                    _refuse_ragged(file, records + int(wrong[0]) + 1, int(per_record[wrong[0]]) + 1, expected + 1)
                commas = int(seen[-1] - seen[ends[-1]])
            else:
                commas += int(seen[-1])
            records += int(ends.size)
            if records - 1 > max_rows:
                refuse(
                    file, f"more than {max_rows:,} rows; split the file into parts of at most {max_rows:,} rows",
                    seen=f"more than {max_rows} rows", expected=f"at most {max_rows} rows",
                )  # fmt: skip
            open_quote, last = int(inside[-1]), block[-1]
    if open_quote:
        refuse(file, 'a quotation mark (") is never closed; double the mark where it belongs to the text ("")')
    if last != 10:  # the last record has no line end
        if expected is not None and commas != expected:
            _refuse_ragged(file, records + 1, commas + 1, expected + 1)
        records += 1
        if records - 1 > max_rows:
            refuse(file, f"more than {max_rows:,} rows; split the file into parts of at most {max_rows:,} rows")


def _refuse_stray_quote(
    file: str,
    codes: npt.NDArray[np.uint8],
    inside: npt.NDArray[np.int64],
    last: int,
    open_quote: int,
    records: int,
    ends: npt.NDArray[np.int64],
    separator: int,
) -> None:
    """Refuses a quotation mark that neither opens, nor closes, nor doubles: readers disagree on such a cell."""
    before = np.concatenate(([np.uint8(last)], codes[:-1]))
    was_inside = np.concatenate(([open_quote], inside[:-1]))
    opens_amid = (codes == 34) & (was_inside == 0) & ~np.isin(before, (10, 34, separator))
    closes_amid = (before == 34) & (was_inside == 0) & ~np.isin(codes, (10, 13, 34, separator))
    found = np.flatnonzero(opens_amid | closes_amid)
    if found.size:
        row = records + 1 + int(np.searchsorted(ends, found[0]))
        refuse(
            file,
            f'row {row} has a quotation mark (") inside a cell; put the whole cell in quotation marks and double '
            'the mark within it (""), as spreadsheets do',
            pointer=f"/{row}", seen='"', expected='""',
        )  # fmt: skip


def _refuse_ragged(file: str, row: int, cells: int, expected: int) -> NoReturn:
    why = "is blank; remove it" if cells == 1 else "quote a cell that contains the separator or a line break"
    what = f"row {row} {why}" if cells == 1 else f"row {row} has {cells} cells; the heading has {expected}; {why}"
    refuse(file, what, pointer=f"/{row}", seen=f"{cells} cells", expected=f"{expected} cells")


def check_header(file: str, header: Sequence[str], columns: Sequence[str], needed: Sequence[str]) -> None:
    """Raises InputError unless the heading has every needed column and none that is not in `columns`."""
    problems = []
    for name in header:
        if name not in columns:
            problems.append((name, f'column "{name}" is not known{nearest(name, columns)}', "a known column"))
    for name in needed:
        if name not in header:
            problems.append((name, f'column "{name}" is missing{nearest(name, set(header) - set(columns))}', name))
    if problems:
        raise InputError(
            f"{file}: " + "; ".join(text for _, text, _ in problems) + f". Known columns: {', '.join(columns)}",
            [{"pointer": f"/1/{n}", "seen": n if n in header else "", "expected": e} for n, _, e in problems],
        )
