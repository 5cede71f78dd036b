"""One file into one table: read, adapted, checked against what is there, and written as a whole or not at all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from matcher.errors import SourceError
from matcher.ingest import tables
from matcher.ingest.tables import CellsError
from matcher.jobs import reading
from matcher.jobs.opening import reference
from matcher.jobs.reading import Options
from matcher.jobs.resembling import NAMES, Twin, resembling, twins
from matcher.records import TABLES
from matcher.store import Store

KINDS = ("projects", "partners", "deals", "activities")
EXAMPLES, HINTS = 10, 5
FIRST = 3
"""New records that a report shows as they will be stored."""
_ANY_KEY = {t: f"a key of {t}" for t in NAMES} | {"countries": "an ISO 3166-1 alpha-2 code"}
"""How the reader words what it expected, by table that was referred to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, or with `dry_run` would do: how many records are new, changed, equal to what is there.

    `batch` is None when nothing was written. `warnings`: sentence -> number of rows that it is true of. `first`: the
    first new records, each field -> value as it is stored.
    """

    kind: str
    file: str
    source: str
    rows: int
    new: int
    changed: int
    equal: int
    warnings: Mapping[str, int]
    resembling: tuple[Twin, ...]
    dry_run: bool
    batch: int | None
    examples: tuple[Mapping[str, str], ...]
    first: tuple[Mapping[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The report as the command line prints it; `examples` shows up to ten changed fields, before and after."""
        return {
            "kind": self.kind, "file": self.file, "source": self.source, "rows": self.rows, "new": self.new,
            "changed": self.changed, "equal": self.equal, "warnings": dict(self.warnings),
            "resembling": [t.to_json() for t in self.resembling], "dry_run": self.dry_run,
            "batch": self.batch, "examples": [dict(e) for e in self.examples],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A file that may be imported: its rows, and the report of what that would change."""

    frame: pl.DataFrame
    report: ImportReport


def import_file(
    store: Store,
    path: Path,
    *,
    kind: str,
    source: str,
    actor: str,
    source_on: date | None = None,
    licence: str | None = None,
    sheet: str | None = None,
    mapping: Mapping[str, str] | None = None,
    dry_run: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> ImportReport:
    """The file's records are in the store, all of them or, after any refusal, none.

    A record whose identifier is known is updated in the columns that the file has. Nothing is deleted.

    Args:
        kind: projects, partners, deals or activities.
        source: who says so, for rows whose file has no `source` column.
        sheet: the one sheet of a workbook that is read; default: every visible one.
        mapping: file column -> field, for columns under another name.
        dry_run: everything is checked and counted, nothing is written.

    Raises:
        InputError: anything wrong with the file; the message names sheet, row and column of every wrong cell.
        SourceError: the database is not set up.
    """
    tell = progress or _silent
    tell(f"checking {path.name}", 0, 0)
    options = Options(source=source, source_on=source_on, licence=licence, sheet=sheet, mapping=mapping or {})
    checked = check(store, path, file=path.name, kind=kind, options=options)
    if dry_run:
        return checked.report
    tell(f"writing {checked.report.new + checked.report.changed} records", 0, 0)
    return write(store, checked, actor=actor)


def check(store: Store, path: Path, *, file: str, kind: str, options: Options) -> Checked:
    """What importing the file would change; nothing is written.

    Raises:
        InputError: anything wrong with the file; CellsError names every wrong cell.
        SourceError: the database is not set up.
    """
    present = store.read(kind).select(*TABLES[kind].columns)
    known = reading.Known(present=present, reference=reference(store), keys=_keys(store, kind))
    try:
        rows = reading.read(path, file=file, kind=kind, options=options, known=known)
    except CellsError as error:
        raise _with_hints(error, kind, store) from error
    changes = compare(rows.frame, present, kind)
    report = ImportReport(
        kind=kind, file=file, source=options.source, rows=rows.frame.height, new=changes.new, changed=changes.changed,
        equal=changes.equal, warnings=rows.warnings,
        resembling=tuple(twins(rows.frame, rows.places, present, kind)) if changes.new else (),
        dry_run=True, batch=None, examples=changes.examples, first=changes.first,
    )  # fmt: skip
    return Checked(frame=rows.frame, report=report)


def write(store: Store, checked: Checked, *, actor: str) -> ImportReport:
    """The rows that were checked are in the store as one batch; the report names it."""
    report = checked.report
    batch = store.append(report.kind, checked.frame, source=report.source, actor=actor)
    return replace(report, dry_run=False, batch=batch.id if batch.n_rows else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """How rows differ from the present table.

    Attributes:
        examples: record, field, before and after of some changes.
        first: the first new records, field -> value, without what is unknown.
    """

    new: int
    changed: int
    equal: int
    examples: tuple[Mapping[str, str], ...]
    first: tuple[Mapping[str, str], ...]


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
        first=tuple(
            {column: _cell(value) for column, value in row.items() if value not in (None, [])}
            for row in frame.join(present, on=key, how="anti", maintain_order="left").head(FIRST).iter_rows(named=True)
        ),
    )


def _keys(store: Store, kind: str) -> dict[str, frozenset[str]]:
    """The keys that a row of this kind may refer to.

    Raises:
        SourceError: the reference tables are not loaded, so that nothing could be checked.
    """
    wanted = {"countries", "isic", *TABLES[kind].refs.values()}
    known = tables.known_keys({name: store.read(name) for name in wanted})
    if not known["countries"] or not known["isic"]:
        raise SourceError("The reference tables are not loaded yet; run `matcher init` first.")
    return known


def _with_hints(error: CellsError, kind: str, store: Store) -> CellsError:
    """The refusal with names that resemble an unknown identifier."""
    hints: dict[str, str] = {}
    for one in error.wrong:
        target = next((t for t in TABLES[kind].refs.values() if one.expected.endswith(_ANY_KEY.get(t, "\n"))), "")
        if target and one.seen and one.seen not in hints and len(hints) < HINTS:
            near = resembling(store.read(target), target, one.seen)
            if near:
                hints[one.seen] = f'"{one.seen}" may be: {"; ".join(near)}'
    return CellsError("\n".join([str(error), *hints.values()]), error.errors, error.wrong, error.count)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return "|".join(map(str, value))
    text = "" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""
