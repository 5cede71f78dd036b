"""One CSV file into one table: read, adapted, checked against what is there, and written as a whole or not at all."""

import csv
import io
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from rapidfuzz import fuzz, process

from matcher.errors import InputError, SourceError
from matcher.ingest import neutral, tables
from matcher.ingest.csvfile import read_cells
from matcher.jobs.opening import reference
from matcher.records import PROVENANCE, TABLES, TEXT
from matcher.store import Store
from matcher.text import fold

EXAMPLES, HINTS = 10, 5
_NAMES = {
    "projects": ("name_vi", "name_en"),
    "partners": ("name", "name_local"),
    "countries": ("name_en", "name_vi", "iso3"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or with `dry_run` would do: how many records are new, changed, equal to what is there.

    `batch` is None when nothing was written. `warnings`: sentence -> number of rows that it is true of.
    """

    kind: str
    file: str
    source: str
    rows: int
    new: int
    changed: int
    equal: int
    warnings: Mapping[str, int]
    dry_run: bool
    batch: int | None
    examples: tuple[Mapping[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it; `examples` shows up to ten changed fields, before and after."""
        return {
            "kind": self.kind, "file": self.file, "source": self.source, "rows": self.rows, "new": self.new,
            "changed": self.changed, "equal": self.equal, "warnings": dict(self.warnings), "dry_run": self.dry_run,
            "batch": self.batch, "examples": [dict(e) for e in self.examples],
        }  # fmt: skip


def import_file(
    store: Store,
    path: Path,
    *,
    kind: str,
    source: str,
    actor: str,
    source_on: date | None = None,
    licence: str | None = None,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> ImportReport:
    """The file's records are in the store, all of them or, after any refusal, none.

    A record whose identifier is known is updated in the columns that the file has. Nothing is deleted.

    Args:
        kind: projects, partners, deals or activities.
        source: who says so, for rows whose file has no `source` column.
        mapping: file column -> field, for columns under another name.
        dry_run: everything is checked and counted, nothing is written.

    Raises:
        InputError: anything wrong with the file; the message names file, row and column.
        SourceError: the database is not set up.
    """
    tell = progress or _silent
    tell(f"checking {path.name}", 0, 0)
    present = store.read(kind).select(*TABLES[kind].columns)
    known = _known(store, kind)
    header = read_cells(path).columns
    names = neutral.rename(header, mapping or {}, kind, path.name)
    given = _read(path, header, names, kind, store=store, known=known)
    adapted = neutral.adapt(
        given,
        kind,
        present=present,
        reference=reference(store),
        provenance={"source": source, "source_on": source_on, "licence": licence},
    )
    _check(adapted.frame, kind, path.name)
    warnings = {f'the column "{c}" is not read': given.height for c in header if c not in names}
    warnings |= adapted.warnings
    changes = compare(adapted.frame, present, kind)
    batch = None
    if not dry_run:
        tell(f"writing {changes.new + changes.changed} records", 0, 0)
        batch = store.append(kind, adapted.frame, source=source, actor=actor)
    return ImportReport(
        kind=kind, file=path.name, source=source, rows=adapted.frame.height, new=changes.new, changed=changes.changed,
        equal=changes.equal, warnings=warnings, dry_run=dry_run,
        batch=batch.id if batch and batch.n_rows else None, examples=changes.examples,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How rows differ from the present table; `examples` has record, field, before and after of some changes."""

    new: int
    changed: int
    equal: int
    examples: tuple[Mapping[str, str], ...]


def compare(frame: pl.DataFrame, present: pl.DataFrame, kind: str) -> Changes:
    """What appending the frame would add, change and leave; both frames have the columns of the table."""
    key = list(TABLES[kind].key)
    others = [c for c in TABLES[kind].columns if c not in key]
    both = frame.join(present, on=key, how="inner", suffix="#before", maintain_order="left")
    flags = both.select(pl.col(c).ne_missing(pl.col(f"{c}#before")).alias(c) for c in others)
    changed = flags.select(pl.any_horizontal(others)).to_series()
    examples: list[Mapping[str, str]] = []
    first = changed.arg_true().head(EXAMPLES)
    for row, differs in zip(both[first].iter_rows(named=True), flags[first].iter_rows(named=True), strict=True):
        for column in (c for c in others if differs[c]):
            before, after = _cell(row[f"{column}#before"]), _cell(row[column])
            examples.append({"record": str(row[key[0]]), "field": column, "before": before, "after": after})
    return Changes(
        new=frame.height - both.height,
        changed=int(changed.sum()),
        equal=both.height - int(changed.sum()),
        examples=tuple(examples[:EXAMPLES]),
    )


def _known(store: Store, kind: str) -> dict[str, frozenset[str]]:
    """The keys that a row of this kind may refer to.

    Raises:
        SourceError: the reference tables are not loaded, so that nothing could be checked.
    """
    wanted = {"countries", "isic", *TABLES[kind].refs.values()}
    known = tables.known_keys({name: store.read(name) for name in wanted})
    if not known["countries"] or not known["isic"]:
        raise SourceError("The reference tables are not loaded yet; run `matcher init` first.")
    return known


def _read(
    path: Path,
    header: Sequence[str],
    names: Mapping[str, str],
    kind: str,
    *,
    store: Store,
    known: Mapping[str, frozenset[str]],
) -> pl.DataFrame:
    """The columns that are read, under our names and in our types.

    Raises:
        InputError: a cell is wrong; the message names the file's own column.
    """
    unread = {c: f"#{place}" for place, c in enumerate(header) if c not in names}
    fields = neutral.fields_of(kind)
    columns = {f: fields[f] for f in names.values()} | dict.fromkeys(unread.values(), TEXT)
    optional = (*PROVENANCE, *neutral.filled(kind))
    required = [c for c in TABLES[kind].required if c in columns and c not in optional]
    key = [c for c in TABLES[kind].key if c not in columns and not neutral.makes_key(kind)]
    if key:
        raise InputError(
            f"{path.name} has no column {key[0]}, which identifies the records; it has {', '.join(header)}. "
            f"If it is there under another name, give --map COLUMN={key[0]}."
        )
    try:
        with _under_our_names(path, [names.get(c) or unread[c] for c in header]) as file:
            frame = tables.read_csv(file, columns, table=kind, required=required, known=known)
    except InputError as error:
        raise _in_their_words(error, {f: c for c, f in names.items()}, TABLES[kind].refs, store) from error
    return frame.drop(unread.values())


@contextmanager
def _under_our_names(path: Path, header: Sequence[str]) -> Iterator[Path]:
    """A file of the same name whose heading has our names; the rows below are the same, byte for byte."""
    with path.open("rb") as theirs, tempfile.TemporaryDirectory(prefix="matcher-import-") as room:
        lines = _heading_lines(theirs)
        if [cell.strip() for cell in next(csv.reader(io.StringIO(lines)))] == list(header):
            yield path
            return
        # A quoted heading may span lines; blank ones keep the numbers of the rows below.
        ours = io.StringIO()
        csv.writer(ours, lineterminator="\n").writerow(header)
        copy = Path(room) / path.name
        with copy.open("wb") as file:
            file.write(ours.getvalue().encode())
            shutil.copyfileobj(theirs, file)
        yield copy


def _heading_lines(file: BinaryIO) -> str:
    """The heading as text; the file then stands at the first row."""
    lines = file.readline()
    while lines.count(b'"') % 2:
        lines += file.readline()
    return lines.decode("utf-8-sig")


def _in_their_words(error: InputError, columns: Mapping[str, str], refs: Mapping[str, str], store: Store) -> InputError:
    """The reader's refusal with the file's own column names, and with names that resemble an unknown identifier."""
    text = str(error)
    for field, column in columns.items():
        text = text.replace(f'column "{field}"', f'column "{column}"')
    hints: dict[str, str] = {}
    for one in error.errors:
        table = refs.get(one["pointer"].rpartition("/")[2], "")
        if table in _NAMES and one["seen"] and one["seen"] not in hints and len(hints) < HINTS:
            near = resembling(store.read(table), table, one["seen"])
            if near:
                hints[one["seen"]] = f'"{one["seen"]}" may be: {"; ".join(near)}'
    return InputError("\n".join([text, *hints.values()]), error.errors)


def resembling(frame: pl.DataFrame, table: str, wanted: str, n: int = 3) -> list[str]:
    """Identifiers with names of the records that resemble an identifier or a name that does not exist."""
    key = TABLES[table].key[0]
    labels: dict[str, str] = {}
    for identity, *names in frame.select(key, *_NAMES[table]).iter_rows():
        for label in (identity, *names):
            if label:
                labels.setdefault(fold(label), f"{identity} {next((n for n in names if n), '')}".strip())
    near = process.extract(fold(wanted), labels.keys(), scorer=fuzz.WRatio, limit=2 * n, score_cutoff=60)
    return list(dict.fromkeys(labels[label] for label, *_ in near))[:n]


def _check(frame: pl.DataFrame, kind: str, file: str) -> None:
    """Refuses rows that break a rule only now that every column is there.

    Raises:
        InputError: names file, row and column.
    """
    wrong = tables.validate({kind: frame})
    if kind == "projects":
        bare = frame.with_row_index("row", offset=2).filter(pl.all_horizontal(pl.col("name_vi", "name_en").is_null()))
        wrong += [f'{kind}, row {row}, column "name": a project needs a name' for row in bare["row"].head(HINTS)]
    if wrong:
        raise InputError("\n".join(file + line.removeprefix(kind) for line in wrong))


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "|".join(map(str, value))
    text = "" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""
