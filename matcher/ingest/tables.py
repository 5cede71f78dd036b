"""Tables of facts read from CSV, strictly: every error names file, row, column, what was seen and what was expected.

The same reader serves `data/` and the CSV files of users. Rows are numbered as a spreadsheet shows them:
the heading is row 1. polars checks whole columns; single cells are looked at only to word an error.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from matcher.errors import InputError, SourceError
from matcher.ingest import SOURCES
from matcher.ingest.csvfile import MAX_ROWS, check_header, nearest, read_cells
from matcher.records import TABLES, Table
from matcher.text import nfc

MAX_CELL = 20_000  # characters
_SHOWN = 20  # errors that a message spells out
ROW = "#row"  # cannot collide with a column of ours

# What a spreadsheet would execute: '=', and a sign or '@' before a call, a reference or a link. A name such as
# "@Ventures", "-12.5" and "+84 28 …" are text; exports mark them as text.
_FORMULA = r"^[=＝]|^[+\-@＠][^\s]*[(!|=]|^[+\-@＠]\$?[A-Za-z]{1,3}\$?\d"
_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"
_MOST_USD, _MOST = 1e13, 1e18
"""Bounds of amounts: ten trillion dollars, and the same order in any currency of the tables."""
_YEARS = (1900, 2100)
# Anything that `nfc` could change; the cells found are then compared one by one.
_UNTIDY = r"^\s|\s$|\s\s|[^\S ]|\p{Cc}|[\u200b-\u200d\ufeff\u2028\u2029]"

_CODES = {"countries": "an ISO 3166-1 alpha-2 code", "isic": "an ISIC Rev.4 code"}
_PATTERNS: dict[type[pl.DataType], tuple[str, str]] = {
    pl.Int64: (r"^-?\d{1,18}$", "is not a whole number; write 12"),
    pl.Float64: (r"^-?\d+(\.\d+)?([eE][+-]?\d{1,2})?$", "is not a number; write 12.5"),
    pl.Decimal: (r"^-?\d{1,22}(\.\d{1,2})?$", "is not an amount; write 1200000 or 1200000.50"),
    pl.Date: (r"^\d{4}-\d{2}-\d{2}$", "is not a date; write 2026-11-22"),
    pl.Boolean: (r"^(true|false)$", "is not a flag; write true or false"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One cell that is not as it must be: where it stands, what was seen, what was expected.

    `sheet` is None in a CSV file; `row` is None where the whole file is meant.
    """

    sheet: str | None
    row: int | None
    column: str | None
    seen: str
    expected: str
    message: str

    def to_json(self) -> dict[str, Any]:
        """The cell as the API tells it."""
        return asdict(self)


class CellsError(InputError):
    """Cells of a file are wrong.

    Attributes:
        wrong: the first ones; `count` says how many there are.
    """

    def __init__(self, message: str, errors: list[dict[str, str]], wrong: tuple[Wrong, ...], count: int) -> None:
        super().__init__(message, errors)
        self.wrong, self.count = wrong, count


class Problems:
    """The errors of one file: all are counted, the first ones are spelled out.

    Args:
        shown: how many are spelled out.
    """

    def __init__(self, file: str, *, shown: int = _SHOWN) -> None:
        self.file = file
        self.shown = shown
        self.count = 0
        self.lines: list[str] = []
        self.errors: list[dict[str, str]] = []
        self.wrong: list[Wrong] = []
        self._sheet: str | None = None
        self._names: Mapping[str, str] = {}
        self._known: dict[tuple[str | None, str], set[int]] = {}

    def enter(self, sheet: str | None, names: Mapping[str, str]) -> None:
        """What follows is about this sheet of a workbook, whose columns have these names (ours -> theirs)."""
        self._sheet, self._names = sheet, names

    @property
    def room(self) -> int:
        """How many more will be spelled out."""
        return max(0, self.shown - len(self.lines))

    def add(self, frame: pl.DataFrame, column: str, why: str, expected: str) -> None:
        """Notes every row of a frame with the columns `#row` and `column`; of a cell only the first problem is told."""
        known = self._known.setdefault((self._sheet, column), set())
        frame = frame.filter(~pl.col(ROW).is_in(known)) if known else frame
        known.update(frame[ROW])
        self.count += frame.height
        for row, value in frame.select(ROW, column).head(self.room).iter_rows():
            self.note(row, column, value, why, expected)

    def note(self, row: int, column: str, value: object, why: str, expected: str) -> None:
        """Spells out the problem of one cell; the caller counts it."""
        seen = "" if value is None else str(value)
        seen = seen if len(seen) <= 80 else f"{seen[:77]}…"
        column = self._names.get(column, column)
        where = self.file if self._sheet is None else f'Sheet "{self._sheet}"'
        line = f'{where}, row {row}, column "{column}": "{seen}" {why}'
        self.lines.append(line)
        place = f"/{row}/{column}" if self._sheet is None else f"/{self._sheet}/{row}/{column}"
        self.errors.append({"pointer": place, "seen": seen, "expected": expected})
        self.wrong.append(
            Wrong(sheet=self._sheet, row=row, column=column, seen=seen, expected=expected, message=line)
        )  # fmt: skip

    def raise_if_any(self) -> None:
        """Raises CellsError with the first problems spelled out, row by row, and the others counted."""
        if not self.count:
            return
        more = self.count - len(self.lines)
        rest = [f"{self.file}: {more} more errors"] if more > 0 else []
        sheets = list(dict.fromkeys(w.sheet for w in self.wrong))
        by_row = sorted(range(len(self.wrong)), key=lambda i: (sheets.index(self.wrong[i].sheet), self.wrong[i].row))
        told = [self.wrong[i] for i in by_row]
        errors = [self.errors[i] for i in by_row]
        raise CellsError("\n".join([w.message for w in told] + rest), errors, tuple(told), self.count)


