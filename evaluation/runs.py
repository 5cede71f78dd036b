"""Runs of rankers on data sets, kept by what they were made of: made once, taken up again after an interruption.

A run depends on the data set's contents, the ranker, the seed, the encoder, the reference tables and the program. The
name of its file is a hash of all of these, so that a stored run is never one of other facts or of other code.
"""

import hashlib
import importlib.metadata
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from matcher.measures import Ranking
from matcher.records import Reference

Floats = npt.NDArray[np.float64]

Progress = Callable[[str, int, int], None]
"""Called with (step, done, in all)."""

_SOURCES = Path(__file__).resolve().parents[1]
_CODE = (
    "matcher/matching/*.py", "matcher/ingest/csvfile.py", "matcher/ingest/neutral.py", "matcher/ingest/tables.py",
    "matcher/*.py", "evaluation/*.py",
)  # fmt: skip
_REPORTING = frozenset(
    f"evaluation/{n}.py" for n in ("__main__", "report", "plots", "tables", "views", "words", "judgments", "sectors",
    "content", "results", "slices", "audit", "calibration", "benchmark", "product", "vectors", "qrels", "runs",
    "sentences", "leading")
)  # fmt: skip
_LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm", "bm25s", "polars", "sentence-transformers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One run and how it came about.

    Attributes:
        probabilities: aligned with `ranking.places`, NaN where none is given; None when the ranker gives none.
        abstained: why there is none, in English; None where there are some.
        seconds: fit and ranking, as measured when the run was made.
        note: what the ranker says of its choice.
    """

    name: str
    ranking: Ranking
    probabilities: Floats | None
    abstained: str | None
    seconds: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCache:
    """Runs as files in one folder, written whole or not at all."""

    folder: Path

    def get(self, key: str) -> Made | None:
        """The run of a key; None when there is none, or what is there cannot be read."""
        path = self.folder / f"{key}.npz"
        try:
            # Opened here, for NumPy forgets to close a file that is no archive.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                told = json.loads(str(stored["told"]))
                found = stored.get("probabilities")
                ranking = Ranking(
                    queries=tuple(told["queries"]), candidates=tuple(told["candidates"]),
                    places=stored["places"], scores=stored["scores"],
                )  # fmt: skip
            return Made(
                name=told["name"], ranking=ranking, probabilities=found, abstained=told["abstained"],
                seconds=told["seconds"], note=told["note"],
            )  # fmt: skip
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            return None

    def put(self, key: str, made: Made) -> None:
        """Keeps a run."""
        told = {
            "name": made.name, "abstained": made.abstained, "seconds": made.seconds, "note": made.note,
            "queries": made.ranking.queries, "candidates": made.ranking.candidates,
        }  # fmt: skip
        arrays: dict[str, Any] = {"places": made.ranking.places, "scores": made.ranking.scores}
        if made.probabilities is not None:
            arrays["probabilities"] = made.probabilities
        buffer = io.BytesIO()
        np.savez(buffer, told=np.array(json.dumps(told)), **arrays)
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=".partial-", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(buffer.getvalue())
            Path(partial).replace(self.folder / f"{key}.npz")
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise


def key(**parts: Any) -> str:
    """The name of a run: a hash of everything that it depends on, the program included."""
    text = json.dumps({**parts, "code": code_digest()}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def versions() -> dict[str, str]:
    """The libraries that compute runs, with their versions."""
    return {library: importlib.metadata.version(library) for library in _LIBRARIES}


@lru_cache(maxsize=1)
def code_digest() -> str:
    """A hash of the program's parts that a run depends on and of the libraries that compute it.

    What only measures, prints or draws a run is not among them.
    """
    digest = hashlib.sha256()
    for path in sorted({p for pattern in _CODE for p in _SOURCES.glob(pattern)}):
        name = path.relative_to(_SOURCES).as_posix()
        if name not in _REPORTING:
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    for library, version in versions().items():
        digest.update(f"{library} {version}\n".encode())
    return digest.hexdigest()


def digest_of(reference: Reference) -> str:
    """A hash of the reference tables."""
    digest = hashlib.sha256()
    for field in fields(reference):
        frame = getattr(reference, field.name)
        digest.update(field.name.encode() + frame.write_json().encode())
    return digest.hexdigest()
