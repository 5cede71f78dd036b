"""The files of a match data set: their columns, and strict reading and writing of each of them."""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl

from matcher.errors import InputError
from matcher.ingest.csvfile import nearest, read_cells
from matcher.ingest.tables import ROW, Problems, check_bounds, check_key, check_ref, typed
from matcher.records import DAY, NUM, PARTNER_KINDS, PRECISIONS, ROLES, TEXT

MAX_ROWS = 5_000_000

COLUMNS: dict[str, dict[str, pl.DataType]] = {
    "projects": {
        "project_id": TEXT, "name": TEXT, "description": TEXT, "sector": TEXT, "isic": TEXT, "country": TEXT,
        "region": TEXT, "city": TEXT, "value_usd": NUM, "announced_on": DAY, "announced_precision": TEXT,
    },
    "partners": {
        "partner_id": TEXT, "name": TEXT, "country": TEXT, "kind": TEXT, "sector": TEXT, "description": TEXT,
    },
    "deals": {
        "project_id": TEXT, "partner_id": TEXT, "role": TEXT, "closed_on": DAY, "closed_precision": TEXT,
        "value_usd": NUM,
    },
    "queries": {"project_id": TEXT},
    "qrels": {"project_id": TEXT, "partner_id": TEXT},
    "answers": {"project_id": TEXT, "investor_country": TEXT},
}  # fmt: skip
"""File -> its columns with types, in file order."""

_KEYS: dict[str, tuple[str, ...]] = {
    "projects": ("project_id",), "partners": ("partner_id",),
    "deals": ("project_id", "partner_id", "role", "closed_on"),
    "queries": ("project_id",), "qrels": ("project_id", "partner_id"), "answers": ("project_id",),
}  # fmt: skip
_NEEDED: dict[str, tuple[str, ...]] = {
    "projects": ("project_id", "name"), "partners": ("partner_id", "name"), "deals": ("project_id", "partner_id"),
    "queries": ("project_id",), "qrels": ("project_id", "partner_id"), "answers": ("project_id",),
}  # fmt: skip
_CHOICES = {"kind": PARTNER_KINDS, "role": ROLES, "announced_precision": PRECISIONS, "closed_precision": PRECISIONS}
_PATTERNS = {
    "country": (r"^[A-Z]{2}$", "is not an ISO 3166-1 alpha-2 code; write two capitals", "two capitals"),
    "isic": (r"^([A-U]|\d{2})$", "is not an ISIC Rev.4 section letter or two-digit division", "a letter or two digits"),
}
_DATES = {"projects": ("announced_on", "announced_precision"), "deals": ("closed_on", "closed_precision")}
_UNDATED = ("drop", "train")


def read_about(path: Path) -> dict[str, Any]:
    """What `dataset.toml` says.

    Raises:
        InputError: missing, no TOML, or a key that decides how the set is read holds something else.
    """
    if not path.is_file():
        raise InputError("dataset.toml is missing; it must name the set and give split_on")
    try:
        about = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"dataset.toml is not TOML in UTF-8: {error}") from error
    for key, allowed in (("form", ("full", "blind")), ("undated_deals", _UNDATED)):
        if about.get(key, allowed[0]) not in allowed:
            raise InputError(f'dataset.toml, "{key}": {about[key]!r}; expected {" or ".join(allowed)}')
    if not isinstance(about.get("no_deals", False), bool):
        raise InputError(f'dataset.toml, "no_deals": {about["no_deals"]!r}; expected true or false')
    if not isinstance(about.get("name", ""), str):
        raise InputError(f'dataset.toml, "name": {about["name"]!r}; expected text')
    return about


