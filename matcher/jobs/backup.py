"""One file with everything that cannot be made again: facts, accounts, pipeline, exposures, fitted engines.

It is a zip: `manifest.json`, `tables/NAME.copy` with the rows of every table in one state of the database, and
`artefacts/ENGINE/...`. Models are left out, since `matcher init` builds them. It holds the hashes of passwords and
keys, so that its mode is 0600.
"""

import hashlib
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from matcher import __version__
from matcher.errors import ConflictError, InputError, SourceError
from matcher.jobs import Site, fitting
from matcher.jobs.opening import database, open_store
from matcher.store import Store, dumping, migrate
from matcher.store.dumping import CHUNK, Content
from matcher.store.store import translated

MANIFEST = "manifest.json"
_PARTIAL = ".partial-"
_DAMAGE = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError, ValueError)
"""What the reader of a zip raises when bytes are missing, changed or of another kind."""

Progress = Callable[[str, int, int], None]


class Rows(BaseModel):
    """What one table held."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    columns: list[str]
    rows: int
    sha256: str

    @property
    def content(self) -> Content:
        """The same, as the store says it."""
        return Content(columns=tuple(self.columns), rows=self.rows, sha256=self.sha256)


class Manifest(BaseModel):
    """What a backup says about itself.

    Attributes:
        program: version of the program that made it.
        database: the migration that its tables are of.
        engine: the engine in use; None when none was fitted.
        server: version of the PostgreSQL server that it was made from.
        tables: table -> what it held.
        sequences: sequence -> last number, and whether it was given out.
        artefacts: file of an engine, as `ENGINE/NAME` -> sha256.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["matcher backup 1"] = "matcher backup 1"
    program: str
    database: str
    engine: str | None
    server: str
    created_at: datetime
    tables: dict[str, Rows]
    sequences: dict[str, tuple[int, bool]]
    artefacts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of a backup and how many rows it holds."""

    table: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A backup that was made or restored.

    Attributes:
        database: the schema of the backup; `now` is that of the database afterwards.
        skipped: tables of the backup that are not of this program and were not restored.
    """

    file: Path
    created_at: datetime
    database: str
    now: str
    engine: str | None
    engines: int
    tables: tuple[Table, ...]
    skipped: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            **asdict(self), "file": str(self.file), "created_at": self.created_at.isoformat(),
            "tables": [asdict(t) for t in self.tables], "skipped": list(self.skipped),
        }  # fmt: skip


def backup(site: Site, file: Path, *, actor: str, force: bool = False, progress: Progress | None = None) -> Done:
    """The file holds the whole site as it was at one instant; it is complete or not there.

    Args:
        force: an existing file is replaced, when the new one is complete.

    Raises:
        ConflictError: the file exists.
        InputError: its folder does not exist.
        SourceError: the database is empty, newer than the program, or hides rows from this login.
    """
    tell = progress or _silent
    _refuse_existing(file, force=force)
    with translated(), database(site) as url, dumping.snapshot(url()) as connection:
        migrate.check_server(connection)
        found = migrate.current(connection)
        if found is None or found not in migrate.known():
            migrate.check_current(found)  # says what is wrong
        with _whole(file, force=force) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            tables, names = {}, dumping.tables(connection)
            for place, name in enumerate(names):
                tell("tables", place, len(names))
                with archive.open(f"tables/{name}.copy", "w", force_zip64=True) as sink:
                    content = dumping.write(connection, name, sink)
                tables[name] = Rows(columns=list(content.columns), rows=content.rows, sha256=content.sha256)
            tell("tables", len(names), len(names))
            # After the rows: an engine stands in its folder before a row names it.
            engine, artefacts = _store_engines(site, archive)
            row = connection.execute("SELECT transaction_timestamp(), current_setting('server_version')").fetchone()
            assert row is not None
            manifest = Manifest(
                program=__version__, database=str(found), engine=engine, server=row[1], created_at=row[0],
                tables=tables, sequences=dumping.sequences(connection), artefacts=artefacts,
            )  # fmt: skip
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=1))
    with open_store(site) as store:
        store.audit("backup", actor=actor, details={"rows": sum(t.rows for t in tables.values()), "engine": engine})
    return _done(file, manifest, now=manifest.database)


def restore(site: Site, file: Path, *, actor: str, progress: Progress | None = None) -> Done:
    """The empty database and the folder of engines hold what the backup holds, compared row by row, or are unchanged.

    A backup of an older schema is brought forward.

    Raises:
        ConflictError: the database is not empty.
        InputError: the file is no backup, is damaged, or is of a newer program.
        SourceError: the database lacks what the schema needs.
    """
    tell = progress or _silent
    with _opened(file) as (archive, manifest):
        _check(file, archive, manifest, tell)
        contents = {name: rows.content for name, rows in manifest.tables.items()}
        with translated(), database(site) as url, migrate.transaction(url()) as (connection, move):
            migrate.check_server(connection)
            dumping.refuse_unless_empty(connection)
            tell("tables", 0, 0)
            move(manifest.database)
            skipped = dumping.load(
                connection, contents, manifest.sequences, lambda name: archive.open(f"tables/{name}.copy")
            )
            move("head")
            now = migrate.current(connection) or ""
            details = {"created_at": manifest.created_at.isoformat(), "schema": manifest.database}
            Store.on(connection).audit("restore", actor=actor, details=details)
            # The last thing before the transaction ends: what fails before it has changed nothing.
            _restore_engines(site, archive, manifest)
    return _done(file, manifest, now=now, skipped=skipped)


