"""A site ready for use: database at this program's schema, encoder built, reference tables loaded."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import polars as pl

from matcher.errors import SourceError
from matcher.ingest import SOURCES, tables
from matcher.jobs import Site
from matcher.jobs.opening import build_encoder, open_store
from matcher.records import TABLES
from matcher.store import Store
from matcher.store.undoing import REFERENCE

_ALL = 2**31 - 1
_ACTION = "load reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLoaded:
    """One reference table: how many rows the files hold (0: not read again), how many were written, how many kept.

    `kept` counts records that were imported since and therefore stay as they are.
    """

    table: str
    state: Literal["loaded", "unchanged"]
    rows: int
    written: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """What `init` did: whether the schema changed, which encoder is ready, and each table."""

    migrated: bool
    encoder: str
    tables: tuple[TableLoaded, ...]

    def to_json(self) -> dict[str, Any]:
        """The set-up as the command line prints it."""
        return {"migrated": self.migrated, "encoder": self.encoder, "tables": [asdict(t) for t in self.tables]}


def init(site: Site, *, actor: str, progress: Callable[[str, int, int], None] | None = None) -> SetUp:
    """The site is ready for `fit`; what is done already is not done again.

    A killed run has loaded some tables, each of them whole; the next run goes on from there.

    Raises:
        SourceError: a reference file is missing or damaged, or the encoder cannot be built.
    """
    tell = progress or _silent
    tell("database", 0, 0)
    with open_store(site) as store:
        migrated = store.migrate()
        loaded = load(site.reference_dir, store, actor=actor, progress=tell)
        tell("text encoder", 0, 0)
        encoder = build_encoder(site)
    return SetUp(migrated=migrated, encoder=encoder, tables=loaded)


def load(
    directory: Path, store: Store, *, actor: str, progress: Callable[[str, int, int], None]
) -> tuple[TableLoaded, ...]:
    """Every reference table says what its files say; files that were loaded before are not read again.

    Raises:
        SourceError: a file is missing or damaged, or the tables contradict each other; nothing is written then.
    """
    hashes = {name: _hash(directory, name) for name in TABLES}
    before = _loaded(store)
    stale = [name for name in TABLES if before.get(name) != hashes[name]]
    frames: Mapping[str, pl.DataFrame] = {}
    if stale:
        # References go from table to table, so that one changed file makes all of them worth checking.
        progress("checking the reference tables", 0, 0)
        frames = tables.read_all(directory)
        wrong = tables.validate(frames)
        if wrong:
            raise SourceError("\n".join([f"The reference tables in {directory} do not hold:", *wrong[:20]]))
    done = []
    for place, name in enumerate(TABLES):
        progress("loading the reference tables", place, len(TABLES))
        if name not in stale:
            done.append(TableLoaded(table=name, state="unchanged", rows=0, written=0, kept=0))
            continue
        frame = frames[name]
        fresh = frame.join(imported(store, name), on=TABLES[name].key, how="anti", nulls_equal=True)
        batch = store.append(name, fresh, source=f"{REFERENCE}{hashes[name]}", actor=actor)
        # On record even when the table already said all this, so that the next run need not look again.
        store.audit(_ACTION, actor=actor, details={"table": name, "sha256": hashes[name]})
        kept = frame.height - fresh.height
        done.append(TableLoaded(table=name, state="loaded", rows=frame.height, written=batch.n_rows, kept=kept))
    progress("loading the reference tables", len(TABLES), len(TABLES))
    return tuple(done)


def imported(store: Store, table: str) -> pl.DataFrame:
    """Keys of the records that somebody imported: the reference files never overwrite what people corrected."""
    key = list(TABLES[table].key)
    touched = [store.read(table).select(key).clear()]
    # What an import said that was undone is no correction, and neither is the undo.
    void = {number for u in store.undone() for number in (u.batch_id, u.undo_id)}
    for batch in store.batches(table=table, limit=_ALL):
        if not batch.source.startswith(REFERENCE) and batch.id not in void:
            # Batches are written one at a time, each at an instant of its own.
            after = store.read(table, known_at=batch.recorded_at)
            before = store.read(table, known_at=batch.recorded_at - timedelta(microseconds=1))
            columns = list(TABLES[table].columns)
            touched.append(after.join(before, on=columns, how="anti", nulls_equal=True).select(key))
    return pl.concat(touched).unique()


def _loaded(store: Store) -> dict[str, str]:
    """Table -> the hash of the files that it was last loaded from; without tables where an import was undone since.

    That import may have kept the load from writing what now counts again.
    """
    undone = {u.table: u.recorded_at for u in store.undone()}
    entries = [e for e in reversed(store.audit_log(limit=_ALL)) if e.action == _ACTION]
    last = {str(e.details["table"]): e for e in entries}
    return {t: str(e.details["sha256"]) for t, e in last.items() if t not in undone or undone[t] < e.at}


def _hash(directory: Path, table: str) -> str:
    """SHA-256 of the files of one table.

    Raises:
        SourceError: a file is missing.
    """
    digest = hashlib.sha256()
    for name in SOURCES[table]:
        path = directory / name
        if not path.is_file():
            raise SourceError(
                f"The reference table {path} is missing; restore it from the repository, or set MATCHER_REFERENCE_DIR."
            )
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _silent(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""