def read_split(about: Mapping[str, Any]) -> date | None:
    """The last training day; None where the set gives none.

    Raises:
        InputError: it is no date.
    """
    value = about.get("split_on")
    if value is None or value == "":
        return None
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(value)):
            raise ValueError
        return date.fromisoformat(str(value))
    except ValueError:
        raise InputError(f'dataset.toml, "split_on": "{value}" is not a date; write "2018-12-31"') from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """The files of a folder, and what was found on the way.

    Attributes:
        missing: optional columns (`projects.region`), files and keys that are not there.
        warnings: sentence -> number of rows it is true of.
    """

    folder: Path
    missing: list[str] = field(default_factory=list)
    warnings: dict[str, int] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """The file of this name is there."""
        return (self.folder / f"{name}.csv").is_file()

    def digest(self, *others: Path) -> str:
        """sha256 over the contents of all files of the format and of others."""
        whole = hashlib.sha256()
        for path in (self.folder / "dataset.toml", *(self.folder / f"{name}.csv" for name in COLUMNS), *others):
            if path.is_file():
                content = path.read_bytes()
                whole.update(f"{path.name} {len(content)}\n".encode())
                whole.update(content)
        return whole.hexdigest()

    def read(
        self,
        name: str,
        *,
        refs: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        check: Callable[[pl.DataFrame, Problems], None] | None = None,
    ) -> pl.DataFrame:
        """One file, typed, checked and in order of its key; a column that it lacks is null.

        Args:
            refs: column -> (where its values must occur, those values).
            check: notes what else is wrong in the typed rows, which carry their numbers as `#row`.

        Raises:
            InputError: names row, column, what was seen and what was expected.
        """
        file, columns, key = f"{name}.csv", COLUMNS[name], _KEYS[name]
        cells = read_cells(self.folder / file, max_rows=MAX_ROWS)
        for column in _NEEDED[name]:
            if column not in cells.columns:
                near = nearest(column, [c for c in cells.columns if c not in columns])
                raise InputError(f'{file}: the column "{column}" is missing{near}; it has: {", ".join(cells.columns)}')
        self.missing.extend(f"{name}.{column}" for column in columns if column not in cells.columns)
        extra = [c for c in cells.columns if c not in columns] if name == "projects" else []
        problems = Problems(file)
        numbered = self._tidy(cells, file).with_row_index(ROW, offset=2)
        frame = typed(numbered, {**columns, **dict.fromkeys(extra, TEXT)}, problems)
        _check_cells(frame, name, problems)
        for column, (where, keys) in (refs or {}).items():
            check_ref(frame, column, where, set(keys), problems)
        if name in _DATES:
            frame = _dated(frame, *_DATES[name], problems, known=_DATES[name][0] in cells.columns)
        if check is not None:
            check(frame, problems)
        if all(column in cells.columns for column in key):
            check_key(frame, key, problems)
        problems.raise_if_any()
        once = frame.unique(subset=list(key), keep="first", maintain_order=True)
        if once.height < frame.height:  # rows that only a missing column told apart
            self.warnings[f"rows of {file} are alike in {', '.join(key)} and count once"] = frame.height - once.height
        if name == "partners":
            once = once.with_columns(pl.col("kind").fill_null("unknown"))
        return once.drop(ROW).sort(key)

    def _tidy(self, cells: pl.DataFrame, file: str) -> pl.DataFrame:
        """The cells in NFC and without blanks around them; those that were not are counted."""
        tidy = cells.select(pl.all().str.normalize("NFC").str.strip_chars())
        changed = sum(int((tidy[c] != cells[c]).sum()) for c in cells.columns)
        if changed:
            self.warnings[f"cells of {file} were not in Unicode NFC or had blanks around them"] = changed
        return tidy


def _check_cells(frame: pl.DataFrame, name: str, problems: Problems) -> None:
    """Notes cells that are empty and may not be, or that hold what the format does not know."""
    check_bounds(frame, problems)
    for column in _NEEDED[name]:
        problems.add(frame.filter(pl.col(column).is_null()), column, "is required and may not be empty", "a value")
    for column in (c for c in COLUMNS[name] if c in _CHOICES):
        allowed = ", ".join(_CHOICES[column])
        wrong = frame.filter(~pl.col(column).is_in(list(_CHOICES[column])))
        problems.add(wrong, column, f"is not one of {allowed}", f"one of {allowed}")
    for column in (c for c in COLUMNS[name] if c in _PATTERNS):
        pattern, why, expected = _PATTERNS[column]
        problems.add(frame.filter(~pl.col(column).str.contains(pattern)), column, why, expected)


def _dated(frame: pl.DataFrame, on: str, precision: str, problems: Problems, *, known: bool) -> pl.DataFrame:
    """Notes dates and precisions that contradict each other; a date without a precision is a day.

    Where the file has no column of dates (not `known`), precisions mean nothing.
    """
    if not known:
        return frame.with_columns(pl.lit("none").alias(precision))
    day, grain = pl.col(on), pl.col(precision)
    problems.add(frame.filter(day.is_null() & (grain != "none")), precision, f"has no {on}; write none", "none")
    undated = frame.filter(day.is_not_null() & (grain == "none"))
    problems.add(undated, precision, f"does not fit {on}; write day, month or year", "day, month or year")
    year = (grain == "year") & ((day.dt.month() != 1) | (day.dt.day() != 1))
    problems.add(frame.filter(year), on, "is known to the year; write YYYY-01-01", "1 January")
    month = (grain == "month") & (day.dt.day() != 1)
    problems.add(frame.filter(month), on, "is known to the month; write YYYY-MM-01", "the first of the month")
    return frame.with_columns(
        pl.when(day.is_null()).then(pl.lit("none")).otherwise(grain.fill_null("day")).alias(precision)
    )


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Writes a file; a number without a fraction is written as a whole number."""
    whole = [
        pl.when(pl.col(c) == pl.col(c).round()).then(pl.col(c).cast(pl.Int64).cast(pl.String))
        .otherwise(pl.col(c).cast(pl.String)).alias(c)
        for c, dtype in frame.schema.items() if dtype == NUM
    ]  # fmt: skip
    frame.with_columns(whole).write_csv(path, line_terminator="\n")


def as_toml(about: Mapping[str, Any]) -> str:
    """The text of `dataset.toml`."""
    return "".join(f"{_toml_key(key)} = {_toml_value(value)}\n" for key, value in about.items())


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ("\n" + "".join(f"  {_toml_value(v)},\n" for v in value) if value else "") + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml_key(str(k))} = {_toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
