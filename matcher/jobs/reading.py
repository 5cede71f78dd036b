"""A file of a user as rows of one of our tables: every sheet, every error, before anything is decided."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from matcher.errors import InputError
from matcher.ingest import csvfile, headings, neutral, spoken, tables, xlsxfile
from matcher.ingest.tables import ROW, Problems
from matcher.ingest.xlsxfile import Sheet
from matcher.matching.reciprocal import VND_PER_USD
from matcher.records import PROVENANCE, TABLES, Reference
from matcher.text import fold

SHOWN = 200
"""Errors of a file that are told one by one; the others are counted."""
SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a file is to be read.

    Attributes:
        source: who says so, for rows whose file has no `source` column.
        sheet: the one sheet of a workbook that is read; None: every visible one.
        mapping: file column -> field, for columns under another name.
    """

    source: str
    source_on: date | None = None
    licence: str | None = None
    sheet: str | None = None
    mapping: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a file is checked against: the table as it stands, the reference tables, the keys that may be named."""

    present: pl.DataFrame
    reference: Reference
    keys: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of a file with exactly the columns of the table.

    Attributes:
        places: sheet (None in a CSV file) and row of each.
        warnings: sentence -> number of rows it is true of.
    """

    frame: pl.DataFrame
    places: list[tuple[str | None, int]]
    warnings: Mapping[str, int]


def read(path: Path, *, file: str, kind: str, options: Options, known: Known) -> Rows:
    """The rows of a CSV file or a workbook.

    Args:
        file: its name in messages.

    Raises:
        InputError: the file as a whole is wrong, or (CellsError) cells are, all of which are told.
    """
    sheets, warnings = _sheets(path, file=file, kind=kind, options=options)
    problems = Problems(file, shown=SHOWN)
    named: list[tuple[Sheet, dict[str, str]]] = []
    for sheet in sheets:
        where = file if sheet.name is None else f'{file}, sheet "{sheet.name}"'
        names = neutral.rename(sheet.cells.columns, _of_sheet(options.mapping, sheet, sheets), kind, where)
        _refuse_without_key(where, sheet, names, kind)
        named.append((sheet, names))
    keys = dict(known.keys)
    if kind in TABLES[kind].refs.values():  # a row may name a record of another sheet
        column = TABLES[kind].key[0]
        own = [sheet.cells[c] for sheet, names in named for c, field in names.items() if field == column]
        keys[kind] = keys.get(kind, frozenset()).union(*map(set, own))
    frames: list[pl.DataFrame] = []
    for sheet, names in named:
        problems.enter(sheet.name, {field: column for column, field in names.items()})
        given = _typed(sheet, names, kind, known, keys, problems)
        adapted = neutral.adapt(
            given.drop(ROW), kind, present=known.present, reference=known.reference,
            provenance={"source": options.source, "source_on": options.source_on, "licence": options.licence},
            vnd_per_usd=VND_PER_USD,
        )  # fmt: skip
        frames.append(adapted.frame)
        _check_whole(adapted.frame.with_columns(given[ROW]), sheet, kind, problems)
        for column in (c for c in sheet.cells.columns if c not in names):
            at = "" if sheet.name is None else f' of the sheet "{sheet.name}"'
            warnings[f'the column "{column}"{at} is not read'] = given.height
        for sentence, count in adapted.warnings.items():
            warnings[sentence] = warnings.get(sentence, 0) + count
    frame = pl.concat(frames)
    places = [(sheet.name, row) for sheet, _ in named for row in sheet.rows]
    if len(named) > 1:
        _check_across(frame, places, kind, problems)
    problems.raise_if_any()
    return Rows(frame=frame, places=places, warnings=warnings)


def _sheets(path: Path, *, file: str, kind: str, options: Options) -> tuple[list[Sheet], dict[str, int]]:
    """The sheets that have columns of ours and rows, and what is said of the others.

    Raises:
        InputError: there is none, or the file is not as it must be.
    """
    if not path.is_file():
        csvfile.refuse(file, f"{path} is not a file; give the path of a CSV file or an Excel workbook")
    with path.open("rb") as stream:
        head = stream.read(8)
    if not head.startswith((xlsxfile.ZIP, xlsxfile.OLE)):
        if options.sheet is not None:
            csvfile.refuse(file, "this is no Excel workbook and has no sheets; leave out the sheet", pointer="?sheet")
        with csvfile.in_utf8(path, file) as text:
            cells = csvfile.read_cells(text, separators=SEPARATORS, name=file)
        if cells.is_empty():
            raise InputError(f"{file}: there is a heading but no row; expected at least one row")
        return [Sheet(name=None, cells=cells, rows=list(range(2, cells.height + 2)))], {}
    if path.stat().st_size > xlsxfile.MAX_BYTES:
        csvfile.refuse(file, f"the workbook is larger than {xlsxfile.MAX_BYTES // 2**20} MB; split it")

    def known(column: str) -> bool:
        fields = neutral.fields_of(kind)
        return column in options.mapping or column in fields or headings.field_of(column, kind) is not None

    found, left = xlsxfile.read_sheets(
        path.read_bytes(), file, sheet=options.sheet, heading=lambda cells: sum(map(known, cells))
    )
    for sheet in found:
        if sheet.cells.is_empty():
            left[str(sheet.name)] = "has no row below its heading"
        elif not any(map(known, sheet.cells.columns)) and len(found) > 1:
            left[str(sheet.name)] = f"has none of the columns of {kind}"
    kept = [sheet for sheet in found if sheet.name not in left]
    said = {f'the sheet "{name}" is not read: it {why}': 0 for name, why in left.items()}
    if not kept:
        csvfile.refuse(file, "; ".join(said) + "; expected a heading and at least one row")
    return kept, said


