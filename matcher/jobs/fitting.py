"""A new engine from the facts of a day: written aside, moved into place whole, then put to use."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from matcher.errors import ConflictError, SourceError
from matcher.jobs import Site
from matcher.jobs.opening import facts, open_encoder
from matcher.matching import anchors
from matcher.matching.anchors import Shift
from matcher.matching.engine import Engine
from matcher.store import Store

CURRENT = "current"
_PARTIAL = ".partial-"
_LOCK = ".lock"


Measures = Mapping[str, Mapping[str, tuple[float, float, float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A new engine: its id, where it lies, whether it is in use now, what it saw and how well it ranks.

    Attributes:
        metrics: ranker -> measure -> mean and the ends of its 95 % interval, on deals after those it was fitted on.
        note: which ranker was chosen, and why.
        warning: what a reader of its lists must be told ('vi', 'en'); None for nothing.
        shift: how it differs from the engine that was in use before, on a fixed set of pairs; None without one.
    """

    engine: str
    as_of: date
    path: Path
    in_use: bool
    metrics: Measures
    counts: Mapping[str, int]
    note: str
    warning: Mapping[str, str] | None = None
    shift: Shift | None = None

    def to_json(self) -> dict[str, Any]:
        """The fit as the command line prints it."""
        return {
            "engine": self.engine, "as_of": self.as_of.isoformat(), "path": str(self.path), "in_use": self.in_use,
            "metrics": {ranker: dict(found) for ranker, found in self.metrics.items()}, "counts": dict(self.counts),
            "note": self.note, "warning": None if self.warning is None else dict(self.warning),
            "shift": None if self.shift is None else self.shift.to_json(),
        }  # fmt: skip


def fit(
    site: Site,
    store: Store,
    *,
    as_of: date,
    actor: str,
    out: Path | None = None,
    revision: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Fitted:
    """A new engine on what was public on `as_of`; it is put to use unless `out` names another folder.

    What a killed fit left half-written is cleared away first. Readers see the old engine until the new one
    is complete.

    Args:
        revision: of the program that fits, for the manifest.

    Raises:
        ConflictError: another fit into the same folder is running.
        InputError: there are no facts to fit on.
        SourceError: there is no encoder.
    """
    folder = site.artefacts if out is None else out
    with alone(folder):
        known = facts(store, as_of)
        encoder = open_encoder(site, store)
        room = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder))
        try:
            engine = Engine.fit(
                known, encoder, seed=site.seed, out=room / "engine", revision=revision, progress=progress
            )
            identity = engine.manifest.engine
            shift = _shift(site, room / "engine")
            target = publish(room, room / "engine", folder / identity)
        finally:
            shutil.rmtree(room, ignore_errors=True)
        if out is None:
            store.register_engine(
                identity, path=str(target), manifest=engine.manifest.model_dump(mode="json"), actor=actor
            )
            point(folder, identity)
    return Fitted(
        engine=identity, as_of=as_of, path=target, in_use=out is None, metrics=engine.manifest.metrics,
        counts=engine.manifest.counts, note=engine.manifest.ranker_note, warning=engine.manifest.warning,
        shift=shift,
    )  # fmt: skip


def current(site: Site) -> Path:
    """The folder of the engine in use.

    Raises:
        SourceError: no engine was fitted yet, or the one in use is gone.
    """
    pointer = site.artefacts / CURRENT
    try:
        name = pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise SourceError(f"No engine was fitted yet in {site.artefacts}; run `matcher fit`.") from None
    except OSError as error:
        raise SourceError(f"{pointer} cannot be read ({error.strerror}); remove it and run `matcher fit`.") from None
    folder = site.artefacts / name
    if not name or Path(name).name != name or not folder.is_dir():
        raise SourceError(f'{pointer} names the engine "{name}", which is not there; run `matcher fit`.')
    return folder


def _shift(site: Site, made: Path) -> Shift | None:
    """The new engine against the one in use, if there is one."""
    try:
        before = current(site)
        earlier = anchors.read(before)
    except (SourceError, ValueError):  # the first engine has none before it; a damaged one keeps no new one back
        return None
    return anchors.compare(before.name, earlier, anchors.read(made))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else fits into this folder meanwhile; the system frees the lock when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError(f"Another fit into {folder} is running; wait for it to end.") from None
        for left in folder.glob(f"{_PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def publish(room: Path, made: Path, target: Path) -> Path:
    """The finished engine stands in its place, on disk before it is visible."""
    for path in made.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    if target.exists():  # the same facts give the same engine: what stood there may be damaged
        target.rename(room / "before")
    made.rename(target)
    _sync(target.parent)
    return target


def point(folder: Path, identity: str) -> None:
    """The pointer names the engine, or still the one before."""
    fresh = folder / f".{CURRENT}.new"
    with fresh.open("w", encoding="utf-8") as file:
        file.write(f"{identity}\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / CURRENT)
    _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
