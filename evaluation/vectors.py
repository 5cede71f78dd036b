"""The encoder of evaluations, in front of a file of vectors: a text is encoded once, whatever the database holds.

A blind evaluation must not depend on the product's data, so its vectors lie in a file of their own. Vectors of
two encoders never mix: the key is the encoder's id and the sha256 of the text.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.errors import SourceError
from matcher.matching.embed import CachedEncoder, Encoder, Vectors

FILE = "vectors.sqlite"
_PER_QUESTION = 500  # SQLite takes at most so many parameters everywhere


class VectorFile:
    """Vectors by encoder id and text hash in one SQLite file; several processes may use it at once.

    Raises:
        SourceError: the file is not such a database.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        try:
            with self._connected() as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS vectors (encoder TEXT, hash TEXT, vector BLOB NOT NULL, "
                    "PRIMARY KEY (encoder, hash)) WITHOUT ROWID"
                )
        except sqlite3.DatabaseError as error:
            raise SourceError(f"{path} is not a file of vectors ({error}); remove it, it is made again.") from error

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=60)) as connection, connection:
            yield connection

    def get(self, encoder: str, hashes: list[str]) -> dict[str, Vectors]:
        """The vectors that are known, by hash."""
        found: dict[str, Vectors] = {}
        with self._connected() as connection:
            for start in range(0, len(hashes), _PER_QUESTION):
                part = hashes[start : start + _PER_QUESTION]
                marks = ",".join("?" * len(part))
                rows = connection.execute(
                    f"SELECT hash, vector FROM vectors WHERE encoder = ? AND hash IN ({marks})",  # noqa: S608 - marks only
                    (encoder, *part),
                )
                found.update((key, np.frombuffer(blob, dtype="<f4")) for key, blob in rows)
        return found

    def put(self, encoder: str, vectors: Mapping[str, NDArray[Any]]) -> None:
        """Keeps vectors; one that is there already stays."""
        rows = [(encoder, key, np.asarray(v, dtype="<f4").tobytes()) for key, v in vectors.items()]
        with self._connected() as connection:
            connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)", rows)


def cached(encoder: Encoder, path: Path) -> CachedEncoder:
    """The encoder in front of the file of vectors at `path`, which is made when missing."""
    file = VectorFile(path)
    return CachedEncoder(encoder, file.get, file.put)
