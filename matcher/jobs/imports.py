"""An import in steps: a preview that is kept, the commit of what was seen, and its undo.

Each step is done in the transaction of its caller: all of it is kept or nothing.
"""

import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from matcher.errors import ConflictError, InputError
from matcher.ingest.tables import CellsError, Wrong
from matcher.jobs import importing
from matcher.jobs.importing import Checked, ImportReport
from matcher.jobs.reading import Options
from matcher.store import Store, imports
from matcher.store.desk import Acting
from matcher.store.imports import Import

_COUNTED = {"rows": "rows", "new": "new", "changed": "changed", "equal": "as they stand"}


def preview(acting: Acting, content: bytes, *, file: str, kind: str, options: Options) -> Import:
    """The file is kept, with what it would change at the present state of the facts, or with every error in it.

    Raises:
        SourceError: the database is not set up.
    """
    revision = acting.store.revision()
    try:
        report = _told(_check(acting.store, content, file=file, kind=kind, options=options).report)
    except InputError as error:
        report = _refused(error)
    number = imports.add(
        acting.cursor, kind=kind, file=file, content=content, options=_options_json(options), report=report,
        revision=revision, account_id=acting.account_id,
    )  # fmt: skip
    return imports.get(acting.cursor, number)


def commit(acting: Acting, import_id: int) -> Import:
    """The rows of a previewed file are in the store; once committed, another commit changes nothing.

    Raises:
        NotFoundError: there is no such import.
        ConflictError: it was refused or undone, or the facts have changed so that it would do something else.
    """
    acting.store.alone()  # nobody changes the facts between the check and the write
    found = imports.get(acting.cursor, import_id)
    if found.state == "committed":
        return found
    if found.state == "refused":
        raise ConflictError(f"Import {import_id} has errors; correct the file and send it again. Nothing was changed.")
    if found.state == "undone":
        raise ConflictError(f"Import {import_id} was undone; send the file again to import it once more.")
    options = options_of(found.options)
    content = imports.content(acting.cursor, import_id)
    try:
        checked = _check(acting.store, content, file=found.file, kind=found.kind, options=options)
    except InputError as error:
        raise ConflictError(
            f"The facts have changed since import {import_id} was previewed, and it is refused now: {error} "
            "Nothing was changed; send the file again."
        ) from error
    now = _told(checked.report)
    if any(now[part] != told for part, told in found.report.items()):
        raise ConflictError(
            f"The facts have changed since import {import_id} was previewed, and it would do something else now: "
            f"{_difference(found.report, now)}. Nothing was changed; send the file again and look at its preview."
        )
    done = importing.write(acting.store, checked, actor=f"u{acting.account_id}")
    imports.note(acting.cursor, import_id, "committed", batch=done.batch, account_id=acting.account_id)
    return imports.get(acting.cursor, import_id)


def undo(acting: Acting, import_id: int) -> Import:
    """The rows of a committed import count no more.

    Raises:
        NotFoundError: there is no such import.
        ConflictError: it is not committed, changed nothing, or others refer to what would vanish.
    """
    acting.store.alone()
    found = imports.get(acting.cursor, import_id)
    if found.state == "undone":
        raise ConflictError(f"Import {import_id} was undone already; nothing was changed.")
    if found.committed is None:
        raise ConflictError(f"Import {import_id} was never committed, so that there is nothing to undo.")
    if found.committed.batch is None:
        raise ConflictError(f"Import {import_id} changed nothing, so that there is nothing to undo.")
    batch = acting.store.undo(found.committed.batch, actor=f"u{acting.account_id}")
    imports.note(acting.cursor, import_id, "undone", batch=batch.id, account_id=acting.account_id)
    return imports.get(acting.cursor, import_id)


def _check(store: Store, content: bytes, *, file: str, kind: str, options: Options) -> Checked:
    with tempfile.TemporaryDirectory(prefix="matcher-import-") as room:
        path = Path(room) / "sent"
        path.write_bytes(content)
        return importing.check(store, path, file=file, kind=kind, options=options)


def _told(report: ImportReport) -> dict[str, Any]:
    told = report.to_json()
    return {
        **{k: told[k] for k in ("rows", "new", "changed", "equal", "resembling", "examples")},
        "warnings": [{"message": message, "rows": rows} for message, rows in report.warnings.items()],
        "first": [dict(f) for f in report.first], "errors": [], "error_count": 0,
    }  # fmt: skip


def _refused(error: InputError) -> dict[str, Any]:
    if isinstance(error, CellsError):
        wrong, count = list(error.wrong), error.count
    else:
        place = error.errors[0] if error.errors else {}
        wrong, count = [
            Wrong(
                sheet=None, row=None, column=None, seen=place.get("seen", ""), expected=place.get("expected", ""),
                message=str(error),
            )
        ], 1  # fmt: skip
    return {
        "rows": 0, "new": 0, "changed": 0, "equal": 0, "resembling": [], "examples": [], "warnings": [],
        "errors": [w.to_json() for w in wrong], "error_count": count,
    }  # fmt: skip


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two reports, in words."""
    said = [f"{before[k]} {word} then, {now[k]} now" for k, word in _COUNTED.items() if before[k] != now[k]]
    return "; ".join(said) or "other records or values would change"


def _options_json(options: Options) -> dict[str, Any]:
    return {
        "source": options.source, "source_on": options.source_on and options.source_on.isoformat(),
        "licence": options.licence, "sheet": options.sheet, "map": dict(options.mapping),
    }  # fmt: skip


def options_of(told: Mapping[str, Any]) -> Options:
    """How a kept file is read, from what is kept of it."""
    day = told["source_on"]
    return Options(
        source=told["source"], source_on=day and date.fromisoformat(day), licence=told["licence"], sheet=told["sheet"],
        mapping=told["map"],
    )  # fmt: skip