def read_csv(
    path: Path,
    columns: Mapping[str, pl.DataType],
    *,
    table: str | Table,
    required: Sequence[str] = (),
    known: Mapping[str, Collection[str]] | None = None,
    complete: bool = False,
    max_rows: int = MAX_ROWS,
) -> pl.DataFrame:
    """A CSV file as a typed frame with exactly `columns`; columns that the file lacks are null.

    Args:
        columns: the columns that may occur, with their types.
        table: the entry of `TABLES`, or a table that is not in it, whose key, choices and references hold.
        required: columns that must occur and hold a value in every row.
        known: table -> its keys; a column that refers to such a table, and `isic` lists, must name one of them.
        complete: as in `data/`: every column must occur, text must be tidy NFC, and there may be no rows.
            Otherwise text is brought to NFC, and a file without rows is refused.

    Raises:
        InputError: anything wrong; `errors` has `pointer` "/row/column" with what was seen and expected.
    """
    cells = read_cells(path, max_rows=max_rows)
    check_header(path.name, cells.columns, list(columns), list(columns) if complete else list(required))
    if not complete and cells.is_empty():
        raise InputError(f"{path.name}: there is a heading but no row; expected at least one row")
    problems = Problems(path.name)
    cells = tidy(cells, problems, strict=complete).with_row_index(ROW, offset=2)
    check_cells(cells, problems)
    frame = typed(cells, columns, problems)
    check_frame(frame, table, required, known or {}, problems)
    problems.raise_if_any()
    return frame.drop(ROW)


def read_table(name: str, directory: Path) -> pl.DataFrame:
    """One table of `data/` with the columns of `TABLES`, from one file or several that are concatenated.

    Raises:
        SourceError: a file is missing or does not follow the schema.
    """
    spec = TABLES[name]
    frames = []
    for file in SOURCES[name]:
        if not (directory / file).is_file():
            raise SourceError(f"{directory / file} is missing; restore it from the repository")
        try:
            part = read_csv(directory / file, spec.columns, table=name, required=spec.required, complete=True)
            frames.append(part)
        except InputError as e:
            raise SourceError(str(e)) from e
    frame = pl.concat(frames)
    again = frame.filter(pl.struct(spec.key).is_duplicated())
    if not again.is_empty():
        raise SourceError(f"{' and '.join(SOURCES[name])} both have {again.get_column(spec.key[0])[0]!r}")
    return frame


def read_all(directory: Path) -> dict[str, pl.DataFrame]:
    """Every table of facts by name, in the order of `TABLES`.

    Raises:
        SourceError: a file is missing or does not follow the schema.
    """
    return {name: read_table(name, directory) for name in TABLES}


def known_keys(tables: Mapping[str, pl.DataFrame]) -> dict[str, frozenset[str]]:
    """The keys of every table that has a single-column key, as `read_csv` wants them."""
    return {
        name: frozenset(frame.get_column(TABLES[name].key[0]).drop_nulls())
        for name, frame in tables.items()
        if len(TABLES[name].key) == 1
    }