def _of_sheet(mapping: Mapping[str, str], sheet: Sheet, sheets: list[Sheet]) -> dict[str, str]:
    """The part of a mapping that is about a sheet; what no sheet has stays, so that it is refused."""
    others = {c for other in sheets if other is not sheet for c in other.cells.columns}
    return {c: f for c, f in mapping.items() if c in sheet.cells.columns or c not in others}


def _refuse_without_key(where: str, sheet: Sheet, names: Mapping[str, str], kind: str) -> None:
    missing = [c for c in TABLES[kind].key if c not in names.values() and not neutral.makes_key(kind)]
    if missing:
        raise InputError(
            f"{where} has no column {missing[0]}, which identifies the records; it has "
            f"{', '.join(sheet.cells.columns)}. If it is there under another name, give --map COLUMN={missing[0]}.",
            [{"pointer": "/1", "seen": "", "expected": missing[0]}],
        )


def _typed(
    sheet: Sheet,
    names: Mapping[str, str],
    kind: str,
    known: Known,
    keys: Mapping[str, Collection[str]],
    problems: Problems,
) -> pl.DataFrame:
    """The columns that are read, under our names and in our types, with `#row`; what is wrong is noted."""
    fields = neutral.fields_of(kind)
    types = {field: fields[field] for field in names.values()}
    cells = sheet.cells.select(pl.col(c).alias(f) for c, f in names.items())
    cells = tables.tidy(cells, problems, strict=False).insert_column(0, pl.Series(ROW, sheet.rows, pl.UInt32))
    tables.check_cells(cells, problems)
    own = None if sheet.own is None else sheet.own.select(pl.col(c).alias(f) for c, f in names.items())
    for row, column, said in sheet.errors:
        if column in names:
            problems.count += 1
            problems.note(row, names[column], said, "is an error of the spreadsheet; correct the cell", "a value")
    ours = all(column == field for column, field in names.items())
    vietnamese = any(neutral.is_vietnamese(column) for column in names)
    cells = spoken.canonical(
        cells, kind, types, own=own, units={f: headings.split_unit(c)[1] for c, f in names.items()},
        countries=_countries(known.reference), default=spoken.Way("." if ours else None, vietnamese or None),
        problems=problems,
    )  # fmt: skip
    frame = tables.typed(cells, types, problems, why_not=spoken.WHY_NOT)
    optional = (*PROVENANCE, *neutral.filled(kind))
    required = [c for c in TABLES[kind].required if c in types and c not in optional]
    tables.check_frame(frame, kind, required, keys, problems)
    return frame


def _check_whole(frame: pl.DataFrame, sheet: Sheet, kind: str, problems: Problems) -> None:
    """Notes rows that break a rule only now that every column is there; of rows that are noted nothing more is said."""
    if not problems.room:
        return
    noted = [w.row for w in problems.wrong if w.sheet == sheet.name and w.row is not None]
    sound = frame.filter(~pl.col(ROW).is_in(noted))
    tables.check_rows(sound, kind, {}, problems)
    if kind == "projects":
        bare = sound.filter(pl.all_horizontal(pl.col("name_vi", "name_en").is_null()))
        problems.add(bare.with_columns(name=pl.lit("")), "name", "is empty; a project needs a name", "a name")


def _check_across(frame: pl.DataFrame, places: list[tuple[str | None, int]], kind: str, problems: Problems) -> None:
    """Notes records that stand in two sheets."""
    key = TABLES[kind].key
    first: dict[tuple[object, ...], tuple[str | None, int]] = {}
    problems.enter(None, {})
    for values, place in zip(frame.select(key).iter_rows(), places, strict=True):
        before = first.setdefault(values, place)
        if before[0] != place[0] and any(v is not None for v in values):
            problems.enter(place[0], {})
            problems.count += 1
            if problems.room:
                said = f'stands in sheet "{before[0]}", row {before[1]} too; expected once'
                problems.note(place[1], ", ".join(key), " · ".join(map(str, values)), said, "a value used once")


def _countries(reference: Reference) -> dict[str, str]:
    """Folded name -> code, of names that only one country has."""
    codes: dict[str, set[str]] = {}
    for code, *names in reference.countries.select("country", "name_vi", "name_en", "iso3").iter_rows():
        for name in names:
            if name:
                codes.setdefault(fold(name), set()).add(code)
    return {name: next(iter(found)) for name, found in codes.items() if len(found) == 1}