def _done(file: Path, manifest: Manifest, *, now: str, skipped: tuple[str, ...] = ()) -> Done:
    tables = tuple(Table(table=n, rows=t.rows, sha256=t.sha256) for n, t in sorted(manifest.tables.items()))
    return Done(
        file=file, created_at=manifest.created_at, database=manifest.database, now=now, engine=manifest.engine,
        engines=len({name.split("/")[0] for name in manifest.artefacts}), tables=tables, skipped=skipped,
    )  # fmt: skip


# --- the file -------------------------------------------------------------------------------------------------------


def _refuse_existing(file: Path, *, force: bool) -> None:
    if not file.parent.is_dir():
        raise InputError(f"The folder {file.parent} does not exist; create it, or name another file.")
    if file.is_dir() or (file.exists() and not force):
        raise ConflictError(f"{file} exists already and was left as it is; name another file, or add --force.")


@contextmanager
def _whole(file: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """A file (0600) that takes its name when it is complete and on disk."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}{_PARTIAL}")
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        _refuse_existing(file, force=force)
        fresh.replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SourceError(
            f"The backup could not be written to {file.parent}: {error.strerror or error}. There is no new file."
        ) from error
    finally:
        fresh.unlink(missing_ok=True)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """The zip and its manifest.

    Raises:
        InputError: it is no backup of this program.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = Manifest.model_validate_json(archive.read(MANIFEST))
    except (*_DAMAGE, ValidationError) as error:
        raise InputError(
            f"{file} is no backup of this program, or is cut off or damaged: {_first_line(error)}. Nothing was changed."
        ) from error
    with zipfile.ZipFile(file) as archive:
        yield archive, manifest


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return f"its {MANIFEST} is not understood at {'.'.join(map(str, error.errors()[0]['loc'])) or 'the top'}"
    return str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__


def _check(file: Path, archive: zipfile.ZipFile, manifest: Manifest, tell: Progress) -> None:
    """Every part is there and whole, and this program knows the schema.

    Raises:
        InputError: not so; nothing was changed.
    """
    if manifest.database not in migrate.known():
        raise InputError(
            f"{file} is of schema {manifest.database} (program {manifest.program}); this program {__version__} knows "
            f"schemas up to {migrate.known()[-1]}. Update the program, then restore. Nothing was changed."
        )
    parts = {f"tables/{name}.copy": rows.sha256 for name, rows in manifest.tables.items()}
    for name, sha256 in manifest.artefacts.items():
        path = PurePosixPath(name)
        if path.is_absolute() or len(path.parts) < 2 or any(p.startswith(".") for p in path.parts) or "\\" in name:
            raise InputError(f"{file} holds an engine's file with the name {name!r}; such a backup is not restored.")
        parts[f"artefacts/{name}"] = sha256
    if manifest.engine is not None and not any(n.startswith(f"{manifest.engine}/") for n in manifest.artefacts):
        raise InputError(f"{file} names the engine {manifest.engine!r} and does not hold it. Nothing was changed.")
    for place, (name, sha256) in enumerate(parts.items()):
        tell("checking the backup", place, len(parts))
        digest = hashlib.sha256()
        try:
            with archive.open(name) as part:
                while data := part.read(CHUNK):
                    digest.update(data)
        except _DAMAGE as error:
            raise InputError(f"{file} is damaged: {name} cannot be read ({error}). Nothing was changed.") from error
        if digest.hexdigest() != sha256:
            raise InputError(
                f"{file} is damaged: {name} has sha256 {digest.hexdigest()}, the manifest says {sha256}. "
                "Nothing was changed; use another backup."
            )


# --- engines --------------------------------------------------------------------------------------------------------


def _store_engines(site: Site, archive: zipfile.ZipFile) -> tuple[str | None, dict[str, str]]:
    """The engine in use, and file -> sha256 of every engine."""
    pointer = site.artefacts / fitting.CURRENT
    engine = fitting.current(site).name if pointer.is_file() else None
    found: dict[str, str] = {}
    for folder in sorted(site.artefacts.glob("[!.]*/")):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(site.artefacts).as_posix()
            digest = hashlib.sha256()
            with path.open("rb") as file, archive.open(f"artefacts/{name}", "w", force_zip64=True) as sink:
                while data := file.read(CHUNK):
                    digest.update(data)
                    sink.write(data)
            found[name] = digest.hexdigest()
    return engine, found


def _restore_engines(site: Site, archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Every engine of the backup stands in its folder, and the pointer names the one that was in use."""
    if not manifest.artefacts:
        return
    with fitting.alone(site.artefacts):
        room = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=site.artefacts))
        try:
            for name in manifest.artefacts:
                path = room / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(f"artefacts/{name}") as part, path.open("wb") as out:
                    shutil.copyfileobj(part, out, CHUNK)
            for folder in sorted(room.iterdir()):
                aside = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=site.artefacts))
                try:
                    fitting.publish(aside, folder, site.artefacts / folder.name)
                finally:
                    shutil.rmtree(aside, ignore_errors=True)
        finally:
            shutil.rmtree(room, ignore_errors=True)
        if manifest.engine is not None:
            fitting.point(site.artefacts, manifest.engine)


def _silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""