def validate(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """What is wrong within and between tables, one sentence each; nothing when all is well.

    Checks columns and types, keys, required cells, choices, references, ISO and ISIC codes, NFC, and that
    dates, ranges and shares make sense.
    """
    found: list[str] = []
    known = known_keys(tables)
    for name, frame in tables.items():
        spec = TABLES[name]
        if dict(frame.schema) != dict(spec.columns):
            found.append(f"{name}: columns are {dict(frame.schema)}; expected {dict(spec.columns)}")
            continue
        problems = Problems(name)
        check_rows(frame.with_row_index(ROW, offset=2), name, known, problems)
        found += problems.lines
        if problems.count > len(problems.lines):
            found.append(f"{name}: {problems.count - len(problems.lines)} more errors")
    return found


def check_rows(frame: pl.DataFrame, name: str, known: Mapping[str, Collection[str]], problems: Problems) -> None:
    """Notes what breaks a table's rules in rows that have all of its columns, and `#row`."""
    spec = TABLES[name]
    check_frame(frame, name, spec.required, known, problems)
    for column in (c for c, t in spec.columns.items() if t == pl.String):
        untidy = frame.filter(_changed_by_nfc(frame.get_column(column)))
        problems.add(untidy, column, "is not tidy NFC text", "NFC, single spaces, no line break")
    _check_sense(frame, problems)


def _changed_by_nfc(values: pl.Series) -> pl.Series:
    """Which values `nfc` would change; null counts as no."""
    untidy = values.str.contains(_UNTIDY) | (values.str.normalize("NFC") != values)
    return untidy.fill_null(value=False)


def tidy(cells: pl.DataFrame, problems: Problems, *, strict: bool) -> pl.DataFrame:
    """Cells in NFC; in strict mode a cell that is not is an error."""
    done: list[pl.Series] = []
    for column in cells.get_columns():
        untidy = _changed_by_nfc(column)
        if not untidy.any():
            done.append(column)
            continue
        if strict:
            rows = cells.select(column).with_row_index(ROW, offset=2).filter(untidy)
            problems.add(rows, column.name, "is not tidy NFC text", "NFC, single spaces, no line break")
        originals = column.filter(untidy).unique().to_list()
        done.append(column.replace(originals, [nfc(v) for v in originals]))
    return pl.DataFrame(done)


def check_cells(cells: pl.DataFrame, problems: Problems) -> None:
    """Notes cells that a spreadsheet would execute and cells that are too long."""
    for column in cells.columns[1:]:
        text = pl.col(column)
        formula = cells.filter(text.str.contains(_FORMULA))
        problems.add(formula, column, "starts like a formula; write the value itself", "a value, no formula")
        long = cells.filter(text.str.len_chars() > MAX_CELL)
        problems.add(long, column, f"has more than {MAX_CELL:,} characters", f"at most {MAX_CELL} characters")


def typed(
    cells: pl.DataFrame,
    columns: Mapping[str, pl.DataType],
    problems: Problems,
    *,
    why_not: Mapping[type[pl.DataType], str] = MappingProxyType({}),
) -> pl.DataFrame:
    """The cells in their types; '' is null; a cell that cannot be read is noted and null.

    Args:
        why_not: what is said of such a cell instead of the usual words, by type.
    """
    done = [pl.col(ROW)]
    for column, dtype in columns.items():
        if column not in cells.columns:
            done.append(pl.lit(None, dtype=dtype).alias(column))
            continue
        text = pl.when(pl.col(column) != "").then(pl.col(column))
        if isinstance(dtype, pl.List):
            items = text.str.split("|")
            bad = items.list.eval((pl.element() == "") | (pl.element().str.strip_chars() != pl.element())).list.any()
            why = 'has an empty item or a space beside "|"; write a|b'
            problems.add(cells.filter(bad), column, why, "items joined by |")
            twice = cells.filter(items.list.n_unique() < items.list.len())
            problems.add(twice, column, "names an item twice", "each item once")
            done.append(items.alias(column))
        elif dtype == pl.String:
            done.append(text.alias(column))
        else:
            pattern, why = _PATTERNS[dtype.base_type()]
            why = why_not.get(dtype.base_type(), why)
            plain = pl.when(text.str.contains(pattern)).then(text)
            value = plain == "true" if dtype == pl.Boolean else plain.cast(dtype, strict=False)
            if dtype == pl.Date:
                value = plain.str.to_date("%Y-%m-%d", strict=False)
            if dtype == pl.Float64:
                value = pl.when(value.is_finite()).then(value)
            problems.add(cells.filter(text.is_not_null() & value.is_null()), column, why, why.split("; ")[-1])
            done.append(value.alias(column))
    return cells.select(done)


def check_frame(
    frame: pl.DataFrame,
    table: str | Table,
    required: Sequence[str],
    known: Mapping[str, Collection[str]],
    problems: Problems,
) -> None:
    """Notes what breaks the table's rules in a typed frame with `#row`."""
    spec = table if isinstance(table, Table) else TABLES[table]
    check_bounds(frame, problems)
    for column in required:
        problems.add(frame.filter(pl.col(column).is_null()), column, "is required and may not be empty", "a value")
    for column, allowed in spec.choices.items():
        if column in frame.columns:
            wrong = frame.filter(~pl.col(column).is_in(list(allowed)))
            problems.add(wrong, column, f"is not one of {', '.join(allowed)}", f"one of {', '.join(allowed)}")
    for column, target in spec.refs.items():
        if column in frame.columns and target in known:
            keys = set(known[target])
            if target == table:
                keys |= set(frame.get_column(spec.key[0]).drop_nulls())
            check_ref(frame, column, target, keys, problems)
    if "isic" in known and isinstance(frame.schema.get("isic"), pl.List):
        single = frame.select(ROW, "isic").explode("isic", empty_as_null=True, keep_nulls=True)
        check_ref(single, "isic", "isic", set(known["isic"]), problems)
    if table == "isic" and "isic" in known:
        check_ref(frame, "parent", "isic", set(known["isic"]), problems)
    if all(column in frame.columns for column in spec.key):
        check_key(frame, spec.key, problems)


def check_bounds(frame: pl.DataFrame, problems: Problems) -> None:
    """Notes amounts and days out of reach, and identifiers that cannot stand in an address or a list."""
    names = set(frame.columns)
    for column in (c for c in names if c.startswith(("value_", "ticket_")) and frame.schema[c].is_numeric()):
        most = _MOST_USD if "_usd" in column else _MOST
        wrong = frame.filter((pl.col(column) < 0) | (pl.col(column) > most))
        problems.add(wrong, column, f"is not an amount from 0 to {most:.0e}", f"0 to {most:.0e}")
    for column in (c for c in names if frame.schema[c] == pl.Date):
        wrong = frame.filter(~pl.col(column).dt.year().is_between(*_YEARS))
        problems.add(wrong, column, f"is not a day of {_YEARS[0]} to {_YEARS[1]}", "a day within reach")
    for column in {"project_id", "partner_id", "deal_id", "mission_id", "activity_id", "judged_by"} & names:
        wrong = frame.filter(~pl.col(column).str.contains(_IDENTIFIER))
        problems.add(
            wrong, column, "is no identifier; use letters of A to Z, digits and . _ : - (at most 100)", "an identifier"
        )


def check_ref(frame: pl.DataFrame, column: str, target: str, keys: set[str], problems: Problems) -> None:
    """Notes cells that name none of the keys of `target`; null is allowed."""
    wrong = frame.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(list(keys)))
    what = _CODES.get(target, f"a key of {target}")
    problems.count += wrong.height
    for row, value in wrong.select(ROW, column).head(problems.room).iter_rows():
        problems.note(row, column, value, f"is not in {target}{nearest(value, keys)}; expected {what}", what)


def check_key(frame: pl.DataFrame, key: Sequence[str], problems: Problems) -> None:
    """Notes rows that share their key with an earlier one."""
    again = frame.group_by(key, maintain_order=True).agg(pl.col(ROW)).filter(pl.col(ROW).list.len() > 1)
    again = again.filter(pl.any_horizontal(pl.col(c).is_not_null() for c in key))
    problems.count += again.height
    for found in again.head(problems.room).iter_rows(named=True):
        rows = found[ROW]
        value = " · ".join(str(found[c]) for c in key if found[c] is not None)
        also = " and ".join(str(r) for r in rows)
        problems.note(rows[1], ", ".join(key), value, f"occurs in rows {also}; expected once", "a value used once")


def _check_sense(frame: pl.DataFrame, problems: Problems) -> None:
    """Notes ranges turned round, shares outside 0–1, places off the globe and precisions without a date."""
    names = set(frame.columns)
    for low in (c for c in names if c.endswith("_min")):
        high = low.removesuffix("_min") + "_max"
        if high in names:
            problems.add(frame.filter(pl.col(low) > pl.col(high)), low, f"is more than {high}", f"at most {high}")
    for column, least, most in (("share", 0, 1), ("lat", -90, 90), ("lon", -180, 180)):
        if column in names:
            wrong = frame.filter(~pl.col(column).is_between(least, most))
            problems.add(wrong, column, f"is not between {least} and {most}", f"{least} to {most}")
    for column in (c for c in names if c.endswith("_precision")):
        day = column.removesuffix("_precision")
        day = day if day in names else f"{day}_on"
        if day in names:
            wrong = frame.filter((pl.col(column) != "none") == pl.col(day).is_null())
            problems.add(wrong, column, f"does not fit {day}; 'none' belongs to an empty date", "a precision that fits")
